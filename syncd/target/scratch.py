"""A scratch schema for a rehearsal, gone afterwards with every trace of it."""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from psycopg import sql

from syncd.target.database import Connection, translated


@contextmanager
def schema(connection: Connection, like: str, tables: Iterable[str], source_name: str) -> Iterator[str]:
    """A new schema with empty tables like those of another one; their foreign keys are left out.

    At the end it is dropped, and what the state tells of the source of that name.
    """
    name = f"syncd_rehearsal_{secrets.token_hex(4)}"
    with translated():
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
        try:
            for table in tables:
                make = sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)")
                connection.execute(make.format(sql.Identifier(name, table), sql.Identifier(like, table)))
            yield name
        finally:
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))
            for table in ("touched", "settled", "reject"):
                query = sql.SQL("DELETE FROM {} WHERE source_name = %s").format(sql.Identifier("syncd", table))
                connection.execute(query, [source_name])
            connection.execute("DELETE FROM syncd.source WHERE name = %s", [source_name])
