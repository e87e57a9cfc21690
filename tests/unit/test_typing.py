"""Which type a column gets from its declared type and its values; the values are profiled by SQLite."""

from collections.abc import Sequence
from contextlib import closing

import apsw
import pytest

from syncd.model import affinity_of
from syncd.plan.typing import ColumnProfile, Profiled, TypeChoice, ValueKind, choose, family_of, precision_and_scale
from syncd.source import catalog
from syncd.source.profile import profile
from syncd.types import TargetType, rendering
from tests.plugins.values import ALL

ZONED, LOCAL = "timestamp with time zone", "timestamp without time zone"
DATES = ["'2024-01-31'", "'1999-12-31'"]
MOMENTS = ["'2024-01-31 12:00:00'", "'2024-01-31T12:00:00.25'"]
UUIDS = ["'0e37df36-f698-11e6-8dd4-cb9ced3df976'"]


def profiled(declared: str, values: Sequence[str], name: str = "v") -> ColumnProfile:
    """The complete profile of a column with these values, which are SQLite expressions."""
    with closing(apsw.Connection(":memory:")) as database:
        database.execute(f"CREATE TABLE t (id INTEGER PRIMARY KEY, {name} {declared})")
        for value in values:
            database.execute(f"INSERT INTO t ({name}) VALUES ({value})")
        table = catalog.read(database).tables[0]
        columns = [Profiled(name, name, affinity_of(declared), declared)]
        return profile(database, table, columns).column(name)


def chosen(declared: str, values: Sequence[str], name: str = "v") -> TypeChoice:
    return choose(declared, profiled(declared, values, name), complete=True)


@pytest.mark.parametrize(
    ("declared", "values", "type_name", "origin", "why"),
    [
        ("INTEGER", ["1", "2", "NULL"], "bigint", "", "declared INTEGER"),
        ("INTEGER", ["0", "1"], "bigint", "", "declared INTEGER"),
        ("INTEGER", ["1.5", "2"], "double precision", "", "no integer"),
        ("INTEGER", ["1.5", "9007199254740993"], "numeric", "", "no integer"),
        ("INTEGER", ["'x'", "2"], "text", "", "declared INTEGER, but 1 of 2 values are no integer: text"),
        ("INTEGER", [*["1"] * 99, "'x'"], "bigint", "", "declared INTEGER"),
        ("SMALLINT", ["1", "-16000"], "smallint", "", "declared SMALLINT"),
        ("TINYINT", ["16384"], "bigint", "", "room for values to grow"),
        ("INT4", ["1"], "bigint", "", "declared INT4"),
        ("BOOLEAN", ["0", "1", "'true'"], "boolean", "", "declared BOOLEAN"),
        ("BOOLEAN", ["0", "1", "2"], "bigint", "", "1 of 3 values are no truth value"),
        ("DATE", DATES, "date", "", "declared DATE"),
        ("DATE", ["'2024-01-31 00:00:00'", "'2024-01-31T00:00'"], "date", "", "declared DATE"),
        ("DATE", [*DATES, "'2024-01-31 12:30:00'"], LOCAL, "", "1 values have a time of day"),
        ("DATE", ["'2024-02-30'", "'soon'", "'2024-01-31'"], "text", "", "2 of 3 values are no date: text"),
        ("DATE", ["1700000000", "1600000000"], ZONED, "epoch_s", "2 values are Unix seconds"),
        ("DATETIME", MOMENTS, LOCAL, "", "declared DATETIME"),
        ("DATETIME", ["'2024-01-31T12:00:00Z'", "'2024-01-31 12:00:00+09:00'"], ZONED, "", "have a time zone"),
        ("DATETIME", ["1700000000", "1700000000.5"], ZONED, "epoch_s", "declared DATETIME; 2 values are Unix seconds"),
        ("DATETIME", ["1700000000000"], ZONED, "epoch_ms", "Unix milliseconds"),
        ("TIMESTAMP", ["1700000000000000"], ZONED, "epoch_us", "Unix microseconds"),
        ("TIMESTAMP", ["2460341.25", "2460341.5"], ZONED, "julian", "Julian days"),
        ("DATETIME", [*["1700000000"] * 200, "1700000000000"], "bigint", "", "no date and time: bigint"),
        ("DATETIME", ["1700000000", *MOMENTS], "text", "", "1 of 3 values are no date and time: text"),
        ("TIMESTAMPTZ", MOMENTS, ZONED, "", "declared TIMESTAMPTZ"),
        ("TIME", ["'12:30'", "'23:59:59.5'"], "time without time zone", "", "declared TIME"),
        ("JSON", ["'{\"a\": [1, 2]}'", "'[]'", "'\"x\"'", "5"], "jsonb", "", "declared JSON"),
        ("JSON", ["'{\"a\": 1, \"a\": 2}'", "'[]'"], "text", "", "1 of 2 values are no JSON"),
        ("JSON", [r"""'{"a": "\ud83d\ude00"}'"""], "jsonb", "", "declared JSON"),
        ("JSON", [r"""'["\ud83d"]'"""], "text", "", "no JSON"),
        ("JSON", [r"""'["\ude00"]'"""], "text", "", "no JSON"),
        ("JSON", [r"""'["a\u0000"]'"""], "text", "", "no JSON"),
        ("UUID", ["'0E37DF36-F698-11E6-8DD4-CB9CED3DF976'"], "uuid", "", "declared UUID"),
        ("GUID", ["x'0e37df36f69811e68dd4cb9ced3df976'"], "bytea", "", "no UUID"),
        ("NUMERIC(10,2)", ["1.25", "3", "0.1"], "numeric(10,2)", "", "declared NUMERIC(10,2)"),
        ("NUMERIC(10,2)", ["4.109999999", "3"], "numeric", "", "1 of 2 values have more digits"),
        ("NUMERIC(4,2)", ["100", "3"], "numeric", "", "1 of 2 values have more digits"),
        ("NUMERIC(10,2)", [*["1.5"] * 99, "4.109999999"], "numeric(10,2)", "", "declared NUMERIC(10,2)"),
        ("NUMERIC", ["1.5"], "numeric", "", "declared NUMERIC"),
        ("DECIMAL(10,2)", ["'n/a'", "1"], "text", "", "no finite number"),
        ("REAL", ["1.5", "9e999"], "double precision", "", "declared REAL"),
        ("VARCHAR(10)", ["'abcdefghijklmno'"], "text", "", "declared VARCHAR(10); SQLite enforces no length"),
        ("VARCHAR(10)", DATES, "text", "", "SQLite enforces no length"),
        ("BLOB", ["x'00ff'"], "bytea", "", "declared BLOB"),
        ("BLOB", ["'words'"], "text", "", "1 of 1 values are no blob: text"),
        ("TEXT", ["'a'", "''"], "text", "", "declared TEXT"),
        ("TEXT", DATES, "date", "", "declared TEXT; all 2 values are dates"),
        ("TEXT", [*DATES, "''"], "text", "", "declared TEXT"),
        ("TEXT", [*DATES, *MOMENTS], "text", "", "declared TEXT"),
        ("TEXT", MOMENTS, LOCAL, "", "dates with a time"),
        ("TEXT", ["'2024-01-31T12:00:00Z'"], ZONED, "", "the only value is"),
        ("TEXT", UUIDS, "uuid", "", "UUIDs"),
        ("TEXT", ["'0E37DF36-F698-11E6-8DD4-CB9CED3DF976'"], "text", "", "declared TEXT"),
        ("TEXT", ["'{}'", "'[1]'"], "jsonb", "", "JSON objects or arrays"),
        ("TEXT", ["'1'", "'2'"], "text", "", "declared TEXT"),
        ("", DATES, "date", "", "no declared type; all 2 values are dates"),
        ("", ["1", "2"], "bigint", "", "no declared type; values are integer (2)"),
        ("", ["1", "2.5"], "double precision", "", "values are integer (1), real (1)"),
        ("", ["9007199254740993", "2.5"], "numeric", "", "values are integer (1), real (1)"),
        ("", ["1", "'007'"], "text", "", "values are integer (1), text (1)"),
        ("", ["x'00'"], "bytea", "", "values are blob (1)"),
    ],
)  # fmt: skip
def test_declared_type_and_values_choose(
    declared: str, values: list[str], type_name: str, origin: str, why: str
) -> None:
    choice = chosen(declared, values)
    assert (choice.type, choice.origin) == (type_name, origin)
    assert why in choice.why


@pytest.mark.parametrize(
    ("declared", "type_name"),
    [
        ("", "text"), ("no such thing", "text"), ("VARCHAR(9)", "text"), ("INTEGER", "bigint"), ("INT2", "smallint"),
        ("BLOB", "bytea"), ("REAL", "double precision"), ("NUMERIC", "numeric"), ("DECIMAL(10,2)", "numeric(10,2)"),
        ("NUMERIC(5)", "numeric(5,0)"), ("DECIMAL(2,5)", "numeric"), ("BOOLEAN", "boolean"), ("DATE", "date"),
        ("DATETIME", LOCAL), ("TIMESTAMPTZ", ZONED), ("TIME", "time without time zone"), ("JSON", "jsonb"),
        ("UUID", "uuid"),
    ],
)  # fmt: skip
def test_without_values_the_declared_type_decides_alone(declared: str, type_name: str) -> None:
    assert chosen(declared, ["NULL"]).type == type_name


def test_a_column_named_bool_that_holds_bits_is_boolean() -> None:
    assert chosen("INTEGER", ["0", "1"], "bool_active").type == "boolean"
    assert chosen("INTEGER", ["0", "2"], "bool_active").type == "bigint"


def test_nothing_is_narrowed_from_a_sample_or_where_it_is_forbidden() -> None:
    dates = profiled("TEXT", DATES)
    assert choose("TEXT", dates, complete=False).type == "text"
    assert choose("TEXT", dates, complete=True, narrow=False).type == "text"
    assert choose("SMALLINT", profiled("SMALLINT", ["1"]), complete=False).type == "bigint"


@pytest.mark.parametrize("declared", ["", "TEXT", "INTEGER", "REAL", "NUMERIC"])
def test_a_single_value_gets_a_type_whose_guard_passes_it(declared: str) -> None:
    """But for text that no type can hold."""
    refused = []
    for value in dict.fromkeys(ALL):
        found = profiled(declared, [value])
        choice = choose(declared, found, complete=True)
        how = rendering("v", affinity_of(declared), TargetType(choice.type))
        with closing(apsw.Connection(":memory:")) as database:
            database.execute(f"CREATE TABLE t (v {declared})")
            database.execute(f"INSERT INTO t VALUES ({value})")
            passes = not database.execute(f"SELECT coalesce({how.careful_suspect}, 0) FROM t").fetchall()[0][0]
        if not passes and not found.of(ValueKind.NUL, ValueKind.INVALID):
            refused.append((value, choice))
    assert refused == []


def test_families_are_found_by_words() -> None:
    assert family_of("my date of birth").value == "date"
    assert family_of("UPDATED").value == ""
    assert precision_and_scale("VARCHAR(10)") is None
    assert precision_and_scale("DECIMAL( 10 , 5 )") == (10, 5)
