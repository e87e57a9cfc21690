"""What to write into the configuration where the two sides of a table do not match by themselves."""

from collections.abc import Callable, Iterable, Mapping

from syncd.config import TableConfig
from syncd.errors import MappingError
from syncd.model import Table
from syncd.plan.blueprint import ForeignKeyPlan, TargetTable
from syncd.plan.mapping import Carried
from syncd.plan.names import same_name
from syncd.quoting import written

FindTable = Callable[[str], Table | None]
"""The source's table that lands in the target's table of that name."""


def check_counterparts(
    table: Table,
    existing: TargetTable,
    settings: TableConfig,
    missing: Iterable[Carried],
    matched: Mapping[str, Carried],
    find: FindTable,
) -> None:
    """Raise MappingError where values have no column in the target's table, or columns that need a value get none."""
    excess = [value.column for value in missing if value.column]
    unknown = [value.name for value in missing if not value.column]
    unfilled = [column.name for column in existing.columns if column.must_be_given and column.name not in matched]
    faults: list[str] = []
    lines: dict[str, str] = {}
    if excess:
        faults.append(f"the target's table lacks the source's columns {', '.join(column.name for column in excess)}")
        free = [column.name for column in existing.columns if column.name not in matched and not column.generated]
        renamed = {column.name: _alike(column.name, free) for column in excess}
        lines |= {f"column.{new}": written(old) for old, new in renamed.items() if new}
        if left := [name for name, new in renamed.items() if not new]:
            lines["exclude"] = listed([*settings.exclude, *left])
    if unknown:
        faults.append(f"the configuration fills {', '.join(unknown)}, which the target's table lacks")
    if unfilled:
        faults.append(f"nothing fills the target's columns {', '.join(unfilled)}, which are NOT NULL without default")
        for name in unfilled:
            lines.setdefault(f"column.{name}", filling(name, table, existing, matched, find))
    if faults:
        raise MappingError("; ".join(faults), where=table.name, lines=lines)


def _alike(name: str, among: Iterable[str]) -> str | None:
    """The only column whose name is this one with words before or behind it, as rank_in_etf is for rank."""
    found = [other for other in among if f"_{name.lower()}_" in f"_{other.lower()}_"]
    return found[0] if len(found) == 1 else None


def listed(names: Iterable[str]) -> str:
    """Names as a list of the configuration takes them."""
    return ", ".join(name if name and "," not in name else f'"{name}"' for name in names)


def filling(column: str, table: Table, existing: TargetTable, matched: Mapping[str, Carried], find: FindTable) -> str:
    """An expression that looks the value up in the parent of a foreign key; empty where no key tells of one."""
    for key in existing.foreign_keys:
        parent = find(key.parent)
        if column in key.columns and parent and (found := _lookup(column, key, table, parent, matched)):
            return found
    return ""


def _lookup(
    column: str, key: ForeignKeyPlan, table: Table, parent: Table, matched: Mapping[str, Carried]
) -> str | None:
    """The parent's value in the row that the other columns of the key name."""
    theirs = {
        own: same_name(other, [c.name for c in parent.columns])
        for own, other in zip(key.columns, key.parent_columns, strict=True)
    }
    others = [(own, other) for own, other in theirs.items() if own != column]
    if not others or theirs[column] is None or any(other is None or own not in matched for own, other in others):
        return None
    same = []
    for own, other in others:
        source = matched[own].column
        if source is None:
            return None
        same.append(f"p.{written(other or '')} = {written(table.name)}.{written(source.name)}")
    return f"(SELECT p.{written(theirs[column] or '')} FROM {written(parent.name)} p WHERE {' AND '.join(same)})"
