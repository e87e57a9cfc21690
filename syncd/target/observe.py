"""What the target can tell of a move, by cheap reads that lock nothing; and the daemon's last report, for others."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from syncd.model import Mark, Phase, TableStatus
from syncd.target.control import Control
from syncd.target.database import Connection, translated
from syncd.target.sql import statement

_HYPERTABLES = (
    "SELECT hypertable_name, num_chunks, compression_enabled FROM timescaledb_information.hypertables"
    " WHERE hypertable_schema = %s"
)


@dataclass(frozen=True)
class Happening:
    """A row of `syncd.event`; `at` in ISO 8601, UTC."""

    number: int
    at: str
    level: str
    event: str
    table: str
    detail: str


@dataclass(frozen=True)
class RejectGroup:
    """Rejects of one cause: how many, some of their keys and one message; `line` is what to write into the INI."""

    table: str
    reason: str
    column: str
    rows: int
    keys: tuple[str, ...]
    message: str
    line: str = ""


@dataclass(frozen=True)
class Observed:
    """What one look told: the tables, what is asked of them, and the events after the one that was known."""

    tables: tuple[TableStatus, ...]
    controls: tuple[Control, ...]
    events: tuple[Happening, ...]


def look(connection: Connection, source_name: str, after: int = 0) -> Observed:
    """One statement: where every table stands, and events with a number above `after`, the newest 100 of them."""
    with translated():
        tables, controls, events = connection.execute(
            statement("observe"), {"source": source_name, "after": after}
        ).fetchall()[0]
    return Observed(
        tuple(_table(row) for row in tables),
        tuple(Control(**row) for row in controls),
        tuple(Happening(**row) for row in events),
    )


def _table(row: Mapping[str, Any]) -> TableStatus:
    mark = Mark(row["mark"].get("rowid"), row["mark"].get("moment"))
    rows, rejects = int(row["rows"]), int(row["rejects"])
    return TableStatus(row["table"], Phase(row["phase"]), rows, mark, rejects, row["error"], row["updated_at"])


def landmarks(connection: Connection, source_name: str, events: Iterable[str]) -> Mapping[str, tuple[str, str]]:
    """When each of these events came last, in ISO 8601, with its detail, in their order; those that never came are
    left out."""
    with translated():
        rows = connection.execute(statement("landmarks"), {"source": source_name, "events": list(events)}).fetchall()
    return {name: (at, detail) for name, at, detail in rows}


def reject_groups(connection: Connection, source_name: str) -> tuple[RejectGroup, ...]:
    """The rejects by their cause, the 50 largest groups."""
    with translated():
        rows = connection.execute(statement("reject_groups"), {"source": source_name}).fetchall()
    return tuple(RejectGroup(t, reason, column, n, tuple(keys), said) for t, reason, column, n, keys, said in rows)


def count_rows(connection: Connection, schema: str, table: str) -> int:
    """How many rows the table holds now."""
    with translated(table):
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))
        return int(connection.execute(query).fetchall()[0][0])


def hypertables(connection: Connection, schema: str) -> Mapping[str, str]:
    """The state of each hypertable in words, by the target's table; none without TimescaleDB."""
    with translated():
        there = connection.execute("SELECT to_regclass('timescaledb_information.hypertables') IS NOT NULL").fetchall()
        rows = connection.execute(_HYPERTABLES, [schema]).fetchall() if there[0][0] else []
    return {name: f"{chunks} chunks{', compressed' if compressed else ''}" for name, chunks, compressed in rows}


def publish(connection: Connection, source_name: str, report: Mapping[str, object]) -> None:
    """Leave the daemon's report for `status`, on this machine or another. A crash may lose the last one."""
    with translated():
        connection.execute(
            "WITH quick AS (SELECT set_config('synchronous_commit', 'off', true))"
            " INSERT INTO syncd.beat (source_name, report) SELECT %s, %s::jsonb FROM quick"
            " ON CONFLICT (source_name) DO UPDATE SET at = clock_timestamp(), report = excluded.report",
            [source_name, json.dumps(report)],
        )


def published(connection: Connection, source_name: str) -> tuple[float, Mapping[str, Any]] | None:
    """The daemon's last report and its age in seconds; None where there is none."""
    with translated():
        rows = connection.execute(
            "SELECT extract(epoch FROM clock_timestamp() - at)::float8, report FROM syncd.beat WHERE source_name = %s",
            [source_name],
        ).fetchall()
    return (max(rows[0][0], 0.0), rows[0][1]) if rows else None
