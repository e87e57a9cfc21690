"""What is read out of the SQL of a table or an index."""

import pytest

from syncd.model import Check
from syncd.source.definition import index_parts, table_parts


def checks(sql: str) -> tuple[Check, ...]:
    return table_parts(sql).checks


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("CREATE TABLE t (a INT CHECK (a > 0) NOT NULL)", (Check("a > 0", None, "a"),)),
        ("CREATE TABLE t (a INT, CHECK(a > (1)))", (Check("a > (1)"),)),
        ("CREATE TABLE t (a INT CONSTRAINT c CHECK (a))", (Check("a", "c", "a"),)),
        ("CREATE TABLE t (a INT CONSTRAINT c NOT NULL CHECK (a))", (Check("a", None, "a"),)),
        ("CREATE TABLE t (a, CONSTRAINT [c d] CHECK (a) CHECK (1))", (Check("a", "c d"), Check("1"))),
        ("CREATE TABLE t (a DEFAULT (CHECK), b DEFAULT 'CHECK (b)')", ()),
        ('CREATE TABLE t ("check" INT CHECK ("check" <> \')\'))', (Check("\"check\" <> ')'", None, "check"),)),
        ("CREATE TABLE t (a -- CHECK (a)\n /* CHECK (a) */, b)", ()),
        ("CREATE TABLE \"t(\" ('a''b' NUMERIC(10, 2) check (1))", (Check("1", None, "a'b"),)),
        ("CREATE TABLE t (CHECK ( -- why )\n a /* ) */ ), a)", (Check("-- why )\n a /* ) */"),)),
        ("CREATE TABLE t (표 INT CHECK (표 > 0)) STRICT, WITHOUT ROWID", (Check("표 > 0", None, "표"),)),
    ],
)
def test_checks_are_found_where_they_stand(sql: str, found: tuple[Check, ...]) -> None:
    assert checks(sql) == found


def test_formulas_of_generated_columns_are_found() -> None:
    sql = (
        "CREATE TABLE t (a, b INT GENERATED ALWAYS AS (a * (2)) STORED, `c``d` AS (a || ')'), e TEXT DEFAULT 'AS (1)')"
    )
    assert table_parts(sql).formulas == {"b": "a * (2)", "c`d": "a || ')'"}


def test_members_of_an_index_stand_without_order_and_collation() -> None:
    parts = index_parts(
        'CREATE UNIQUE INDEX IF NOT EXISTS "i (" ON t (lower(a) COLLATE NOCASE DESC, b, coalesce(c, 1) ASC, "desc")'
        " WHERE a IS NOT NULL AND (b = 'WHERE')"
    )
    assert parts.members == ("lower(a)", "b", "coalesce(c, 1)", '"desc"')
    assert parts.where == "a IS NOT NULL AND (b = 'WHERE')"


def test_an_index_over_all_rows_has_no_condition() -> None:
    assert index_parts("CREATE INDEX i ON t (a, b)").where is None
