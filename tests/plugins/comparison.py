"""An independent full comparison: every row of an SQLite file against every row of a PostgreSQL database.

It shares no code with syncd. The file is read by the standard library in a process of its own, after its writers ended.
"""

import json
import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

Row = tuple[Any, ...]

_READER = """
import pickle, sqlite3, sys
database = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
tables = [name for name, in database.execute(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'")]
found = {}
for table in tables:
    quoted = '"' + table.replace('"', '""') + '"'
    cursor = database.execute(f"SELECT * FROM {quoted}")
    found[table] = ([column[0] for column in cursor.description], cursor.fetchall())
sys.stdout.buffer.write(pickle.dumps(found))
"""

_SHOWN = 5


def _decimal(value: Any) -> Decimal:
    return Decimal(repr(value))


def _canonical_json(value: Any) -> str:
    return json.dumps(json.loads(value) if isinstance(value, str) else value, sort_keys=True)


_FROM_SOURCE: dict[str, Callable[[Any], Any]] = {
    "bool": bool,
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "numeric": _decimal,
    "float8": float,
    "jsonb": _canonical_json,
}
"""What a value of SQLite is in each of PostgreSQL's types; types that are not named hold it as it is."""


def assert_every_row_is_equal(source: Path, dsn: str) -> None:
    """Compare all rows of all tables, both ways, duplicates counted."""
    faults = differences(source, dsn)
    assert not faults, "\n".join(faults)


def differences(source: Path, dsn: str) -> list[str]:
    """What the two sides do not have alike, in words; some rows of each table as examples."""
    faults = []
    with closing(psycopg.connect(dsn)) as connection:
        for table, (columns, rows) in rows_of(source).items():
            kinds, there = _target_rows(connection, table, columns)
            here = Counter(_converted(row, kinds) for row in rows)
            faults += [f"{table}: missing {row}" for row in list(here - there)[:_SHOWN]]
            faults += [f"{table}: extra {row}" for row in list(there - here)[:_SHOWN]]
            if here != there:
                faults.append(f"{table}: {here.total()} rows in the source, {there.total()} in the target")
    return faults


def rows_of(source: Path) -> dict[str, tuple[list[str], list[Row]]]:
    """Columns and rows of every table of an SQLite file."""
    ended = subprocess.run([sys.executable, "-c", _READER, source], stdout=subprocess.PIPE, check=True)
    found: dict[str, tuple[list[str], list[Row]]] = pickle.loads(ended.stdout)
    return found


def _target_rows(connection: psycopg.Connection[Row], table: str, columns: list[str]) -> tuple[list[str], Counter[Row]]:
    """The types of these columns, and how often each row is there."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    cursor = connection.execute(sql.SQL("SELECT {} FROM {}").format(names, sql.Identifier(table)))
    kinds = [_type_name(connection, column.type_code) for column in cursor.description or ()]
    return kinds, Counter(_hashable(row, kinds) for row in cursor)


def _type_name(connection: psycopg.Connection[Row], oid: int) -> str:
    known = connection.adapters.types.get(oid)
    return known.name if known else ""


def _hashable(row: Row, kinds: Iterable[str]) -> Row:
    pairs = zip(row, kinds, strict=True)
    return tuple(_canonical_json(value) if kind == "jsonb" and value is not None else value for value, kind in pairs)


def _converted(row: Row, kinds: Iterable[str]) -> Row:
    pairs = zip(row, kinds, strict=True)
    return tuple(
        _FROM_SOURCE[kind](value) if value is not None and kind in _FROM_SOURCE else value for value, kind in pairs
    )
