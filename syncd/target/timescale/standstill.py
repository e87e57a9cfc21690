"""Keeping chunks as they are while one state of them is read."""

from psycopg import sql

from syncd.target.database import Connection, translated
from syncd.target.timescale import detection


def to_hold(connection: Connection, schema: str) -> tuple[sql.Identifier, ...]:
    """The hypertables of a schema whose chunks are to be held; not those that the role may only read."""
    if not detection.is_installed(connection):
        return ()
    with translated():
        rows = connection.execute(
            "SELECT hypertable_name FROM timescaledb_information.hypertables WHERE hypertable_schema = %s"
            " AND has_table_privilege(format('%%I.%%I', hypertable_schema, hypertable_name), 'UPDATE') ORDER BY 1",
            [schema],
        ).fetchall()
    return tuple(sql.Identifier(schema, name) for (name,) in rows)


def hold(connection: Connection, hypertables: tuple[sql.Identifier, ...]) -> None:
    """Let nobody compress or decompress a chunk before the transaction ends; others read and write on.

    Both move a chunk's rows in a way that a snapshot from before does not see: it finds the chunk empty. Both begin
    with an EXCLUSIVE lock of the chunk, which waits for ROW SHARE, and while it waits lets readers pass. Takes no
    snapshot, so it may come first in a transaction.
    """
    if hypertables:
        connection.execute(sql.SQL("LOCK TABLE {} IN ROW SHARE MODE").format(sql.SQL(", ").join(hypertables)))
