"""A scratch schema for a rehearsal, gone afterwards with every trace of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from psycopg import sql

from syncd.target import sequences
from syncd.target.database import Connection, translated
from syncd.target.sql import statement


@contextmanager
def schema(connection: Connection, key: str, like: str, tables: Sequence[str], source_name: str) -> Iterator[str]:
    """A schema of that key with empty tables like those of another one; their foreign keys are left out.

    At the end it is dropped, and what the state tells of the source of that name; before, what a crash left of them.
    """
    name = f"syncd_rehearsal_{key}"
    with translated():
        _clear(connection, name, source_name)
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
        try:
            for table in tables:
                make = sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)")
                connection.execute(make.format(sql.Identifier(name, table), sql.Identifier(like, table)))
            _take_own_sequences(connection, name, tables)
            yield name
        finally:
            _clear(connection, name, source_name)


def _take_own_sequences(connection: Connection, name: str, tables: Sequence[str]) -> None:
    """LIKE copies defaults as they are: their `nextval` would count on in the sequences of the real tables."""
    own: dict[tuple[str, str], str] = {}
    for one in sequences.used(connection, name, tables):
        if one.schema == name:
            continue
        there = (one.schema, one.name)
        if there not in own:
            own[there] = f"syncd_sequence_{len(own)}"
            connection.execute(sql.SQL("CREATE SEQUENCE {}").format(sql.Identifier(name, own[there])))
        place = {"scratch": name, "table": one.table, "column": one.column}
        replaced = {"schema": one.schema, "sequence": one.name, "own": own[there]}
        ((default,),) = connection.execute(statement("own_default"), {**place, **replaced}).fetchall()
        query = sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET DEFAULT {}").format(
            sql.Identifier(name, one.table), sql.Identifier(one.column), sql.SQL(default)
        )
        connection.execute(query)


def _clear(connection: Connection, name: str, source_name: str) -> None:
    connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))
    for table in ("touched", "settled", "reject"):
        query = sql.SQL("DELETE FROM {} WHERE source_name = %s").format(sql.Identifier("syncd", table))
        connection.execute(query, [source_name])
    connection.execute("DELETE FROM syncd.source WHERE name = %s", [source_name])
