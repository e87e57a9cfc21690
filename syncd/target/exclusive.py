"""Tables for ourselves alone, without making the whole application wait for one reader."""

import time
from collections.abc import Callable, Sequence

import psycopg
from psycopg import sql

from syncd.errors import TargetUnavailableError
from syncd.target.database import Connection, savepoint
from syncd.target.sql import statement
from syncd.wording import counted

PATIENCE_SECONDS = 60.0
_TRY = "500ms"
"""Every reader that comes meanwhile queues behind a lock that waits. It is less than PostgreSQL's deadlock_timeout: a
reader that we hold up in its turn gets what it wants, and none of both is ended."""


def take(connection: Connection, schema: str, tables: Sequence[str], waiting: Callable[[str], None]) -> None:
    """Lock the tables until the caller's transaction ends; nobody reads or writes them then.

    `waiting` is called after each try, the first time with who is in the way, and may raise: a session that keeps its
    transaction open must not keep us from ending. Raises TargetUnavailableError after a minute.
    """
    told = False
    names = sql.SQL(", ").join(sql.Identifier(schema, table) for table in tables)
    deadline = time.monotonic() + PATIENCE_SECONDS
    ((before,),) = connection.execute("SELECT current_setting('lock_timeout')").fetchall()
    _wait_at_most(connection, _TRY)
    while True:
        try:
            with savepoint(connection):
                connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(names))
        except psycopg.errors.LockNotAvailable:
            others = _others(connection, schema, tables)
            waiting("" if told else others)
            told = True
            if time.monotonic() > deadline:
                advice = "Let them end their transactions, or end them: SELECT pg_terminate_backend(...)"
                raise TargetUnavailableError(others, advice=advice) from None
        else:
            return _wait_at_most(connection, before)


def _wait_at_most(connection: Connection, duration: str) -> None:
    connection.execute("SELECT set_config('lock_timeout', %s, true)", [duration])


def _others(connection: Connection, schema: str, tables: Sequence[str]) -> str:
    """Who keeps one of the tables, in words."""
    rows = connection.execute(statement("keepers"), {"schema": schema, "tables": list(tables)}).fetchall()
    if not rows:
        return "sessions in PostgreSQL take the tables in turn"
    said = ", ".join(f"process {pid} of {role}" for pid, role in rows)
    return f"{counted(len(rows), 'session')} in PostgreSQL will not let go of the tables: {said}"
