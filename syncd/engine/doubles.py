"""Which rows give way to others with the same key in the target: told by SQLite or, where it cannot, by PostgreSQL."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from syncd.engine.comparing import batches
from syncd.engine.reading import TableReading
from syncd.engine.spool import Spool
from syncd.plan import TablePlan
from syncd.source import duplicates
from syncd.source.database import Database
from syncd.target.compare import Comparison
from syncd.target.database import Connection
from syncd.target.text_stage import duplicate_key
from syncd.target.trial import Trial

Pairs = list[tuple[str, str]]
"""The source keys of rows that give way, each with the winner's."""
_Lines = Iterable[tuple[bytes, int]]


def find(connection: Connection, schema: str, source: Database, plan: TablePlan) -> Pairs:
    """The rows of a table that give way, whether the target has it yet or not; the connection is in no transaction.

    Of a live file each batch of keys is read in a transaction of its own, which does not wait for PostgreSQL.
    """
    if (told := _told_by_source(source, plan)) is not None:
        return told
    keys = duplicates.keys(plan)
    with Trial.of(connection, schema, keys) as trial:
        return _among(trial.keys(), _lines(source, keys))


def find_within(connection: Connection, schema: str, source: Database, plan: TablePlan) -> Pairs:
    """As `find`, of a table that the target has, in the connection's transaction."""
    if (told := _told_by_source(source, plan)) is not None:
        return told
    keys = duplicates.keys(plan)
    comparison = Comparison(connection, schema, keys)
    found = _among(comparison, _lines(source, keys))
    comparison.empty()
    return found


def told_apart(
    connection: Connection, schema: str, reading: TableReading, spool: Spool, rejected: frozenset[str]
) -> TableReading:
    """The reading with the rows named that give way, and without the vanished keys that are those of other rows.

    What is `rejected` and not read again stays as it is.
    """
    comparison = Comparison(connection, schema, duplicates.keys(reading.plan))
    pairs = _among(comparison, ((spool.payload(held), held.rows) for held in reading.keys))
    claimed = comparison.claimed(reading.vanished) if reading.vanished else frozenset()
    known = rejected - reading.again
    return replace(
        reading,
        losers=frozenset(loser for loser, _ in pairs),
        duplicates=tuple(duplicate_key(loser, winner) for loser, winner in pairs if loser not in known),
        vanished=reading.vanished - claimed,
    )


def _told_by_source(source: Database, plan: TablePlan) -> Pairs | None:
    """What SQLite can tell; None where PostgreSQL is to be asked."""
    with source.reading() as connection:
        if duplicates.is_told(plan):
            return duplicates.find(connection, plan)
        return None if duplicates.is_possible(connection, plan) else []


def _among(comparison: Comparison, lines: _Lines) -> Pairs:
    """Those of keyed lines that hold the key alone; a key that does not fit its type is nobody else's."""
    for payload, rows in lines:
        if rows:
            comparison.fill(payload, rows)
    return comparison.doubles()


def _lines(source: Database, keys: TablePlan) -> Iterator[tuple[bytes, int]]:
    return ((batch.payload, batch.rows) for batch in batches(source, keys, normal_keys=False))
