"""Findings about rows: those that will not land, and why."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from syncd.config import ForeignKeys, TableConfig
from syncd.engine import doubles
from syncd.engine.check.findings import Finding, Gravity
from syncd.plan import ForeignKeyPlan, Plan, TablePlan
from syncd.plan.mapping import bare_name
from syncd.plan.suggesting import listed
from syncd.quoting import written
from syncd.source import commonest, duplicates, faults, orphans
from syncd.source.database import SourceConnection
from syncd.source.faults import Fault, Faults
from syncd.source.orphans import Orphans
from syncd.types import MOMENTS

_TO_LET_GO = 0.2
"""The share of a table's rows up to which a larger `max_reject_ratio` is proposed."""
_MEND_OR_LET = "Mend the causes, which follow, in the source or by the mapping; or let that many be rejected and kept"
_MEND = (
    "So many would be left behind: settle the causes, which follow, by another type (type.NAME), by an expression"
    " (column.NAME), by another check.NAME, or by a condition for the rows that belong (where)"
)
_WIDER = {
    **dict.fromkeys(("smallint", "integer", "bigint", "real"), ("bigint", "double precision", "numeric")),
    "double precision": ("bigint", "numeric"),
    "numeric": ("numeric",),
    **dict.fromkeys(MOMENTS, MOMENTS),
    "time without time zone": ("time without time zone", "timestamp without time zone"),
}
"""Types that may hold what a type does not, in the order in which they are proposed."""
_GIVE_UP = "Mend these rows; or, to let them land as they are, give up that type for the whole column"

_WITHOUT_TIME = "Mend these rows: a hypertable is cut by their time, and those that have none are rejected"


@dataclass(frozen=True)
class Looked:
    """What SQLite tells of a table's rows: how many were read, whether all, how many cannot land, and why."""

    table: TablePlan
    rows: int
    complete: bool
    lost: int
    findings: tuple[Finding, ...]


def of_table(
    connection: SourceConnection, plan: Plan, table: TablePlan, settings: TableConfig, *, quick: bool
) -> Looked:
    """Look at every row of a table, of `quick` at some."""
    found = faults.find(connection, table, sample=quick)
    findings = [_of_fault(connection, table, settings, fault, found) for fault in found.found]
    lost = found.refused
    if not quick and duplicates.is_told(table):
        findings += (giving_way := list(of_duplicates(table, duplicates.find(connection, table))))
        lost += sum(finding.count or 0 for finding in giving_way)
    orphaned = list(_of_orphans(connection, plan, table, found))
    findings += orphaned
    if found.complete and (not table.created or plan.foreign_keys is ForeignKeys.ENFORCE):
        lost += sum(finding.count or 0 for finding in orphaned)
    return Looked(table, found.rows, found.complete, lost, tuple(findings))


def over_the_ratio(looked: Looked, further: int) -> Iterator[Finding]:
    """Whether more rows are lost than may be; `further` are those that PostgreSQL alone refuses."""
    table, rows = looked.table, looked.rows
    lost = min(rows, looked.lost + further)
    if lost <= table.max_reject_ratio * rows:
        return
    lines, advice = {"max_reject_ratio": f"{math.ceil(lost / rows * 100 + 1) / 100:g}"}, _MEND_OR_LET
    if _is_too_many(lost, rows):
        lines, advice = {}, _MEND
    of = "rows" if looked.complete else "rows looked at"
    yield Finding(
        # The bad rows of a table often lie together, at its beginning or its end: a sample proves nothing of the ratio.
        Gravity.BLOCKER if looked.complete else Gravity.WARNING,
        f"{lost} of {rows} {of} will be rejected, more than max_reject_ratio = {table.max_reject_ratio:g} allows",
        table.name,
        count=lost,
        lines=lines,
        advice=advice,
    )


def _is_too_many(lost: int, rows: int) -> bool:
    """Whether so many would stay behind that the mapping is wrong rather than the rows."""
    return lost > _TO_LET_GO * rows


def _of_fault(
    connection: SourceConnection, table: TablePlan, settings: TableConfig, fault: Fault, looked: Faults
) -> Finding:
    column = next((column for column in table.columns if column.name == fault.name), None)
    shown = tuple(f"{example.source_key}: {example.value}" for example in fault.examples)
    what, lines, advice = "", {}, ""
    match fault.kind:
        case "null":
            what = "NULL, where the target wants a value"
            lines = _filled(connection, table, settings, fault.name)
            if not lines:
                left_out = _left_out(table, f"{_expression(table, fault.name)} IS NOT NULL")
                lines = left_out if _is_too_many(fault.count, looked.rows) else {}
                advice = f"Give them a value; or leave them out for good: where = {left_out['where']}"
        case "check":
            what, shown = f"check.{fault.name} is false", tuple(example.source_key for example in fault.examples)
            if _is_too_many(fault.count, looked.rows):
                condition = next(check.condition for check in table.checks if check.name == fault.name)
                lines = _left_out(table, f"{condition.strip()} IS NOT FALSE")
                advice = f"Write a check.{fault.name} that they pass; or leave them out for good, which these lines do"
        case "rounded":
            what = f"{column.type.name if column else ''} of the target rounds these values"
            advice = "Give the target's column a larger scale, where the digits matter"
        case _:
            what, lines, advice = _unfit(connection, table, fault.name, sample=not looked.complete)
    gravity = Gravity.NOTE if fault.kind == "rounded" else Gravity.WARNING
    return Finding(gravity, what, table.name, fault.name, fault.count, shown, lines, advice=advice)


def _unfit(
    connection: SourceConnection, table: TablePlan, name: str, *, sample: bool
) -> tuple[str, dict[str, str], str]:
    type_ = next(column.type for column in table.columns if column.name == name)
    what = f"values that {type_.name} cannot hold exactly"
    if table.created and type_.name == "text":
        return what, {}, f"Mend them in the source, or write column.{name} = an SQLite expression that does"
    if name == table.time_column:
        return what, {}, _WITHOUT_TIME
    if table.created:
        wider = () if type_.origin else _WIDER.get(type_.base, ())
        found = faults.holding(connection, table, name, wider, sample=sample)
        return what, {f"type.{name}": found}, _GIVE_UP if found == "text" else "This type holds them all"
    alter = f'ALTER TABLE "{table.target}" ALTER COLUMN "{name}" TYPE ...'
    return what, {}, f"Give the target's column a type that holds them: {alter}"


def _filled(connection: SourceConnection, table: TablePlan, settings: TableConfig, name: str) -> dict[str, str]:
    """An expression for the column that fills the gaps with what the others mostly hold.

    Empty where that would be an invention: a moment, or a key by which a row would take the place of another.
    """
    column = next(column for column in table.columns if column.name == name)
    bare = bare_name(column.expression)
    if bare is None or table.key == (name,) or column.type.base in MOMENTS:
        return {}
    value = commonest.literal(connection, table.name, column.expression)
    filling = f"coalesce({written(bare)}, {value})"
    if value is None or (name in table.key and duplicates.would_share(connection, table, name, filling)):
        return {}
    lines = {f"column.{name}": filling}
    if bare.lower() != name.lower():
        # It was renamed; beside an expression it would be carried under its own name as well.
        lines["exclude"] = listed(dict.fromkeys([*settings.exclude, bare]))
    return lines


def _expression(table: TablePlan, name: str) -> str:
    return next(column.expression for column in table.columns if column.name == name)


def _left_out(table: TablePlan, condition: str) -> dict[str, str]:
    """The table's condition, narrowed by another, on one line."""
    narrower = condition if table.where == "1" else f"{table.where} AND {condition}"
    return {"where": " ".join(narrower.split())}


def of_duplicates(table: TablePlan, pairs: doubles.Pairs) -> Iterator[Finding]:
    """What to say of rows that give way to others."""
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


def _of_orphans(connection: SourceConnection, plan: Plan, table: TablePlan, looked: Faults) -> Iterator[Finding]:
    by_target = {other.target: other for other in plan.tables}
    for key in table.foreign_keys:
        parent = by_target.get(key.parent)
        if parent is None or not orphans.is_countable(table, key, parent):
            yield _uncounted(table, key)
        elif (found := orphans.find(connection, table, key, parent)).count:
            too_many = looked.complete and _is_too_many(found.count, looked.rows)
            yield _orphaned(plan, table, found, _with_parents(table, key, parent) if too_many else {})


def _uncounted(table: TablePlan, key: ForeignKeyPlan) -> Finding:
    columns = ", ".join(key.columns)
    said = f"({columns}) references {key.parent}, which is not read here: orphans were not counted"
    return Finding(Gravity.NOTE, said, table.name)


def _with_parents(table: TablePlan, key: ForeignKeyPlan, parent: TablePlan) -> dict[str, str]:
    """A condition that leaves the orphans out."""
    own = [_expression(table, name) for name in key.columns]
    theirs = ", ".join(_expression(parent, name) for name in key.parent_columns)
    among = f"SELECT {theirs} FROM {written(parent.name)} WHERE {parent.where}"
    missing = " OR ".join(f"{expression} IS NULL" for expression in own)
    return _left_out(table, f"({missing} OR ({', '.join(own)}) IN ({among}))")


def _orphaned(plan: Plan, table: TablePlan, found: Orphans, left_out: dict[str, str]) -> Finding:
    columns = ", ".join(found.key.columns)
    said = f"rows whose ({columns}) is in no row of {found.key.parent}"
    shown = tuple(f"{key}: {values}" for key, values in found.examples)
    if not table.created:
        advice = "They are rejected, and land by themselves once their parents are there"
        return _waiting(said, table, found, shown, left_out, advice)
    if plan.foreign_keys is ForeignKeys.ENFORCE:
        advice = "foreign_keys = enforce rejects them until their parents are there"
        return _waiting(said, table, found, shown, left_out, advice)
    advice = "All rows land, and the foreign key is not created; foreign_keys = enforce rejects these rows instead"
    return Finding(Gravity.WARNING, said, table.name, columns, found.count, shown, advice=advice)


def _waiting(
    said: str, table: TablePlan, found: Orphans, shown: tuple[str, ...], left_out: dict[str, str], advice: str
) -> Finding:
    """Orphans that are rejected; `left_out` are the lines that leave them out where they are too many."""
    if left_out:
        advice += f"; these lines leave {found.count} of the table's rows behind instead"
    columns = ", ".join(found.key.columns)
    return Finding(Gravity.WARNING, said, table.name, columns, found.count, shown, left_out, advice=advice)
