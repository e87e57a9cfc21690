"""A small application: tables of every kind, the steps that it may take, and what the target must hold of them."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any

import psycopg
from hypothesis import strategies as st
from psycopg import sql

from tests.plugins.source import Writer

Row = tuple[Any, ...]
Rows = list[tuple[str | None, ...]]
Script = str
"""Statements of one step of the application, with semicolons between them."""
Scripts = st.SearchStrategy[Script]


@dataclass(frozen=True)
class Table:
    """A table, its settings, and what the application does to it.

    `further` is what the target has beside the columns: where it comes from, and its name there. `rejected` asks for
    the keys of the rows that the target cannot hold.
    """

    script: str
    steps: tuple[Scripts, ...]
    settings: str = ""
    further: tuple[str, str] | None = None
    rejected: str = ""


_LATE = 9
"""A parent that children name before it is there. It stays from then on: where a child names a parent that was deleted,
its row lands if the delete was not yet applied, and holds that up."""


def _form(template: str, **parts: Scripts) -> Scripts:
    return st.builds(template.format, **parts)


def _plain(table: str) -> tuple[Scripts, ...]:
    """What may happen to any table with a rowid and a column `v`; the last row's rowid is given again."""
    return (
        _form(f"INSERT INTO {table} (v) VALUES ({{v}})", v=_value),
        _form(f"UPDATE {table} SET v = {{v}} WHERE rowid = {{id}}", v=_value, id=_key),
        _form(f"DELETE FROM {table} WHERE rowid = {{id}}", id=_key),
        _form(f"DELETE FROM {table} WHERE rowid = (SELECT max(rowid) FROM {table})"),
        _form(f"DELETE FROM {table}"),
    )


def _added(table: str) -> Scripts:
    return _form(f"ALTER TABLE {table} ADD COLUMN added TEXT{{d}}", d=st.sampled_from(["", " DEFAULT 'd'"]))


def _dated(table: str) -> tuple[Scripts, ...]:
    """Rows that tell when they were written, now and then in the same second as those before."""
    latest = f"SELECT max(updated_at) FROM {table}"
    now = st.sampled_from([f"({latest})", f"datetime(({latest}), '+1 second')"])
    return (
        _form(f"INSERT INTO {table} (v, updated_at) VALUES ({{v}}, {{now}})", v=_value, now=now),
        _form(f"UPDATE {table} SET v = {{v}}, updated_at = {{now}} WHERE id = {{id}}", v=_value, now=now, id=_key),
    )


_key = st.integers(1, 5).map(str)
_value = st.sampled_from(["'A'", "'B'", "'a'", "''", "NULL"])
_number = st.sampled_from(["1", "2", "NULL", "'bad'"])
_code = st.sampled_from(["'a'", "'b'", "'c'", "'d'", "'A'"])
_unique = st.sampled_from(["'p'", "'q'", "'r'", "NULL"])
_parent = st.integers(1, 4).map(str)
_moment = st.sampled_from(["NULL", "'2023-12-31 00:00:00'", "'2024-01-01 00:00:00'"])

TABLES = {
    "item": Table(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT, n INTEGER);"
        "INSERT INTO item VALUES (1, 'A', 1), (2, 'B', 2), (3, 'A', NULL);",
        (
            *_plain("item"),
            _form("INSERT INTO item (v, n) VALUES ({v}, {n})", v=_value, n=_number),
            _form("INSERT OR REPLACE INTO item (id, v, n) VALUES ({id}, {v}, {n})", id=_key, v=_value, n=_number),
            _form("UPDATE OR REPLACE item SET id = {new} WHERE id = {id}", new=_key, id=_key),
            _form("UPDATE item SET id = -id"),
            _form("UPDATE item SET n = {n} WHERE id = {id}", n=_number, id=_key),
        ),
        rejected="SELECT CAST(id AS TEXT) FROM item WHERE typeof(n) = 'text'",
    ),
    "doc": Table(
        "CREATE TABLE doc (code TEXT PRIMARY KEY, u TEXT UNIQUE, v TEXT);"
        "INSERT INTO doc VALUES ('a', 'p', 'A'), ('b', 'q', 'B'), ('c', NULL, 'A');",
        (
            _form("INSERT OR REPLACE INTO doc (code, u, v) VALUES ({code}, {u}, {v})", code=_code, u=_unique, v=_value),
            _form("UPDATE OR REPLACE doc SET u = {u} WHERE code = {code}", u=_unique, code=_code),
            _form("UPDATE OR REPLACE doc SET code = {new} WHERE code = {code}", new=_code, code=_code),
            _form("UPDATE doc SET v = {v} WHERE code = {code}", v=_value, code=_code),
            _form(
                "UPDATE doc SET u = 'x' WHERE u = 'p';UPDATE doc SET u = 'p' WHERE u = 'q';"
                "UPDATE doc SET u = 'q' WHERE u = 'x'"
            ),
            _form("DELETE FROM doc WHERE code = {code}", code=_code),
            _form("DELETE FROM doc"),
        ),
    ),
    "pair": Table(
        "CREATE TABLE pair (a TEXT, b INTEGER, v TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;"
        "INSERT INTO pair VALUES ('a', 1, 'A'), ('a', 2, 'B'), ('b', 1, 'A');",
        (
            _form("INSERT OR REPLACE INTO pair (a, b, v) VALUES ({a}, {b}, {v})", a=_code, b=_key, v=_value),
            _form("UPDATE OR REPLACE pair SET b = b + 1 WHERE a = {a}", a=_code),
            _form("DELETE FROM pair WHERE a = {a}", a=_code),
            _form("DELETE FROM pair"),
            _added("pair"),
        ),
    ),
    "loose": Table(
        "CREATE TABLE loose (a TEXT, v TEXT);INSERT INTO loose VALUES ('a', 'A'), ('a', 'A'), ('b', 'B');",
        (*_plain("loose"), _added("loose")),
        further=("rowid", "_syncd_rowid"),
    ),
    "parent": Table(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY, region TEXT);"
        "INSERT INTO parent VALUES (1, 'KR'), (2, 'US'), (3, 'KR');",
        (
            _form("INSERT OR REPLACE INTO parent (id, region) VALUES ({id}, {v})", id=_parent, v=_value),
            _form("UPDATE parent SET region = {v} WHERE id = {id}", id=_parent, v=_value),
            _form("UPDATE parent SET id = {new} WHERE id = {id}", new=_parent, id=_parent),
            _form("DELETE FROM parent WHERE id = {id}", id=_parent),
            _form(f"INSERT OR IGNORE INTO parent (id, region) VALUES ({_LATE}, {{v}})", v=_value),
        ),
    ),
    "child": Table(
        "CREATE TABLE child (id INTEGER PRIMARY KEY,"
        " parent INTEGER REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE, v TEXT);"
        "INSERT INTO child VALUES (1, 1, 'A'), (2, 2, 'B'), (3, 2, 'A');",
        (
            *_plain("child"),
            _form("INSERT OR REPLACE INTO child (id, parent, v) VALUES ({id}, {p}, {v})", id=_key, p=_parent, v=_value),
            _form("UPDATE child SET parent = {p} WHERE id = {id}", id=_key, p=_parent),
            _form(f"PRAGMA foreign_keys = OFF;INSERT INTO child (parent) VALUES ({_LATE});PRAGMA foreign_keys = ON"),
            _added("child"),
        ),
        rejected="SELECT CAST(id AS TEXT) FROM child WHERE parent NOT IN (SELECT id FROM parent)",
    ),
    "sale": Table(
        "CREATE TABLE sale (id INTEGER PRIMARY KEY, place INTEGER, v TEXT);"
        "INSERT INTO sale VALUES (1, 1, 'A'), (2, 2, 'B'), (3, 9, 'A');",
        (*_plain("sale"), _form("UPDATE sale SET place = {p} WHERE id = {id}", id=_key, p=_parent)),
        settings="[table:sale]\ncolumn.region = (SELECT region FROM parent p WHERE p.id = sale.place)\n",
        further=("(SELECT region FROM parent WHERE parent.id = place)", "region"),
    ),
    "revised": Table(
        "CREATE TABLE revised (id INTEGER PRIMARY KEY, v TEXT, updated_at TEXT);"
        "INSERT INTO revised VALUES (1, 'A', '2024-01-01 00:00:00'), (2, 'B', NULL);",
        (
            *_plain("revised"),
            *_dated("revised"),
            _form("UPDATE revised SET updated_at = {t} WHERE id = {id}", t=_moment, id=_key),
        ),
        settings="[table:revised]\nwatermark = date:updated_at\n",
    ),
    "stamped": Table(
        "CREATE TABLE stamped (id INTEGER PRIMARY KEY, v TEXT, updated_at TEXT NOT NULL);"
        "INSERT INTO stamped VALUES (1, 'A', '2024-01-01 00:00:00'), (2, 'B', '2024-01-01 00:00:00');",
        _dated("stamped"),
        settings="[table:stamped]\nwatermark = date:updated_at\n",
    ),
    "ledger": Table(
        "CREATE TABLE ledger (id INTEGER PRIMARY KEY, v TEXT);INSERT INTO ledger VALUES (1, 'A');",
        (_form("INSERT INTO ledger (v) VALUES ({v})", v=_value),),
    ),
    "fresh": Table("", (_form("CREATE TABLE IF NOT EXISTS fresh (id INTEGER PRIMARY KEY, v TEXT)"), *_plain("fresh"))),
    "the whole file": Table(
        "",
        (
            _form("VACUUM"),
            _form("PRAGMA wal_checkpoint({mode})", mode=st.sampled_from(["PASSIVE", "TRUNCATE"])),
            _form("PRAGMA journal_mode = {mode}", mode=st.sampled_from(["WAL", "DELETE"])),
        ),
    ),
}
MARKED = ("stamped", "ledger")
"""The tables whose marks show everything: a pass alone brings them up to date."""

_there_and_back = (
    ("INSERT INTO {t} (rowid, v) VALUES (100, 'A')", "DELETE FROM {t} WHERE rowid = 100"),
    ("UPDATE {t} SET v = 'x' || v", "UPDATE {t} SET v = substr(v, 2)"),
)


def steps(tables: Iterable[str]) -> Scripts:
    """Any step of the application, each table as likely as the others."""
    return st.one_of(*(st.one_of(*TABLES[name].steps) for name in tables))


def detours(tables: Iterable[str]) -> st.SearchStrategy[tuple[Script, Script]]:
    """A step of the application, and the one that undoes it."""
    plain = [name for name in tables if name in ("item", "loose", "child", "sale", "revised")]
    forms = [(there.format(t=name), back.format(t=name)) for name in plain for there, back in _there_and_back]
    return st.sampled_from(forms)


class Shop:
    """The application at work. A statement that SQLite refuses, by a constraint or a lock, changes nothing."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        writer.execute("PRAGMA foreign_keys = ON")

    def run(self, script: Script) -> None:
        for statement in script.split(";"):
            with suppress(sqlite3.IntegrityError, sqlite3.OperationalError):
                self._writer.execute(statement)

    def faults(self, dsn: str) -> list[str]:
        """What the target holds otherwise, rejects counted in, and the tables that stopped."""
        with closing(psycopg.connect(dsn, autocommit=True)) as connection:
            stopped = connection.execute("SELECT table_name, error FROM syncd.checkpoint WHERE phase = 'stopped'")
            return [
                *(f"{table}: stopped: {error}" for table, error in stopped),
                *chain.from_iterable(self._differences(connection, table) for table in self._tables()),
            ]

    def marked_faults(self, dsn: str) -> list[str]:
        """What the target holds otherwise of the tables whose marks show everything."""
        with closing(psycopg.connect(dsn, autocommit=True)) as connection:
            marked = [table for table in self._tables() if table in MARKED]
            return [*chain.from_iterable(self._differences(connection, table) for table in marked)]

    def _tables(self) -> list[str]:
        return [name for (name,) in self._writer.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]

    def _columns(self, table: str) -> list[str]:
        return [name for (name,) in self._writer.execute(f"SELECT name FROM pragma_table_info('{table}')")]

    def _differences(self, connection: psycopg.Connection[Row], table: str) -> list[str]:
        known = TABLES.get(table, Table("", ()))
        expected = {key for (key,) in self._writer.execute(known.rejected)} if known.rejected else set()
        rejected = {
            key for (key,) in connection.execute("SELECT source_key FROM syncd.reject WHERE table_name = %s", [table])
        }
        faults = [f"{table}: reject of {key} is missing" for key in expected - rejected]
        faults += [f"{table}: {key} is rejected" for key in rejected - expected]
        expression, column = known.further or (None, None)
        columns = self._columns(table)
        here = self._source_rows(table, [*columns, *([expression] if expression else [])])
        there = _target_rows(connection, table, [*columns, *([column] if column else [])])
        if known.rejected:
            here, there = ([row for row in rows if row[0] not in rejected] for rows in (here, there))
        if table == "parent":
            held = _held(connection)
            there = [row for row in there if row in here or row[0] not in held]
        if here != there:
            faults.append(f"{table}: {here} in the source, {there} in the target")
        return faults

    def _source_rows(self, table: str, names: list[str]) -> Rows:
        shown = ", ".join(f"CAST({name} AS TEXT)" for name in names)
        return sorted(self._writer.execute(f"SELECT {shown} FROM {table}"), key=repr)


def _target_rows(connection: psycopg.Connection[Row], table: str, names: list[str]) -> Rows:
    shown = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in names)
    query = sql.SQL("SELECT {} FROM {}").format(shown, sql.Identifier(table))
    return sorted(connection.execute(query).fetchall(), key=repr)


def _held(connection: psycopg.Connection[Row]) -> set[str]:
    """Parents to which the target's older rows of rejected children still refer: they wait."""
    query = (
        "SELECT parent::text FROM child WHERE id::text IN"
        " (SELECT source_key FROM syncd.reject WHERE table_name = 'child')"
    )
    return {parent for (parent,) in connection.execute(query)}
