"""The tables of the target that other sources go into. No two may share one: rows do not tell where they came from.

A sweep would delete what its source has not, and two rows of one key would overwrite each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from syncd.errors import LockHeldError
from syncd.target.database import Connection, translated
from syncd.target.lock import Lock
from syncd.target.sql import statement
from syncd.target.state import State


@dataclass(frozen=True)
class Claim:
    """From which source, and from which of its tables, a table of the target is filled."""

    source_name: str
    table: str


def of_others(connection: Connection, source_name: str, schema: str) -> Mapping[str, Claim]:
    """What other sources have loaded into tables of that schema, by the target's table."""
    if not State(source_name).is_current(connection):
        # A command that only looks may meet the schema of an older release, which did not keep it.
        return {}
    with translated():
        rows = connection.execute(statement("claims"), {"source": source_name, "schema": schema}).fetchall()
    return {target: Claim(source, table) for target, source, table in rows}


def hold(connection: Connection, source_name: str, schema: str, target: str) -> Claim | None:
    """What another source has loaded into that table; until the caller's transaction ends no other can begin to."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"syncd {schema} {target}"])
    return of_others(connection, source_name, schema).get(target)


def inherit(connection: Connection, heir: State, table: str, claim: Claim) -> None:
    """Let a table of the heir's go on with the table of the target that the claim is of, in the caller's transaction.

    The source that had it forgets it; a syncd that works on it commits nothing more. Where another heir came first,
    there is nothing left to go on with. Raises LockHeldError where a syncd is at work on the source that had it.
    """
    source = State(claim.source_name)
    if Lock(connection, claim.source_name).is_held():
        raise LockHeldError(
            f"a syncd works on the source whose place {heir.source_name} is to take",
            where=claim.source_name,
            advice="Stop it first, if this is meant",
        )
    # Of two heirs at once the second waits here for the first one's commit.
    source.supersede(connection)
    names = {"heir": heir.source_name, "heirs_table": table, "source": claim.source_name, "table": claim.table}
    if connection.execute(statement("inherit"), names).rowcount:
        source.forget(connection, claim.table, f"{heir.source_name} took its place")
