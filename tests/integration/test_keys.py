"""Keys that SQLite takes for two and PostgreSQL for one: the row with the highest rowid has it, the others wait."""

import pytest

from tests.plugins.moving import MakeMove, Move

PAIRS = [
    ("DATETIME", "'2024-01-01 00:00:00'", "'2024-01-01T00:00:00'"),
    ("DATETIME", "'2024-01-01 10:30:00'", "'2024-01-01 10:30'"),
    ("DATETIME", "'2024-01-01 10:30:00.5'", "'2024-01-01T10:30:00.500'"),
    ("TIMESTAMPTZ", "'2024-01-01 10:00:00Z'", "'2024-01-01 12:00:00+02:00'"),
    ("DATE", "'2024-01-01'", "'2024-01-01T00:00:00'"),
    ("UUID", "'6ba7b810-9dad-11d1-80b4-00c04fd430c8'", "'6BA7B810-9DAD-11D1-80B4-00C04FD430C8'"),
    ("", "1", "'1'"),
]


def source(declared: str, *keys: str) -> str:
    rows = ",".join(f"({key}, {n})" for n, key in enumerate(keys, 1))
    return f"CREATE TABLE t (k {declared} PRIMARY KEY, v INTEGER); INSERT INTO t VALUES {rows};"


@pytest.fixture(params=PAIRS, ids=lambda pair: f"{pair[0] or 'untyped'} {pair[2]}")
def pair(request: pytest.FixtureRequest) -> tuple[str, str, str]:
    found: tuple[str, str, str] = request.param
    return found


def landed(move: Move) -> list[int]:
    return [v for (v,) in move.query("SELECT v FROM t ORDER BY v")]


def test_of_two_in_a_load_the_later_lands(make_move: MakeMove, pair: tuple[str, str, str]) -> None:
    declared, one, other = pair
    move = make_move(source(declared, one, other), as_declared=True)
    assert [report.error for report in move.load().tables] == [""]
    assert landed(move) == [2]
    assert move.refused() == [("1", "duplicate key", "")]


def test_the_other_lands_once_it_is_alone(make_move: MakeMove, pair: tuple[str, str, str]) -> None:
    declared, one, other = pair
    move = make_move(source(declared, one, other), as_declared=True)
    move.load()
    move.write("DELETE FROM t WHERE v = 2")
    move.sweep()
    move.catch_up()
    assert landed(move) == [1]
    assert not move.rejects()


def test_a_pass_does_not_let_one_overwrite_the_other(make_move: MakeMove, pair: tuple[str, str, str]) -> None:
    declared, one, other = pair
    move = make_move(source(declared, one), as_declared=True)
    move.load()
    move.write(f"INSERT INTO t VALUES ({other}, 2)")
    move.catch_up()
    assert landed(move) == [2]
    assert move.refused() == [("1", "duplicate key", "")]
    move.write("DELETE FROM t WHERE v = 2")
    move.sweep()
    move.catch_up()
    assert landed(move) == [1]


def test_a_key_keeps_its_fraction_and_its_zone(make_move: MakeMove) -> None:
    keys = ("'2024-01-01 00:00:05.5+00:00'", "'2024-01-01T00:00:05.25+05:30'", "'2024-01-01 00:00:05.120'")
    move = make_move(
        source("TIMESTAMPTZ", *keys), "CREATE TABLE t (k timestamptz PRIMARY KEY, v bigint)", as_declared=True
    )
    move.load()
    assert not move.rejects()
    assert move.query("SELECT v, to_char(k, 'MM-DD HH24:MI:SS.US') FROM t ORDER BY v") == [
        (1, "01-01 00:00:05.500000"),
        (2, "12-31 18:30:05.250000"),
        (3, "01-01 00:00:05.120000"),
    ]


def test_rows_without_a_key_are_no_duplicates_of_each_other(make_move: MakeMove) -> None:
    move = make_move(source("TEXT", "NULL", "NULL", "'a'"))
    move.load()
    assert landed(move) == [3]
    assert move.refused() == [("1", "not null", "k"), ("2", "not null", "k")]
