"""Which type a declared type becomes, and that the shortcut never passes what the careful way refuses."""

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal, localcontext
from typing import Any

import apsw
import pytest

from syncd.model import Column, affinity_of
from syncd.plan import Carried, by_declared_type
from syncd.types import TargetType, rendering
from tests.plugins.values import ALL

AFFINITIES = {"": "BLOB", "TEXT": "TEXT", "NUMERIC": "NUMERIC", "INTEGER": "INTEGER", "REAL": "REAL"}
TARGETS = (
    "text", "character varying(3)", "character(5)", "name", '"char"', "bigint", "double precision", "real", "numeric",
    "numeric(10,2)", "numeric(40,20)", "boolean", "date", "timestamp without time zone", "timestamp with time zone",
    "time without time zone", "time(0) without time zone", "time with time zone", "money", "oid", "interval(0)",
    "date[]", "real[]", "tsrange", "bytea", "uuid", "json", "jsonb", "inet",
)  # fmt: skip


@pytest.mark.parametrize(
    ("declared", "created"),
    [
        ("", "text"),
        ("INTEGER", "bigint"),
        ("int", "bigint"),
        ("UNSIGNED BIG INT", "bigint"),
        ("VARCHAR(255)", "text"),
        ("NCHAR(55)", "text"),
        ("BLOB", "bytea"),
        ("REAL", "double precision"),
        ("DOUBLE PRECISION", "double precision"),
        ("FLOAT", "double precision"),
        ("NUMERIC", "numeric"),
        ("DECIMAL(10,2)", "numeric(10,2)"),
        ("DECIMAL( 10 , 5 )", "numeric(10,5)"),
        ("NUMERIC(5)", "numeric(5,0)"),
        ("DECIMAL(2,5)", "numeric"),
        ("DECIMAL(2000,5)", "numeric"),
        ("BOOLEAN", "boolean"),
        ("DATE", "date"),
        ("DATETIME", "timestamp without time zone"),
        ("TIMESTAMP", "timestamp without time zone"),
        ("TIMESTAMP WITH TIME ZONE", "timestamp with time zone"),
        ("TIMESTAMPTZ", "timestamp with time zone"),
        ("TIME", "time without time zone"),
        ("JSON", "jsonb"),
        ("UUID", "uuid"),
        ("no such thing", "text"),
    ],
)
def test_a_declared_type_becomes(declared: str, created: str) -> None:
    value = Carried("v", '"v"', "BLOB", Column("v", declared))
    assert by_declared_type(value)[0].name == created


@pytest.mark.parametrize(
    ("declared", "affinity"),
    [
        ("CHARINT", "INTEGER"),
        ("FLOATING POINT", "INTEGER"),
        ("STRING", "NUMERIC"),
        ("", "BLOB"),
        ("CLOB", "TEXT"),
        ("DOUB", "REAL"),
    ],
)
def test_affinity_follows_the_rules_in_their_order(declared: str, affinity: str) -> None:
    assert affinity_of(declared) == affinity


def test_a_type_is_told_with_and_without_its_modifiers() -> None:
    assert (TargetType("numeric(10,-2)").base, TargetType("numeric(10,-2)").modifiers) == ("numeric", (10, -2))
    assert TargetType("timestamp(3) without time zone").base == "timestamp without time zone"


@pytest.fixture(scope="module")
def values() -> Iterator[apsw.Connection]:
    """Every value in a column of every affinity: the tables are named after the declared type."""
    with closing(apsw.Connection(":memory:")) as database:
        for declared in AFFINITIES:
            database.execute(f'CREATE TABLE "{declared or "none"}" (id INTEGER PRIMARY KEY, v {declared})')
            for key, value in enumerate(ALL):
                database.execute(f'INSERT INTO "{declared or "none"}" VALUES ({key}, {value})')
        yield database


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("declared", AFFINITIES)
@pytest.mark.parametrize("target", TARGETS)
def test_what_the_shortcut_passes_the_careful_way_renders_the_same(
    values: apsw.Connection, target: str, declared: str, existing: bool
) -> None:
    how = rendering("v", AFFINITIES[declared], TargetType(target, scale_rounds=existing))
    nul = "instr(v, char(0))" if how.may_hold_text else "0"
    passed: list[Any] = values.execute(
        f"SELECT id, coalesce({how.careful_suspect}, 0), {_unquoted(how.field)}, {_unquoted(how.careful_field)}"
        f' FROM "{declared or "none"}" WHERE NOT coalesce({how.suspect} OR {nul}, 0)'
    ).fetchall()
    found = [
        key for key, refused, fast, careful in passed if refused or not _is_same(fast, careful, TargetType(target))
    ]
    assert [ALL[key] for key in found] == []


def _is_same(fast: str | None, careful: str | None, target: TargetType) -> bool:
    """Whether PostgreSQL makes one value of both: a decimal is rounded to its scale."""
    if fast is None or careful is None or fast == careful or target.base != "numeric" or not target.modifiers:
        return fast == careful
    unit = Decimal(1).scaleb(-int(target.modifiers[1]))
    with localcontext(prec=60):
        return len({Decimal(bytes.fromhex(number).decode()).quantize(unit) for number in (fast, careful)}) == 1


def _unquoted(field: str) -> str:
    """What CSV reads from a field of such values, in hexadecimal: quotes around it or none are the same, not NULL."""
    return f"iif({field}='NULL',NULL,hex(trim(CAST({field} AS TEXT),'''')))"


@pytest.mark.parametrize("declared", AFFINITIES)
@pytest.mark.parametrize("target", TARGETS)
def test_null_is_never_suspect(values: apsw.Connection, target: str, declared: str) -> None:
    how = rendering("v", AFFINITIES[declared], TargetType(target))
    statement = f'SELECT {how.field}, coalesce({how.suspect}, 0) FROM "{declared or "none"}" WHERE v IS NULL'
    assert set(values.execute(statement).fetchall()) == {("NULL", 0)}
