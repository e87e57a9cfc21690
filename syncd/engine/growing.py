"""New columns of the source, taken up by the tables that syncd created while it keeps them current."""

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
"""The columns that tables are to get, by the source's table."""


def new_columns(plan: Plan, known: Mapping[str, Checkpoint]) -> NewColumns:
    """The columns that tell tables from what they were when they were loaded, where nothing else does."""
    found = {
        table.name: drift.added(before, table)
        for table in plan.tables
        if (checkpoint := known.get(table.name))
        and checkpoint.fingerprint != table.fingerprint
        and (before := checkpoint.definition)
    }
    return {name: columns for name, columns in found.items() if columns is not None}


def add_columns(
    sides: Sides, connection: Connection, table: TablePlan, known: Checkpoint, columns: tuple[ColumnPlan, ...]
) -> Checkpoint:
    """Add the columns and forget how far the table has come, in one transaction; returns what it stands at then.

    A table that was there before is not altered: somebody has given it the columns, or left them out.

    The next pass reads all its rows again, as far as it has a mark, and the next sweep compares all of them: no base
    holds the new values.
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
    said = ", ".join(f"{column.name} {column.type.name}" for column in columns) or "none, by the configuration"
    with transaction(connection):
        sides.state.confirm_epoch(connection)
        if table.created:
            ddl.add_columns(connection, sides.schema, table, columns)
        sides.state.save(connection, begun)
        proven.forget(connection, sides.state.source_name, [table.name])
        sides.state.record(connection, "WARNING", "column_added", table.name, said)
    event("WARNING", "column_added", f"{table.name}: new columns are taken up: {said}", table=table.name)
    return begun
