"""Forgetting tables that are gone from the source, once the configuration leaves them out; their rows stay."""

from collections.abc import Iterable

from syncd.engine.sides import Sides
from syncd.errors import SchemaError
from syncd.log import event
from syncd.plan import Plan
from syncd.target.database import Connection, transaction
from syncd.target.state import FORGOTTEN

STAYS = "its rows stay in PostgreSQL as they are, and are not compared"


def gone(table: str) -> SchemaError:
    """The error of a table that the source has no longer."""
    return SchemaError(
        "the source has this table no longer",
        where=table,
        advice=f"Make it anew there, or add {table} to [sync] skip: {STAYS}",
    )


def forget_gone(sides: Sides, connection: Connection, plan: Plan, known: Iterable[str]) -> tuple[str, ...]:
    """Forget those of the `known` tables that are gone and left out; returns which."""
    forgotten = tuple(sorted(set(plan.gone).intersection(known)))
    for table in forgotten:
        said = f"gone from the source, and left out by the configuration: {STAYS}"
        with transaction(connection):
            sides.state.confirm_epoch(connection)
            sides.state.forget(connection, table, said)
        event("WARNING", FORGOTTEN, f"{table}: {said}", table=table)
    return forgotten
