"""The tables of the target that PostgreSQL took over: `syncd.promoted`. From no source are they written to again.

They are known by name: whatever becomes of the file that they came from, they are what a copy of it, a backup, or the
file itself under another name would write to.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from syncd.target.database import Connection, translated
from syncd.target.lock import CHANNEL


@dataclass(frozen=True)
class Promotion:
    """From which source a table was taken over, and when, in ISO 8601, UTC."""

    source_name: str
    at: str


def note(connection: Connection, source_name: str, schema: str, tables: Iterable[str]) -> None:
    """These tables are taken over when the caller's transaction commits.

    Daemons of other sources then take up their work anew, and find out whether it went into one of them.
    """
    connection.execute(
        "INSERT INTO syncd.promoted (schema_name, table_name, source_name) SELECT %s, unnest(%s::text[]), %s"
        " ON CONFLICT (schema_name, table_name) DO UPDATE SET source_name = excluded.source_name, at = excluded.at",
        [schema, list(tables), source_name],
    )
    connection.execute("SELECT pg_notify(%s, name) FROM syncd.source WHERE name <> %s", [CHANNEL, source_name])


def forget(connection: Connection, schema: str, table: str) -> None:
    """The table is made anew: what was taken over under its name was dropped."""
    connection.execute("DELETE FROM syncd.promoted WHERE schema_name = %s AND table_name = %s", [schema, table])


def tables(connection: Connection, schema: str) -> Mapping[str, Promotion]:
    """The tables of a schema that were taken over, by name; some of them may have been dropped since."""
    with translated():
        # A command that only looks may meet the schema of an older release, or none.
        if not connection.execute("SELECT to_regclass('syncd.promoted') IS NOT NULL").fetchall()[0][0]:
            return {}
        rows = connection.execute(
            "SELECT table_name, source_name, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
            " FROM syncd.promoted WHERE schema_name = %s",
            [schema],
        ).fetchall()
    return {table: Promotion(source_name, at) for table, source_name, at in rows}
