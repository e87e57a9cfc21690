"""Keys that SQLite takes for two and PostgreSQL for one: the row with the highest rowid has it, the others wait."""

import psycopg
import pytest

from syncd.engine.dryrun import dry_run
from syncd.engine.progress import Silent
from tests.plugins.moving import MakeMove, Move
from tests.plugins.verifying import full, only

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


CITEXT = "CREATE EXTENSION citext"
ANY_CASE = "CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
COARSE = [
    (CITEXT, "citext", "TEXT", "'a'", "'A'", "'b'"),
    (f"{CITEXT}; CREATE DOMAIN name_of AS citext", "name_of", "TEXT", "'a'", "'A'", "'b'"),
    (ANY_CASE, "text COLLATE any_case", "TEXT", "'a'", "'A'", "'b'"),
    ("", "numeric(10,1)", "REAL", "5.25", "5.28", "7.5"),
    ("CREATE DOMAIN price AS numeric(10,1)", "price", "REAL", "5.25", "5.28", "7.5"),
    ("", "numeric", "TEXT", "'1.5'", "'1.50'", "'7'"),
    ("", "timestamptz", "TEXT", "'2024-01-01 10:30:00.5'", "'2024-01-01 11:30:00.50+01:00'", "'2024-07-07 00:00:00'"),
    ("", "time", "TEXT", "'10:30'", "'10:30:00'", "'07:00:00'"),
    ("", "interval", "TEXT", "'1 day'", "'24:00:00'", "'7 days'"),
    ("", "jsonb", "TEXT", "'1.5'", "'1.50'", "'7'"),
]
"""What a target has, its key's type, and three keys of the source: SQLite cannot see that the first two are one."""


@pytest.fixture(params=COARSE, ids=lambda coarse: f"{coarse[1]} {coarse[3]}")
def coarse(request: pytest.FixtureRequest, make_move: MakeMove) -> tuple[Move, str]:
    """A source with these keys, and the second of them."""
    before, type_, declared, *keys = request.param
    try:
        move = make_move(source(declared, *keys), f"{before}; CREATE TABLE t (k {type_} PRIMARY KEY, v bigint)")
    except psycopg.errors.FeatureNotSupported as error:
        pytest.skip(str(error))
    return move, keys[1]


def test_only_postgresql_tells_that_two_keys_are_one(coarse: tuple[Move, str]) -> None:
    move, other = coarse
    move.load()
    assert landed(move) == [2, 3]
    assert move.refused() == [("1", "duplicate key", "")]
    assert full(move).found == 0

    move.write("DELETE FROM t WHERE v = 2")
    move.sweep()
    assert landed(move) == [1, 3]
    assert not move.rejects()

    move.write(f"INSERT INTO t VALUES ({other}, 4)")
    move.catch_up()
    assert landed(move) == [3, 4]
    assert move.refused() == [("1", "duplicate key", "")]
    assert full(move).found == 0


def test_a_repair_does_not_let_one_overwrite_the_other(coarse: tuple[Move, str]) -> None:
    move, _ = coarse
    move.load()
    # The target has the first in the place of the second, and nobody knows.
    move.execute("DELETE FROM syncd.reject; UPDATE t SET v = 1 WHERE v = 2")
    assert full(move).found == 2
    report = full(move, repair=True)
    assert (report.found, only(report).rejected) == (0, 1)
    assert landed(move) == [2, 3]
    assert move.refused() == [("1", "duplicate key", "")]


def test_without_rowids_the_last_by_its_own_key_lands(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE t (a TEXT, n REAL, v INTEGER, PRIMARY KEY (a, n)) WITHOUT ROWID;"
        "INSERT INTO t VALUES ('x', 5.28, 1), ('x', 5.25, 2), ('y', 5.28, 3)",
        "CREATE TABLE t (a text, n numeric(10,1), v bigint, PRIMARY KEY (a, n)); INSERT INTO t VALUES ('x', 5.3, 0)",
    )
    move.load()
    assert landed(move) == [1, 3]
    move.write("INSERT INTO t VALUES ('y', 5.31, 4); UPDATE t SET v = 5 WHERE v = 2")
    move.sweep()
    assert landed(move) == [1, 4]
    assert [reason for _, reason, _ in move.refused()] == ["duplicate key", "duplicate key"]
    assert full(move).found == 0


def test_a_row_takes_over_the_key_of_one_that_is_gone(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE t (k TEXT PRIMARY KEY, v INTEGER); CREATE TABLE u (id INTEGER PRIMARY KEY, k TEXT);"
        "INSERT INTO t VALUES ('Ä', 1), ('b', 2); INSERT INTO u VALUES (1, 'b')",
        'CREATE EXTENSION citext; CREATE TABLE t (k citext COLLATE "C.utf8" PRIMARY KEY, v bigint);'
        'CREATE TABLE u (id bigint PRIMARY KEY, k citext COLLATE "C.utf8" REFERENCES t)',
    )
    move.load()
    move.write("DELETE FROM t WHERE v = 1; INSERT INTO t VALUES ('ä', 3)")
    move.sweep()
    assert landed(move) == [2, 3]


def test_a_row_that_gave_way_takes_nobody_along(make_move: MakeMove) -> None:
    move = make_move(source("REAL", "5.28", "5.3"), "CREATE TABLE t (k numeric(10,1) PRIMARY KEY, v bigint)")
    move.load()
    assert landed(move) == [2]
    move.write("DELETE FROM t WHERE v = 1")
    move.sweep()
    assert landed(move) == [2]
    assert not move.rejects()


def test_a_dry_run_counts_them(make_move: MakeMove) -> None:
    move = make_move(
        source("TEXT", "'a'", "'A'"), "CREATE EXTENSION citext; CREATE TABLE t (k citext PRIMARY KEY, v bigint)"
    )
    with move.opened() as sides:
        (table,) = dry_run(sides, Silent()).tables
    assert [(cause.reason, cause.rows) for cause in table.causes] == [("duplicate key", 1)]


@pytest.mark.parametrize("name", ["line", "place", "suspect", "key", "verdict", "n", "x0", "k0", "o0"])
@pytest.mark.parametrize("mapping", ["", "[table:t]\ncolumn.w = upper(w)\n"])
def test_a_key_may_be_called_as_our_own_statements_call_a_result(make_move: MakeMove, name: str, mapping: str) -> None:
    move = make_move(
        f"CREATE TABLE t (w TEXT, {name}, PRIMARY KEY ({name})) WITHOUT ROWID;"
        f"INSERT INTO t VALUES ('a', 0), ('b', ''), ('c', 'x'), ('d', 10), ('e', 9), ('f', '_')"
    )
    move.configure(f"[sync]\nbatch_rows = 2\n{mapping}")

    move.load()

    assert move.query(f'SELECT w, "{name}" FROM t ORDER BY lower(w)') == [
        (w.upper() if mapping else w, key) for w, key in zip("abcdef", ["0", "", "x", "10", "9", "_"], strict=True)
    ]
