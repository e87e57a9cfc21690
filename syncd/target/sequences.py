"""Sequences and identities: the next row that the application inserts gets an id that nobody has had."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from psycopg import sql

from syncd.errors import StopError
from syncd.target.database import Connection, translated
from syncd.target.sql import statement

Floors = Mapping[tuple[str, str], int]
"""By table and column of the target: the highest value that SQLite has given there (`sqlite_sequence.seq`)."""


@dataclass(frozen=True)
class Sequence:
    """A sequence from which a column takes its values."""

    table: str
    column: str
    schema: str
    name: str
    may_be_set: bool


@dataclass(frozen=True)
class SequenceSet:
    """What a sequence was set to: its next value is the one after `value`."""

    sequence: str
    table: str
    column: str
    value: int


def used(connection: Connection, schema: str, tables: Iterable[str]) -> tuple[Sequence, ...]:
    """The sequences of these tables; those that count down are left alone."""
    with translated():
        rows = connection.execute(statement("sequences"), {"schema": schema, "tables": list(tables)}).fetchall()
    return tuple(Sequence(*row) for row in rows)


def set_all(connection: Connection, schema: str, tables: Iterable[str], floors: Floors) -> tuple[SequenceSet, ...]:
    """Set each sequence to the larger of the column's maximum and SQLite's counter, never back.

    Setting one cannot be rolled back; it is harmless, as nothing but gaps comes of it. Raises StopError where a
    sequence stands below its column afterwards, which is seen without using up a value.
    """
    done: dict[str, SequenceSet] = {}
    for one in used(connection, schema, tables):
        wanted = max(_highest(connection, schema, one), floors.get((one.table, one.column), 0))
        name = sql.Identifier(one.schema, one.name)
        if wanted > _given(connection, name):
            _set(connection, name, wanted)
        given = _given(connection, name)
        if given < wanted:
            raise StopError(f"the sequence stands at {given}, below {wanted}", where=f"{one.table}.{one.column}")
        done[f"{one.schema}.{one.name}"] = SequenceSet(f"{one.schema}.{one.name}", one.table, one.column, given)
    return tuple(done.values())


def _highest(connection: Connection, schema: str, one: Sequence) -> int:
    query = sql.SQL("SELECT coalesce(max({}), 0) FROM {}")
    with translated(one.table):
        rows = connection.execute(
            query.format(sql.Identifier(one.column), sql.Identifier(schema, one.table))
        ).fetchall()
    return int(rows[0][0])


def _given(connection: Connection, name: sql.Identifier) -> int:
    """The highest value that the sequence has given; one less than its first where it has given none."""
    query = sql.SQL("SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM {}").format(name)
    with translated():
        return int(connection.execute(query).fetchall()[0][0])


def _set(connection: Connection, name: sql.Identifier, value: int) -> None:
    with translated():
        connection.execute("SELECT setval(%s, %s)", [name.as_string(connection), value])
