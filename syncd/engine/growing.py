"""What changed in a table since it was loaded, taken up while it is kept current: new columns, another mapping."""

from collections.abc import Mapping
from dataclasses import replace

from syncd.engine.sides import Sides
from syncd.log import event
from syncd.model import Mark, Phase
from syncd.plan import ColumnPlan, Plan, TablePlan, drift
from syncd.target import ddl, proven
from syncd.target.database import Connection, transaction
from syncd.target.state import Checkpoint

NewColumns = Mapping[str, tuple[ColumnPlan, ...]]
"""The columns that changed tables are to get, none where only their mapping changed, by the source's table."""


def changed_tables(plan: Plan, known: Mapping[str, Checkpoint]) -> NewColumns:
    """The tables that are not what they were when they were loaded, where that can be taken up."""
    found = {
        table.name: drift.taken_up(before, table)
        for table in plan.tables
        if (checkpoint := known.get(table.name))
        and checkpoint.fingerprint != table.fingerprint
        and (before := checkpoint.definition)
    }
    return {name: columns for name, columns in found.items() if columns is not None}


def take_up(
    sides: Sides, connection: Connection, table: TablePlan, known: Checkpoint, columns: tuple[ColumnPlan, ...]
) -> Checkpoint:
    """Add the columns and forget how far the table has come, in one transaction; returns what it stands at then.

    A table that was there before is not altered: somebody has given it the columns, or left them out.

    The next pass reads all its rows again, as far as it has a mark, and the next sweep compares all of them, deletes
    included: no base holds the new values, or tells which rows belonged before.
    """
    begun = replace(
        known,
        phase=Phase.CATCHUP,
        fingerprint=table.fingerprint,
        definition=drift.Definition.of(table),
        mark=Mark(),
        base_snapshot=None,
        error="",
    )
    name, said = _told(table, known, columns)
    with transaction(connection):
        sides.state.confirm_epoch(connection)
        if table.created:
            ddl.add_columns(connection, sides.schema, table, columns)
        sides.state.save(connection, begun)
        proven.forget(connection, sides.state.source_name, [table.name])
        sides.state.record(connection, "WARNING", name, table.name, said)
    event("WARNING", name, f"{table.name}: taken up: {said}", table=table.name)
    return begun


def _told(table: TablePlan, known: Checkpoint, columns: tuple[ColumnPlan, ...]) -> tuple[str, str]:
    """The event, and what it tells."""
    if known.definition and known.definition.sql == drift.Definition.of(table).sql:
        return "mapping_changed", drift.told(known.definition, table)
    return "column_added", ", ".join(f"{c.name} {c.type.name}" for c in columns) or "none, by the configuration"
