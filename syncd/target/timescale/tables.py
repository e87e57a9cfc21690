"""What TimescaleDB holds: hypertables with their chunks and settings, continuous aggregates, jobs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg import sql

from syncd.target.database import Connection, translated
from syncd.target.sql import statement
from syncd.target.timescale import detection


@dataclass(frozen=True)
class Hypertable:
    """A hypertable as it is. `interval` is that of its chunks as text; of an integer time column a whole number.

    `order_by` has each column with whether it descends. Bytes are those of its chunks before and after compression.
    """

    name: str
    time_column: str
    interval: str
    integer_now: str | None
    compression: bool
    segment_by: tuple[str, ...]
    order_by: tuple[tuple[str, bool], ...]
    chunks: int
    compressed_chunks: int


@dataclass(frozen=True)
class Sizes:
    """Bytes of a hypertable, indexes included: all of it, and its compressed chunks before and after."""

    total: int
    before: int | None
    after: int | None


@dataclass(frozen=True)
class Job:
    """A policy: `relation` is its hypertable or aggregate, `kind` compression, retention or refresh.

    `after` is the interval of a compression or retention policy, as text.
    """

    id: int
    relation: str
    kind: str
    after: str
    every: str
    scheduled: bool
    last_status: str
    last_run: datetime | None
    last_error: str


def hypertables(connection: Connection, schema: str) -> Mapping[str, Hypertable]:
    """Every hypertable of a schema by its name."""
    if not detection.is_installed(connection):
        return {}
    with translated():
        rows = connection.execute(statement("hypertables"), {"schema": schema}).fetchall()
    return {
        name: Hypertable(
            name, time, interval, now, compression, tuple(segment), tuple((n, bool(down)) for n, down in order), *counts
        )
        for name, time, interval, now, compression, segment, order, *counts in rows
    }


def uncompressed_before(connection: Connection, schema: str, table: str, before: str) -> tuple[str, ...]:
    """The chunks that end before a moment, or before a number, and are not compressed; the oldest first.

    `before` is an SQL expression of timestamptz, or of bigint where the time column is an integer.
    """
    query = sql.SQL(
        "SELECT format('%I.%I', chunk_schema, chunk_name) FROM timescaledb_information.chunks"
        " WHERE hypertable_schema = {schema} AND hypertable_name = {table} AND NOT is_compressed"
        " AND coalesce(range_end <= {moment}, range_end_integer <= {number}) ORDER BY range_start, range_start_integer"
    )
    is_number = before.startswith("(")
    with translated(table):
        rows = connection.execute(
            query.format(
                schema=sql.Literal(schema),
                table=sql.Literal(table),
                moment=sql.SQL("NULL::timestamptz" if is_number else before),
                number=sql.SQL(before if is_number else "NULL::bigint"),
            )
        ).fetchall()
    return tuple(name for (name,) in rows)


def sizes(connection: Connection, timescale: detection.Timescale, schema: str, table: str) -> Sizes:
    """How many bytes a hypertable takes."""
    query = sql.SQL(
        "SELECT {}(c.oid), s.before, s.after FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,"
        " LATERAL (SELECT sum(before_compression_total_bytes)::bigint AS before,"
        " sum(after_compression_total_bytes)::bigint AS after FROM {}(c.oid)) AS s"
        " WHERE n.nspname = %s AND c.relname = %s"
    ).format(timescale.function("hypertable_size"), timescale.function("hypertable_compression_stats"))
    with translated(table):
        return Sizes(*connection.execute(query, [schema, table]).fetchall()[0])


def aggregates(connection: Connection, schema: str) -> Mapping[str, str]:
    """The continuous aggregates of a schema: the query of each, as PostgreSQL writes it, by its name."""
    if not detection.is_installed(connection):
        return {}
    with translated():
        rows = connection.execute(
            "SELECT view_name::text, view_definition FROM timescaledb_information.continuous_aggregates"
            " WHERE view_schema = %s",
            [schema],
        ).fetchall()
    return dict(rows)


def jobs(connection: Connection, schema: str) -> tuple[Job, ...]:
    """The policies of the hypertables and aggregates of a schema, with what became of their last runs."""
    if not detection.is_installed(connection):
        return ()
    with translated():
        rows = connection.execute(statement("jobs"), {"schema": schema}).fetchall()
    return tuple(Job(*row) for row in rows)


def refreshed_years(connection: Connection, schema: str, aggregate: str) -> tuple[tuple[str, str], ...]:
    """The first days of each year, and of the one after it, that chunks below an aggregate span; none of the years
    before 1 or after 9999, and none where time is a number.
    """
    if not detection.is_installed(connection):
        return ()
    with translated(aggregate):
        rows = connection.execute(statement("years"), {"schema": schema, "aggregate": aggregate}).fetchall()
    return tuple(rows)
