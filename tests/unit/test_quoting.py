"""SQLite reads back what quoting wrote."""

import apsw
import pytest

from syncd.quoting import identifier, literal

NAMES = ("plain", "two words", 'a "quote"', "it's", "표", "select", "%s", "{}", "[x]", "`", "a.b", "--", "\\")


@pytest.mark.parametrize("name", NAMES)
def test_an_identifier_names_its_table(name: str) -> None:
    database = apsw.Connection(":memory:")
    database.execute(f"CREATE TABLE {identifier(name)} (a)")
    assert database.execute("SELECT name FROM sqlite_schema").fetchall() == [(name,)]


@pytest.mark.parametrize("value", [*NAMES, "", "'", "''", "\n", 0, -1, 2**63 - 1])
def test_a_literal_is_its_value(value: str | int) -> None:
    assert apsw.Connection(":memory:").execute(f"SELECT {literal(value)}").fetchall() == [(value,)]
