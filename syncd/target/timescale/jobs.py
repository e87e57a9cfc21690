"""Letting background jobs run, or not."""

from collections.abc import Iterable

from psycopg import sql

from syncd.target.database import Connection


def set_scheduled(connection: Connection, jobs: Iterable[int], *, scheduled: bool) -> None:
    """Let jobs run by their schedule, or not until further notice; in the caller's transaction."""
    rows = connection.execute(
        "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
        " WHERE e.extname = 'timescaledb'"
    ).fetchall()
    query = sql.SQL("SELECT {}(%s, scheduled => %s)").format(sql.Identifier(rows[0][0], "alter_job"))
    for job in jobs:
        connection.execute(query, [job, scheduled])
