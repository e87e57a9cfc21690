"""Live control: pausing and slowing down, kept in the state schema, so that it works from any machine and outlives a
restart. A NOTIFY wakes the daemon."""

from dataclasses import dataclass, replace

from syncd.target.database import Connection, transaction, translated
from syncd.target.state import State

CHANNEL = "syncd_control"
ALL_TABLES = ""


@dataclass(frozen=True)
class Control:
    """What somebody asked of one table, or of all where `table` is empty; `since` in ISO 8601."""

    table: str = ALL_TABLES
    paused: bool = False
    rows_per_second: int | None = None
    who: str = ""
    since: str = ""

    @property
    def is_needless(self) -> bool:
        """Whether it asks for nothing."""
        return not self.paused and self.rows_per_second is None


def read(connection: Connection, source_name: str) -> tuple[Control, ...]:
    """What is asked for now, that of all tables first."""
    with translated():
        rows = connection.execute(
            "SELECT table_name, paused, rows_per_second, who,"
            " to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
            " FROM syncd.control WHERE source_name = %s ORDER BY table_name",
            [source_name],
        ).fetchall()
    return tuple(Control(*row) for row in rows)


def pause(connection: Connection, state: State, table: str, who: str) -> None:
    """Let nothing more be applied to the table, or to any."""
    asked = replace(_of(connection, state, table), paused=True, who=who)
    _write(connection, state, asked, "paused", f"by {who}")


def resume(connection: Connection, state: State, table: str, who: str) -> None:
    """Take pauses back: the table's, or every one. A throttle stays."""
    with transaction(connection):
        for asked in read(connection, state.source_name):
            if asked.paused and table in (ALL_TABLES, asked.table):
                _put(connection, state, replace(asked, paused=False, who=who))
        _tell(connection, state, table, "resumed", f"by {who}")


def throttle(connection: Connection, state: State, table: str, rows_per_second: int | None, who: str) -> None:
    """Apply no more rows a second to the table, or to all together; None takes it back."""
    asked = replace(_of(connection, state, table), rows_per_second=rows_per_second, who=who)
    said = f"to {rows_per_second} rows/s by {who}" if rows_per_second else f"no longer, by {who}"
    _write(connection, state, asked, "throttled", said)


def _of(connection: Connection, state: State, table: str) -> Control:
    there = {asked.table: asked for asked in read(connection, state.source_name)}
    return there.get(table, Control(table))


def _write(connection: Connection, state: State, asked: Control, event: str, said: str) -> None:
    with transaction(connection):
        _put(connection, state, asked)
        _tell(connection, state, asked.table, event, said)


def _put(connection: Connection, state: State, asked: Control) -> None:
    if asked.is_needless:
        connection.execute(
            "DELETE FROM syncd.control WHERE source_name = %s AND table_name = %s", [state.source_name, asked.table]
        )
        return
    connection.execute(
        "INSERT INTO syncd.control (source_name, table_name, paused, rows_per_second, who) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (source_name, table_name) DO UPDATE SET paused = excluded.paused,"
        " rows_per_second = excluded.rows_per_second, who = excluded.who, since = clock_timestamp()",
        [state.source_name, asked.table, asked.paused, asked.rows_per_second, asked.who],
    )


def _tell(connection: Connection, state: State, table: str, event: str, said: str) -> None:
    state.record(connection, "WARNING", event, table, said)
    connection.execute("SELECT pg_notify(%s, %s)", [CHANNEL, state.source_name])
