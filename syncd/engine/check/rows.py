"""Findings about rows: those that will not land, and why."""

import math
from collections.abc import Iterator

from syncd.config import ForeignKeys
from syncd.engine.check.findings import Finding, Gravity
from syncd.plan import ForeignKeyPlan, Plan, TablePlan
from syncd.plan.mapping import bare_name
from syncd.quoting import written
from syncd.source import commonest, duplicates, faults, orphans
from syncd.source.database import SourceConnection
from syncd.source.faults import Fault, Faults
from syncd.source.orphans import Orphans

_GIVE_UP = "Mend these rows; or, to let them land as they are, give up that type for the whole column"


def of_table(connection: SourceConnection, plan: Plan, table: TablePlan, *, quick: bool) -> tuple[int, list[Finding]]:
    """The rows that were read of a table, and what was found in them."""
    found = faults.find(connection, table, sample=quick)
    findings = [_of_fault(connection, table, fault) for fault in found.found]
    lost = found.refused
    if not quick:
        findings += (giving_way := list(_of_duplicates(connection, table)))
        lost += sum(finding.count or 0 for finding in giving_way)
    orphaned = list(_of_orphans(connection, plan, table))
    findings += orphaned
    if found.complete and (not table.created or plan.foreign_keys is ForeignKeys.ENFORCE):
        lost += sum(finding.count or 0 for finding in orphaned)
    return found.rows, [*_over_the_ratio(table, found, lost), *findings]


def _over_the_ratio(table: TablePlan, found: Faults, lost: int) -> Iterator[Finding]:
    if lost <= table.max_reject_ratio * found.rows:
        return
    share = min(1.0, math.ceil(lost / found.rows * 100 + 1) / 100)
    of = "rows" if found.complete else "rows looked at"
    yield Finding(
        # The bad rows of a table often lie together, at its beginning or its end: a sample proves nothing of the ratio.
        Gravity.BLOCKER if found.complete else Gravity.WARNING,
        f"{lost} of {found.rows} {of} will be rejected, more than max_reject_ratio = {table.max_reject_ratio:g} allows",
        table.name,
        count=lost,
        lines={"max_reject_ratio": f"{share:g}"},
        advice="Mend the causes, which follow, in the source or by the mapping; or let that many be rejected and kept",
    )


def _of_fault(connection: SourceConnection, table: TablePlan, fault: Fault) -> Finding:
    column = next((column for column in table.columns if column.name == fault.name), None)
    shown = tuple(f"{example.source_key}: {example.value}" for example in fault.examples)
    what, lines, advice = "", {}, ""
    match fault.kind:
        case "null":
            what = "NULL, where the target wants a value"
            lines = _filled(connection, table, fault.name)
            advice = "" if lines else f"Give them a value; or leave them out: where = {written(fault.name)} IS NOT NULL"
        case "check":
            what, shown = f"check.{fault.name} is false", tuple(example.source_key for example in fault.examples)
        case "rounded":
            what = f"{column.type.name if column else ''} of the target rounds these values"
            advice = "Give the target's column a larger scale, where the digits matter"
        case _:
            what, lines, advice = _unfit(table, fault.name)
    gravity = Gravity.NOTE if fault.kind == "rounded" else Gravity.WARNING
    return Finding(gravity, what, table.name, fault.name, fault.count, shown, lines, advice=advice)


def _unfit(table: TablePlan, name: str) -> tuple[str, dict[str, str], str]:
    column = next(column for column in table.columns if column.name == name)
    what = f"values that {column.type.name} cannot hold exactly"
    if table.created and column.type.name == "text":
        return what, {}, f"Mend them in the source, or write column.{name} = an SQLite expression that does"
    if table.created:
        return (
            what,
            {f"type.{name}": "text"},
            _GIVE_UP,
        )
    alter = f'ALTER TABLE "{table.target}" ALTER COLUMN "{name}" TYPE ...'
    return what, {}, f"Give the target's column a type that holds them: {alter}"


def _filled(connection: SourceConnection, table: TablePlan, name: str) -> dict[str, str]:
    """An expression for the column that fills the gaps with what the others mostly hold."""
    column = next(column for column in table.columns if column.name == name)
    bare = bare_name(column.expression)
    if bare is None or table.key == (name,):
        return {}
    value = commonest.literal(connection, table.name, column.expression)
    return {f"column.{name}": f"coalesce({written(bare)}, {value})"} if value else {}


def _of_duplicates(connection: SourceConnection, table: TablePlan) -> Iterator[Finding]:
    pairs = duplicates.find(connection, table)
    if pairs:
        key = ", ".join(table.key)
        yield Finding(
            Gravity.WARNING,
            f"rows that share the target's key ({key}) with a later row, which is the one that lands",
            table.name,
            count=len(pairs),
            examples=tuple(f"{loser} gives way to {winner}" for loser, winner in pairs[:3]),
            advice="Choose a key that tells the rows apart, where these are different things",
        )


def _of_orphans(connection: SourceConnection, plan: Plan, table: TablePlan) -> Iterator[Finding]:
    by_target = {other.target: other for other in plan.tables}
    for key in table.foreign_keys:
        parent = by_target.get(key.parent)
        if parent is None or not orphans.is_countable(table, key, parent):
            yield _uncounted(table, key)
        elif (found := orphans.find(connection, table, key, parent)).count:
            yield _orphaned(plan, table, found)


def _uncounted(table: TablePlan, key: ForeignKeyPlan) -> Finding:
    columns = ", ".join(key.columns)
    said = f"({columns}) references {key.parent}, which is not read here: orphans were not counted"
    return Finding(Gravity.NOTE, said, table.name)


def _orphaned(plan: Plan, table: TablePlan, found: Orphans) -> Finding:
    columns = ", ".join(found.key.columns)
    said = f"rows whose ({columns}) is in no row of {found.key.parent}"
    shown = tuple(f"{key}: {values}" for key, values in found.examples)
    if not table.created:
        advice = "They are rejected, and land by themselves once their parents are there"
        return Finding(Gravity.WARNING, said, table.name, columns, found.count, shown, advice=advice)
    if plan.foreign_keys is ForeignKeys.ENFORCE:
        advice = "foreign_keys = enforce rejects them until their parents are there"
        return Finding(Gravity.WARNING, said, table.name, columns, found.count, shown, advice=advice)
    advice = "All rows land, and the foreign key is not created; foreign_keys = enforce rejects these rows instead"
    return Finding(Gravity.WARNING, said, table.name, columns, found.count, shown, advice=advice)
