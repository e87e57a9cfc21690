"""Whatever a source holds: each row lands as it is, or is refused."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from tests.plugins.moving import Move
from tests.plugins.postgres import Server, new_database
from tests.plugins.values import Stored, holds

TYPES = (
    "", "INTEGER", "INT", "TEXT", "VARCHAR(10)", "BLOB", "REAL", "NUMERIC", "DECIMAL(10,2)", "DECIMAL(40,20)",
    "BOOLEAN", "DATE", "DATETIME", "TIMESTAMPTZ", "TIME", "JSON", "UUID", "some thing odd",
)  # fmt: skip
STRICT_TYPES = ("INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY")
ODD_NAMES = (
    "id", "a b", 'quote " in it', "it's", "표 이름", "select", "order", "user", "rowid", "oid", "_rowid_", "Ab", "a,b",
    "100%", "%s", "%(a)s", "{}", "{a}", "--", "/*", "\\", "$1", "?", ":a", "[x]", "`", "a;b", "x" * 70, "é" * 40,
    "t", "new", "r", "said", "state", "col", "tried", "v0", "c0", "line", "suspect", "place", "key", "n", "merged",
)  # fmt: skip

VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-2, 300),
    st.floats(allow_nan=False),
    st.decimals(-1000, 1000, places=2).map(float),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.text("'\"\\,\n\r\t\0 .NUL", max_size=8),
    st.text("0123456789.-+eE_x", max_size=8),
    st.datetimes().map(str),
    st.dates().map(str),
    st.binary(max_size=8),
    st.uuids().map(str),
)


@dataclass(frozen=True)
class Drawn:
    """A table as Hypothesis drew it; `rows` are sent by the load, `later` by a pass."""

    name: str
    columns: tuple[tuple[str, str], ...]
    key: str
    options: str
    rows: list[tuple[Any, ...]]
    later: list[tuple[Any, ...]]

    @property
    def sql(self) -> str:
        members = [f"{quoted(name)} {declared}" for name, declared in self.columns] + [self.key] * bool(self.key)
        return f"CREATE TABLE {quoted(self.name)} ({', '.join(members)}) {self.options}"

    @property
    def is_found_by_passes(self) -> bool:
        """Whether each new row has a rowid above all others: where it is given by hand it need not."""
        by_hand = self.key.count('", "') == 0 and self.columns[0][1] == "INTEGER" and bool(self.key)
        return "WITHOUT" not in self.options and not by_hand


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@st.composite
def tables(draw: st.DrawFn, name: str) -> Drawn:
    strict = draw(st.booleans())
    names = draw(st.lists(st.sampled_from(ODD_NAMES), min_size=1, max_size=4, unique_by=str.lower))
    columns = [(n, draw(st.sampled_from(STRICT_TYPES if strict else TYPES))) for n in names]
    keyed = draw(st.integers(0, len(columns)))
    key = f"PRIMARY KEY ({', '.join(quoted(n) for n, _ in columns[:keyed])})" if keyed else ""
    without = bool(keyed) and draw(st.booleans())
    options = ", ".join(["STRICT"] * strict + ["WITHOUT ROWID"] * without)
    rows = st.lists(st.tuples(*(VALUES for _ in columns)), max_size=8)
    return Drawn(name, tuple(columns), key, options, draw(rows), draw(rows))


@st.composite
def sources(draw: st.DrawFn) -> list[Drawn]:
    names = draw(st.lists(st.sampled_from(ODD_NAMES), min_size=1, max_size=3, unique_by=str.lower))
    return [draw(tables(name)) for name in names]


@pytest.fixture(scope="module")
def target(server: Server) -> Iterator[str]:
    with new_database(server) as dsn:
        yield dsn


FILES = count()


@settings(
    max_examples=40,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(drawn=sources(), encoding=st.sampled_from(["UTF-8", "UTF-16le", "UTF-16be"]))
def test_every_row_lands_as_it_is_or_is_refused(target: str, tmp_path: Path, drawn: list[Drawn], encoding: str) -> None:
    folder = tmp_path / str(next(FILES))
    folder.mkdir()
    source = folder / "app.db"
    with closing(sqlite3.connect(source)) as database:
        database.execute(f"PRAGMA encoding = '{encoding}'")
        for table in drawn:
            database.execute(table.sql)
            insert(database, table, table.rows)
        database.commit()
    move = Move(source, target, folder)
    move.reset()
    assert [t.error for t in move.load().tables if t.error] == []
    for table in drawn:
        compare(move, table)
    with closing(sqlite3.connect(source)) as database:
        for table in drawn:
            if table.is_found_by_passes:
                insert(database, table, table.later)
        database.commit()
    assert [t.error for t in move.catch_up().tables if t.error] == []
    for table in drawn:
        compare(move, table)


def insert(database: sqlite3.Connection, table: Drawn, rows: list[tuple[Any, ...]]) -> None:
    """Insert those rows that SQLite takes."""
    marks = ", ".join("?" * len(table.columns))
    for row in rows:
        with suppress(sqlite3.IntegrityError):
            database.execute(f"INSERT INTO {quoted(table.name)} VALUES ({marks})", row)


def compare(move: Move, table: Drawn) -> None:
    """Every landed row is one of the source's, and the others of the source are refused."""
    types, shown = landed(move, table)
    columns = ", ".join(f"typeof({quoted(name)}), {quoted(name)}" for name, _ in table.columns)
    left = [
        tuple((kind.decode(), value) for kind, value in zip(row[::2], row[1::2], strict=True))
        for row in move.read(f"SELECT {columns} FROM {quoted(table.name)}")
    ]
    for row in shown:
        match = next((stored for stored in left if is_held(types, stored, row)), None)
        assert match is not None, f"{row} is no row of the source: {left}"
        left.remove(match)
    rejects = move.rejects(table.name)
    assert len(rejects) == len(left), f"{left} did not land, refused are {rejects}"
    assert all(r.reason and r.message and r.row_data for r in rejects)


def landed(move: Move, table: Drawn) -> tuple[list[str], list[tuple[str | None, ...]]]:
    """The target's types and its rows as text, in the order of the source's columns."""
    with closing(psycopg.connect(move.dsn, autocommit=True, options="-c timezone=UTC")) as connection:
        name = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            " AND left(relname, 20) = left(%s, 20)",
            [table.name],
        ).fetchall()[0][0]
        found = connection.execute(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
            " WHERE attrelid = format('public.%%I', %s::text)::regclass AND attnum > 0 AND attname <> '_syncd_rowid'"
            " ORDER BY attnum",
            [name],
        ).fetchall()
        columns = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(column)) for column, _ in found)
        rows = connection.execute(
            sql.SQL("SELECT {} FROM {}").format(columns, sql.Identifier("public", name))
        ).fetchall()
    return [type_ for _, type_ in found], rows


def is_held(types: list[str], stored: tuple[tuple[str, Stored], ...], shown: tuple[str | None, ...]) -> bool:
    return all(
        holds(type_, value, kind, text, rounds=False)
        for type_, (kind, value), text in zip(types, stored, shown, strict=True)
    )
