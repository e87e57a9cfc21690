"""What a table's rows and indexes say about how it may be shaped."""

from collections.abc import Iterable
from dataclasses import dataclass

from psycopg import sql

from syncd.target.database import Connection, translated
from syncd.target.sql import statement
from syncd.target.timescale import detection


@dataclass(frozen=True)
class TableIndex:
    """An index: `columns` with whether each descends; empty names stand for expressions."""

    name: str
    table: str
    unique: bool
    valid: bool
    constraint: bool
    primary: bool
    columns: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class ForeignLink:
    """A foreign key from or to a table, and whether both ends are hypertables."""

    name: str
    table: str
    parent: str


@dataclass(frozen=True)
class Extent:
    """How many rows a table has, how many without a time, and how far apart the first and the last are, in seconds.

    `greatest` is the largest value of an integer time column, else 0.
    """

    rows: int
    without_time: int
    seconds: float
    greatest: int


def indexes(connection: Connection, schema: str) -> tuple[TableIndex, ...]:
    """Every index of the tables of a schema."""
    with translated():
        rows = connection.execute(statement("indexes"), {"schema": schema}).fetchall()
    return tuple(
        TableIndex(name, table, unique, valid, constraint, primary, tuple((column, down) for column, down in columns))
        for name, table, unique, valid, constraint, primary, columns in rows
    )


def taken_names(connection: Connection, schema: str) -> frozenset[str]:
    """The names of all relations of a schema: tables, indexes, sequences, views."""
    query = "SELECT relname::text FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(%s))"
    with translated():
        return frozenset(name for (name,) in connection.execute(query, [schema]).fetchall())


def foreign_links(connection: Connection, schema: str, table: str) -> tuple[ForeignLink, ...]:
    """The foreign keys of a table, and those that refer to it."""
    name = sql.Identifier(schema, table).as_string()
    with translated(table):
        rows = connection.execute(
            "SELECT conname, conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint"
            " WHERE contype = 'f' AND conparentid = 0 AND %(name)s::regclass IN (conrelid, confrelid)",
            {"name": name},
        ).fetchall()
    return tuple(ForeignLink(*row) for row in rows)


def extent(connection: Connection, schema: str, table: str, time: str, *, is_integer: bool) -> Extent:
    """Look at every row's time."""
    span = (
        "0::float"
        if is_integer
        else "coalesce(extract(epoch FROM max({0})::timestamp - min({0})::timestamp), 0)::float"
    )
    largest = "coalesce(max({0}), 0)::bigint" if is_integer else "0::bigint"
    query = sql.SQL(f"SELECT count(*), count(*) - count({{0}}), {span}, {largest} FROM {{1}}").format(
        sql.Identifier(time), sql.Identifier(schema, table)
    )
    with translated(table):
        return Extent(*connection.execute(query).fetchall()[0])


def distinct(connection: Connection, relation: sql.Composable, columns: Iterable[str]) -> tuple[int, ...]:
    """The rows of a relation, and in how many groups each further column divides them."""
    names = list(columns)
    groups = [sql.SQL("count(DISTINCT ({}))").format(_row(names[: n + 1])) for n in range(len(names))]
    query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join([sql.SQL("count(*)"), *groups]), relation)
    with translated():
        return tuple(connection.execute(query).fetchall()[0])


def _row(names: list[str]) -> sql.Composable:
    return sql.SQL("{}").format(sql.SQL(", ").join(map(sql.Identifier, names)))


def cache_bytes(connection: Connection) -> int:
    """How much memory PostgreSQL expects for what it reads: `effective_cache_size`."""
    with translated():
        query = "SELECT pg_size_bytes(current_setting('effective_cache_size'))"
        return int(connection.execute(query).fetchall()[0][0])


def largest_chunk(connection: Connection, schema: str, table: str) -> tuple[str, str] | None:
    """The largest chunk, by its schema and name; None where the table has none."""
    if not detection.is_installed(connection):
        return None
    with translated(table):
        rows = connection.execute(
            "SELECT chunk_schema::text, chunk_name::text FROM timescaledb_information.chunks"
            " WHERE hypertable_schema = %s AND hypertable_name = %s"
            " ORDER BY pg_relation_size(format('%%I.%%I', chunk_schema, chunk_name)::regclass) DESC LIMIT 1",
            [schema, table],
        ).fetchall()
    return (rows[0][0], rows[0][1]) if rows else None


def row_estimate(connection: Connection, schema: str, table: str) -> int:
    """About how many rows a table has, chunks included."""
    name = sql.Identifier(schema, table).as_string()
    with translated(table):
        rows = connection.execute(
            "SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint FROM pg_class c"
            " WHERE c.oid = %(name)s::regclass"
            " OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = %(name)s::regclass)",
            {"name": name},
        ).fetchall()
    return int(rows[0][0])
