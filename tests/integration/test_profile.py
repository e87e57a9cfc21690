"""The profile of a table's values, taken by SQLite itself; and PostgreSQL's own judgement of the forms it tells."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import psycopg
import pytest

from syncd.model import Table
from syncd.plan.typing import Profiled, TableProfile, ValueKind
from syncd.quoting import identifier
from syncd.source import catalog
from syncd.source.profile import confirm, examples, profile
from tests.plugins.values import ALL

_TYPES = {
    ValueKind.DATE: "date",
    ValueKind.MIDNIGHT: "timestamp",
    ValueKind.MOMENT: "timestamp",
    ValueKind.FINE_MOMENT: "timestamp",
    ValueKind.ZONED_MOMENT: "timestamptz",
    ValueKind.TIME: "time",
    ValueKind.UUID: "uuid",
    ValueKind.UPPER_UUID: "uuid",
    ValueKind.JSON: "jsonb",
    ValueKind.JSON_STRING: "jsonb",
    ValueKind.DECIMAL: "numeric",
    ValueKind.WORD: "boolean",
    ValueKind.EMPTY: "text",
    ValueKind.TEXT: "text",
}


@pytest.fixture
def source(tmp_path: Path) -> Iterator[apsw.Connection]:
    with closing(apsw.Connection(str(tmp_path / "source.db"))) as connection:
        yield connection


def looked_at(source: apsw.Connection, *, sample: int | None = None, where: str = "1") -> TableProfile:
    table = only_table(source)
    columns = [Profiled(c.name, identifier(c.name), c.affinity, c.declared_type) for c in table.columns]
    return profile(source, table, columns, sample=sample, where=where)


def only_table(source: apsw.Connection) -> Table:
    return catalog.read(source).tables[0]


def kind_of(source: apsw.Connection, value: str) -> ValueKind:
    source.execute("DROP TABLE IF EXISTS t; CREATE TABLE t (v)")
    source.execute(f"INSERT INTO t VALUES ({value})")
    (kind,) = looked_at(source).columns[0].counts
    return kind


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("NULL", ValueKind.NULL), ("1", ValueKind.BIT), ("-1", ValueKind.INTEGER), ("2460000", ValueKind.DAYS),
        ("1700000000", ValueKind.SECONDS), ("1700000000000", ValueKind.MILLISECONDS),
        ("1700000000000000", ValueKind.MICROSECONDS), ("9007199254740992", ValueKind.INTEGER),
        ("9007199254740993", ValueKind.WIDE), ("-9223372036854775808", ValueKind.WIDE),
        ("2460000.5", ValueKind.JULIAN), ("1700000000.5", ValueKind.REAL_SECONDS), ("-9e999", ValueKind.INFINITE),
        ("2.0", ValueKind.WHOLE), ("1e300", ValueKind.FRACTION), ("-0.0", ValueKind.WHOLE),
        ("'2024-02-29'", ValueKind.DATE), ("'2023-02-29'", ValueKind.TEXT), ("'0000-01-01'", ValueKind.TEXT),
        ("'2024-01-01 24:00'", ValueKind.TEXT), ("'2024-01-01T10:00'", ValueKind.MOMENT),
        ("'2024-01-01 10:00:00.123456'", ValueKind.FINE_MOMENT), ("'2024-01-01 10:00:00.1234567'", ValueKind.TEXT),
        ("'2024-01-01T10:00:00+09'", ValueKind.ZONED_MOMENT), ("'2023-02-29T10:00:00Z'", ValueKind.TEXT),
        ("'1.50'", ValueKind.DECIMAL), ("'-12'", ValueKind.DECIMAL), ("'007'", ValueKind.TEXT),
        ("'1e5'", ValueKind.TEXT), ("'1-2'", ValueKind.TEXT), ("'TRUE'", ValueKind.WORD), ("'yes'", ValueKind.TEXT),
        ("''", ValueKind.EMPTY), ("' '", ValueKind.TEXT), ("'a' || char(0)", ValueKind.NUL), ("'가나'", ValueKind.TEXT),
        ("CAST(x'e980' AS TEXT)", ValueKind.INVALID), ("CAST(x'80' AS TEXT)", ValueKind.INVALID),
        ("CAST(x'eda080' AS TEXT)", ValueKind.INVALID), ("CAST(x'c080' AS TEXT)", ValueKind.INVALID),
        ("char(65533)", ValueKind.TEXT), ("' {\"a\": 1}'", ValueKind.JSON), ("'{a: 1}'", ValueKind.TEXT),
        ("'[1e400000]'", ValueKind.TEXT), ("x''", ValueKind.BLOB),
    ],
)  # fmt: skip
def test_a_value_is_of_one_kind(source: apsw.Connection, value: str, kind: ValueKind) -> None:
    assert kind_of(source, value) is kind


@pytest.mark.parametrize("value", ["'2024-01-31'", "'2024-01-31T10:00:00Z'", "'가나'", "''", "'[1]'", "'a' || char(0)"])
def test_utf16_databases_tell_the_same_kinds(value: str, source: apsw.Connection) -> None:
    with closing(apsw.Connection(":memory:")) as wide:
        wide.execute("PRAGMA encoding = 'UTF-16le'")
        assert kind_of(wide, value) is kind_of(source, value)


def test_postgresql_takes_every_value_as_the_form_that_was_told(source: apsw.Connection, database: str) -> None:
    refused = []
    with closing(psycopg.connect(database, autocommit=True)) as target:
        for value in dict.fromkeys(ALL):
            kind = kind_of(source, value)
            if kind not in _TYPES:
                continue
            stored = source.execute("SELECT v FROM t").fetchall()[0][0]
            try:
                target.execute(f"SELECT %s::text::{_TYPES[kind]}", (stored,))
            except psycopg.Error as error:
                refused.append((value, kind, str(error)))
    assert refused == []


def test_counts_and_extremes_of_a_mixed_column(source: apsw.Connection) -> None:
    source.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v NUMERIC(6,2), w)")
    for value in ("NULL", "7", "-12345.5", "0.125", "1e-7", "99999", "'가나다'", "x'00ff'", "9e999"):
        source.execute(f"INSERT INTO t (v, w) VALUES ({value}, {value})")
    found = looked_at(source)
    assert (found.rows, found.complete) == (9, True)
    for name, misfits in (("v", 4), ("w", 0)):
        column = found.column(name)
        assert column.stored_as("text") == column.of(ValueKind.TEXT) == column.stored_as("blob") == 1
        assert (column.values, column.stored_as("null"), column.of(ValueKind.FRACTION)) == (8, 1, 3)
        assert (column.longest_characters, column.longest_bytes) == (3, 9)
        assert (column.least, column.greatest, column.decimals) == (-12345.5, 99999, 7)
        assert column.misfits == misfits + (name == "v")


def test_what_the_sample_misses_is_counted_all_the_same(source: apsw.Connection) -> None:
    """One row in 20,000 is unlike the others, in every column and in another way in each."""
    source.execute(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a DATE, b INTEGER, c NUMERIC(8,2), d REAL, e TEXT);"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
        "INSERT INTO t SELECT i, '2024-01-01', i, i + 0.25, i + 0.5, 'word' FROM n;"
        "UPDATE t SET a = 'soon', b = 'x', c = 0.12345, d = 9e999, e = x'00' WHERE id = 12347"
    )
    assert all(12347 not in (c.least, c.greatest) for c in looked_at(source, sample=1000).columns)
    a, b, c, d, e = looked_at(source).columns[1:]
    assert a.counts == {ValueKind.DATE: 19_999, ValueKind.TEXT: 1}
    assert (b.stored_as("integer"), b.of(ValueKind.TEXT), b.greatest) == (19_999, 1, 20_000)
    assert (c.decimals, c.misfits, c.least) == (5, 1, 0.12345)
    assert (d.of(ValueKind.INFINITE), d.greatest) == (1, 20_000.5)
    assert e.counts == {ValueKind.TEXT: 19_999, ValueKind.BLOB: 1}


def test_a_sample_is_bounded_and_spread(source: apsw.Connection) -> None:
    source.execute(
        "CREATE TABLE t (v INTEGER);"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) INSERT INTO t SELECT i FROM n"
    )
    found = looked_at(source, sample=500)
    assert (found.complete, found.columns[0].least, found.columns[0].greatest) == (False, 1, 30_000)
    assert 400 <= found.rows <= 500
    assert looked_at(source, sample=500) == found
    assert looked_at(source, sample=30_000).complete
    assert looked_at(source, where="v <= 10").rows == 10


def test_a_table_without_rowids(source: apsw.Connection) -> None:
    source.execute("CREATE TABLE t (k TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO t VALUES ('a', 1), ('b', 2)")
    assert (looked_at(source, sample=1).rows, looked_at(source, sample=1).complete) == (1, False)
    assert (looked_at(source, where="t.v = 2").rows, looked_at(source).complete) == (1, True)


def test_an_empty_table(source: apsw.Connection) -> None:
    source.execute("CREATE TABLE t (k)")
    found = looked_at(source)
    assert (found.rows, found.complete, found.columns[0].values) == (0, True, 0)


@pytest.mark.timeout(60)
def test_two_thousand_columns(source: apsw.Connection) -> None:
    names = [f"c{n}" for n in range(1999)]
    source.execute(f"CREATE TABLE t ({','.join(names)}, last NUMERIC(5,1))")
    source.execute(f"INSERT INTO t VALUES ({','.join(map(str, range(1999)))}, 'x')")
    found = looked_at(source)
    assert [c.greatest for c in found.columns[:-1]] == list(range(1999))
    assert found.columns[-1].of(ValueKind.TEXT) == 1


def test_suspects_are_counted_and_shown(source: apsw.Connection) -> None:
    source.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    for value in ("1", "'가' || char(10)", "x'00ff'", "9e999", "printf('%.100c', 'x')"):
        source.execute(f"INSERT INTO t (v) VALUES ({value})")
    table = only_table(source)
    conditions = {f"c{n}": f"id > {n}" for n in range(500)} | {"text": "typeof(v) = 'text'"}
    counts = confirm(source, table, conditions)
    assert (counts["c0"], counts["c3"], counts["text"], len(counts)) == (5, 2, 2, 501)
    shown = examples(source, "CAST(id AS TEXT)", table, "v", "id > 1", at_most=4)
    assert [example.source_key for example in shown] == ["2", "3", "4", "5"]
    assert [example.shown for example in shown] == [
        "CAST(X'EAB0800A' AS TEXT)", "X'00FF'", "9.0e+999", f"'{'x' * 40}'...",
    ]  # fmt: skip
