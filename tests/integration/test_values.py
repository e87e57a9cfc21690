"""Exact or rejected, never altered: every kind of value into every type, by each of the three ways."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from syncd import model
from syncd.plan import Carried, by_declared_type
from tests.plugins.moving import TOLERANT, Move
from tests.plugins.postgres import Server, new_database
from tests.plugins.values import ALL, Stored, holds

# All share what is sent once: let one worker have them.
pytestmark = pytest.mark.xdist_group("values")

DECLARED = (
    "", "ANY", "INTEGER", "INT", "BIGINT", "SMALLINT", "TEXT", "VARCHAR(3)", "CHAR(5)", "CLOB", "BLOB", "REAL",
    "DOUBLE PRECISION", "FLOAT", "NUMERIC", "DECIMAL(10,2)", "DECIMAL(20,3)", "DECIMAL(20,9)",
    "DECIMAL(30,15)", "NUMERIC(5)", "BOOLEAN", "DATE",
    "DATETIME", "TIMESTAMP", "TIMESTAMPTZ", "TIME", "JSON", "UUID", "STRING",
)  # fmt: skip
"""Declared types of tables that syncd creates."""

_NUMBERS = ("", "TEXT", "NUMERIC", "INTEGER", "REAL")
EXISTING = {
    **dict.fromkeys(("text", "varchar(3)", "char(5)", "name", '"char"', "json"), ("", "TEXT")),
    **dict.fromkeys(("bigint", "double precision", "numeric"), _NUMBERS),
    **dict.fromkeys(("smallint", "integer", "real", "numeric(10,2)", "numeric(5,-2)"), ("", "REAL")),
    **dict.fromkeys(
        ("varchar", "boolean", "date", "timestamp", "timestamptz", "time", "uuid", "jsonb", "bytea"), ("",)
    ),
    **dict.fromkeys(("timestamp(0)", "timestamp(3)", "timestamptz(0)", "time(0)", "time(1)"), ("TEXT",)),
}
"""Types of tables that are there before, each with the affinities of SQLite in which rendering differs."""

WAYS = ("straight", "plain", "stage", "pass")
"""Copied into an empty table; the same without the values that were refused; into a table with a row; by a pass."""


@dataclass(frozen=True)
class Column:
    """The column `v` of a source table of that name, and its type in the target."""

    table: str
    declared: str
    existing: str = ""


COLUMNS = [
    *(Column(f"created {declared}", declared) for declared in DECLARED),
    *(
        Column(f"{type_} of {a or 'BLOB'} affinity", a, type_)
        for type_, affinities in EXISTING.items()
        for a in affinities
    ),
]


@dataclass(frozen=True)
class Arrived:
    """What became of the values of one column, by their place in ALL."""

    type_name: str
    existing: bool
    stored: Mapping[int, tuple[str, Stored]]
    shown: Mapping[int, str | None]
    refused: frozenset[int]

    @property
    def altered(self) -> dict[str, str | None]:
        """The values that landed as something else."""
        return {ALL[key]: shown for key, shown in self.shown.items() if not self._holds(key)}

    def _holds(self, key: int) -> bool:
        kind, value = self.stored[key]
        return holds(self.type_name, value, kind, self.shown[key], rounds=self.existing)

    @property
    def unaccounted(self) -> set[str]:
        """The values that neither landed nor were refused, or both."""
        return {ALL[key] for key in self.stored if (key in self.shown) == (key in self.refused)}


class Trial:
    """All columns and values at once, sent by one of the ways."""

    def __init__(self, way: str, dsn: str, folder: Path, left_out: Mapping[str, frozenset[int]]) -> None:
        self.move = Move(folder / "app.db", dsn, folder)
        columns = [c for c in COLUMNS if way != "stage" or c.existing]
        # By its values such a column would become text: here every value meets the declared type.
        pinned = (
            f"[table:{c.table}]\ntype.v = {_declared_type(c)}\n" for c in columns if c.declared and not c.existing
        )
        self.move.configure(TOLERANT + "".join(pinned))
        for column in columns:
            if column.existing:
                self.move.execute(f"CREATE TABLE {_quoted(column.table)} (id bigint PRIMARY KEY, v {column.existing})")
                if way == "stage":
                    self.move.execute(f"INSERT INTO {_quoted(column.table)} VALUES (-1, NULL)")
        self.move.write(
            "".join(f"CREATE TABLE {_quoted(c.table)} (id INTEGER PRIMARY KEY, v {c.declared});" for c in columns)
        )
        if way == "pass":
            self.move.load()
        self._insert(columns, left_out)
        if way == "pass":
            self.move.catch_up()
        else:
            self.move.load()
        self.rejects = self.move.rejects()
        self.refused = {
            c.table: frozenset(int(r.source_key) for r in self.rejects if r.table == c.table) for c in columns
        }
        self.arrived = {c.table: self._look(c) for c in columns}

    def _insert(self, columns: list[Column], left_out: Mapping[str, frozenset[int]]) -> None:
        script = [
            "CREATE TEMP TABLE v (id, v);",
            *(f"INSERT INTO temp.v VALUES ({n}, {e});" for n, e in enumerate(ALL)),
        ]
        for column in columns:
            keys = ",".join(map(str, left_out.get(column.table, ())))
            script.append(f"INSERT INTO {_quoted(column.table)} SELECT * FROM temp.v WHERE id NOT IN ({keys});")
        self.move.write("BEGIN;" + "".join(script) + "COMMIT;")

    def _look(self, column: Column) -> Arrived:
        table = _quoted(column.table)
        (type_name,) = self.move.query(
            "SELECT format_type(atttypid, atttypmod) FROM pg_attribute"
            f" WHERE attrelid = '{table}'::regclass AND attname = 'v'"
        )[0]
        stored = {
            key: (kind.decode(), value) for key, kind, value in self.move.read(f"SELECT id, typeof(v), v FROM {table}")
        }
        shown = dict(self.move.query(f"SELECT id, v::text FROM {table} WHERE id >= 0"))
        return Arrived(type_name, bool(column.existing), stored, shown, self.refused[column.table])


def _declared_type(column: Column) -> str:
    value = Carried("v", "v", "BLOB", model.Column("v", column.declared))
    return by_declared_type(value)[0].name


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@pytest.fixture(scope="module")
def trials(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Trial]]:
    done: dict[str, Trial] = {}
    with ExitStack() as stack:
        for way in WAYS:
            left_out = done["straight"].refused if way == "plain" else {}
            done[way] = Trial(way, stack.enter_context(new_database(server)), tmp_path_factory.mktemp(way), left_out)
        yield done


EACH = [
    pytest.param(way, c.table, id=f"{way}-{c.table}") for way in WAYS for c in COLUMNS if way != "stage" or c.existing
]


@pytest.mark.parametrize(("way", "table"), EACH)
def test_no_value_is_altered(trials: Mapping[str, Trial], way: str, table: str) -> None:
    assert trials[way].arrived[table].altered == {}


@pytest.mark.parametrize(("way", "table"), EACH)
def test_every_value_lands_or_is_refused(trials: Mapping[str, Trial], way: str, table: str) -> None:
    assert trials[way].arrived[table].unaccounted == set()


def test_what_landed_lands_without_its_bad_neighbours(trials: Mapping[str, Trial]) -> None:
    assert {table: keys for table, keys in trials["plain"].refused.items() if keys} == {}


@pytest.mark.parametrize("way", ["stage", "pass"])
def test_each_way_refuses_the_same(trials: Mapping[str, Trial], way: str) -> None:
    differ = {
        table: {ALL[key] for key in keys ^ trials["straight"].refused[table]}
        for table, keys in trials[way].refused.items()
        if keys != trials["straight"].refused[table]
    }
    assert differ == {}


@pytest.mark.parametrize("way", ["straight", "stage", "pass"])
def test_each_refusal_names_column_reason_and_readable_row(trials: Mapping[str, Trial], way: str) -> None:
    nameless = [
        (r.table, ALL[int(r.source_key)], r)
        for r in trials[way].rejects
        if not (r.column == "v" and r.reason and r.message and r.row_data and r.row_data.startswith("{"))
    ]
    assert nameless == []


LANDS = [
    ("created TEXT", "'a\n\\.\nb'", "a\n\\.\nb"),
    ("created TEXT", "'NULL'", "NULL"),
    ("created TEXT", "''", ""),
    ("created TEXT", "'\ufeffabc'", "\ufeffabc"),
    ("created TEXT", "'it''s'", "it's"),
    ("created VARCHAR(3)", "'abcdef'", "abcdef"),
    ("created INTEGER", "9223372036854775807", "9223372036854775807"),
    ("created INTEGER", "-9223372036854775808", "-9223372036854775808"),
    ("created INTEGER", "'1.0'", "1"),
    ("bigint of REAL affinity", "1.0", "1"),
    ("bigint of TEXT affinity", "'5'", "5"),
    ("created REAL", "0.1 + 0.2", "0.30000000000000004"),
    ("created REAL", "9e999", "Infinity"),
    ("double precision of BLOB affinity", "-0.0", "-0"),
    ("created DECIMAL(10,2)", "123.45", "123.45"),
    ("created DECIMAL(20,3)", "5465313337994.856", "5465313337994.856"),
    ("created DECIMAL(20,9)", "-7553709.6258099", "-7553709.625809900"),
    ("created DECIMAL(30,15)", "-4997.3215016186", "-4997.321501618600000"),
    ("numeric(10,2) of REAL affinity", "123.456", "123.46"),
    ("numeric of TEXT affinity", "'123456789012345678901234567890.12345'", "123456789012345678901234567890.12345"),
    ("created BOOLEAN", "1", "true"),
    ("created BOOLEAN", "'false'", "false"),
    ("created DATE", "'2024-01-01'", "2024-01-01"),
    ("created DATE", "'2024-01-01T00:00'", "2024-01-01"),
    ("created DATETIME", "'2024-01-01T23:59:59.123456'", "2024-01-01 23:59:59.123456"),
    ("created DATETIME", "'2024-01-01 23:59'", "2024-01-01 23:59:00"),
    ("created TIMESTAMPTZ", "'2024-01-01T23:59:59.123456+05:30'", "2024-01-01 18:29:59.123456+00"),
    ("created TIMESTAMPTZ", "'2024-01-01 23:59:59'", "2024-01-01 23:59:59+00"),
    ("created TIME", "'23:59:59.123456'", "23:59:59.123456"),
    ("timestamp(3) of TEXT affinity", "'2024-01-01 23:59:59.123'", "2024-01-01 23:59:59.123"),
    ("time(0) of TEXT affinity", "'23:59:59.000'", "23:59:59"),
    ("real of REAL affinity", "123.456", "123.456"),
    ("real of REAL affinity", "3.4028235e38", "3.4028235e+38"),
    ("created BLOB", "x'ff00fe'", "\\xff00fe"),
    ("created JSON", "'{\"a\": 1}'", '{"a": 1}'),
    ("created UUID", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
]


@pytest.mark.parametrize(("table", "value", "shown"), LANDS)
def test_a_value_that_fits_lands(trials: Mapping[str, Trial], table: str, value: str, shown: str) -> None:
    assert trials["straight"].arrived[table].shown[ALL.index(value)] == shown


REFUSED = [
    ("created TEXT", "CAST(x'610062' AS TEXT)", "nul"),
    ("created TEXT", "CAST(x'61e9' AS TEXT)", "encoding"),
    ("created TEXT", "x'616263'", "value"),
    ("created INTEGER", "'abc'", "value"),
    ("created INTEGER", "1.5", "value"),
    ("created INTEGER", "''", "value"),
    ("created INTEGER", "'1_000'", "value"),
    ("created INTEGER", "'0x1F'", "value"),
    ("bigint of TEXT affinity", "'007'", "value"),
    ("smallint of BLOB affinity", "32768", "value"),
    ("created NUMERIC", "9e999", "value"),
    ("created NUMERIC", "'NaN'", "value"),
    ("created DECIMAL(10,2)", "123.456", "value"),
    ("created DECIMAL(10,2)", "1e10", "value"),
    ("double precision of TEXT affinity", "'9007199254740993'", "value"),
    ("created BOOLEAN", "2", "value"),
    ("created BOOLEAN", "'ye'", "value"),
    *(("created DATE", f"'{text}'", "value") for text in ("now", "May 5 99", "J2451187", "0000-00-00", "2024-02-30")),
    ("created DATE", "'2024-01-01 23:59'", "value"),
    ("created DATETIME", "'2024-01-01 24:00:00'", "value"),
    ("created DATETIME", "'2024-01-01 23:59:59.1234567'", "value"),
    ("created DATETIME", "'2024-01-01 23:59:59+09:00'", "value"),
    ("created DATETIME", "1704067200", "value"),
    ("created BLOB", "'abc'", "value"),
    ("created JSON", '\'{"a":1,"a":2}\'', "value"),
    ("timestamp(0) of TEXT affinity", "'2024-01-01 23:59:59.1'", "value"),
    ("timestamptz(0) of TEXT affinity", "'2024-01-01T23:59:59.123456+05:30'", "value"),
    ("time(0) of TEXT affinity", "'23:59:59.50'", "value"),
    ("real of REAL affinity", "16777217.0", "value"),
    ("real of REAL affinity", "12345678.901234567", "value"),
    ("varchar(3) of TEXT affinity", "'abcd'", "value"),
    ("varchar(3) of TEXT affinity", "'ab   '", "value"),
    ("char(5) of TEXT affinity", "'ab '", "value"),
]


@pytest.mark.parametrize(("table", "value", "reason"), REFUSED)
def test_a_value_that_does_not_fit_is_refused(trials: Mapping[str, Trial], table: str, value: str, reason: str) -> None:
    rejects = trials["straight"].rejects
    assert [r.reason for r in rejects if (r.table, r.source_key) == (table, str(ALL.index(value)))] == [reason]
