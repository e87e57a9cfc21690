"""Findings about what stands in the target already: labels, triggers, and names that are no table's."""

from collections.abc import Iterator, Mapping

from syncd.engine.check.findings import Finding, Gravity
from syncd.plan import Plan, TablePlan, TargetTable
from syncd.source import labels
from syncd.source.database import SourceConnection
from syncd.source.labels import Unlabelled
from syncd.target.database import Connection
from syncd.target.promoted import Promotion
from syncd.target.rules import Labels, Occupant, Rules, Trigger, occupants

_LONGEST_LABEL = 63
"""Bytes: https://www.postgresql.org/docs/current/datatype-enum.html"""


def of_names(connection: Connection, schema: str, plan: Plan) -> Iterator[Finding]:
    """Tables that cannot be created, as a view or something else has their name."""
    wanted = {table.target: table.name for table in plan.tables if table.created}
    for found in occupants(connection, schema, wanted):
        yield _occupied(wanted[found.name], found)


def _occupied(table: str, found: Occupant) -> Finding:
    return Finding(
        Gravity.BLOCKER,
        f"the target has a {found.kind} of the name {found.name}, so the table cannot be created",
        table,
        lines={"target": f"{found.name}_table"},
        advice=f"Move it away: {found.rename}; or let the table have another name",
    )


def of_promotions(
    promotions: Mapping[str, Promotion], there: Mapping[str, TargetTable], plan: Plan
) -> Iterator[Finding]:
    """Tables that PostgreSQL took over, from this source or another one."""
    for table in plan.tables:
        if table.target in there and (taken := promotions.get(table.target)):
            yield Finding(
                Gravity.BLOCKER,
                f"PostgreSQL took over {table.target} at {taken.at} from {taken.source_name}",
                table.name,
                advice="Write to PostgreSQL; a source of other data needs tables of its own: [target] schema or target",
            )


def of_labels(connection: SourceConnection, plan: Plan, rules: Mapping[str, Rules]) -> Iterator[Finding]:
    """Values for columns of an enum type that are none of its labels; reads the whole of such tables."""
    for table in plan.tables:
        if table.created:
            continue
        given = {column.name for column in table.columns}
        for one in rules.get(table.target, Rules()).labels:
            if one.column in given and (found := labels.find(connection, table, one.column, one.labels)).count:
                yield _unlabelled(table, one, found)


def _unlabelled(table: TablePlan, one: Labels, found: Unlabelled) -> Finding:
    quoted = [_literal(value) for value in found.values]
    known = ", ".join(map(_literal, one.labels))
    adding = "; ".join(
        f"ALTER TYPE {one.type} ADD VALUE {value}"
        for value, text in zip(quoted, found.values, strict=True)
        if len(text.encode()) <= _LONGEST_LABEL
    )
    writing = f"write column.{one.column} = an SQLite expression that gives {known}"
    return Finding(
        Gravity.BLOCKER,
        f"values that are no label of {one.type}: {', '.join(quoted)}",
        table.name,
        one.column,
        found.count,
        tuple(f"{key}: {value}" for key, value in found.examples),
        advice=f"Add the labels: {adding}; or {writing}" if adding else f"W{writing[1:]}",
    )


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def of_triggers(plan: Plan, rules: Mapping[str, Rules]) -> Iterator[Finding]:
    """Triggers that may change or refuse rows."""
    for table in plan.tables:
        for trigger in () if table.created else rules.get(table.target, Rules()).triggers:
            yield _triggered(table, trigger)


def _triggered(table: TablePlan, trigger: Trigger) -> Finding:
    return Finding(
        Gravity.WARNING,
        f"the trigger {trigger.name} may change or refuse rows, which verify then tells as differences:"
        f" {trigger.definition}",
        table.name,
        advice=f"Let the source's rows land as they are: {trigger.disable}; enable it after the cutover",
    )
