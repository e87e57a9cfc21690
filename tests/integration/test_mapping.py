"""The mapping of the configuration: other names, expressions, conditions, checks, and the types of moments."""

import pytest

from tests.plugins.moving import TOLERANT, MakeMove, Move

TICKERS = """\
CREATE TABLE tickers (ticker TEXT PRIMARY KEY, region TEXT);
INSERT INTO tickers VALUES ('A', 'US'), ('B', 'KR');
"""
ETF = """\
CREATE TABLE etf (ticker TEXT PRIMARY KEY, rank INTEGER, closed INTEGER, ma5 REAL, updated_at TEXT NOT NULL);
INSERT INTO etf VALUES ('A', 1, 0, 1.5, '2024-01-01'), ('B', 2, 1, 2.5, '2024-01-02'), ('C', -3, 0, 3.5, '2024-01-03');
"""
TARGET = """\
CREATE TABLE etf_details (ticker text, region varchar(2) NOT NULL, rank_in_etf int, closed boolean,
    updated_at timestamp, adj_close numeric, PRIMARY KEY (ticker, region))
"""
MAPPING = """\
[table:etf]
target = etf_details
exclude = ma5
column.rank_in_etf = rank
column.region = coalesce((SELECT region FROM tickers t
    WHERE t.ticker = etf.ticker), 'US')
check.ranked = rank > 0
"""


@pytest.fixture
def etf(make_move: MakeMove) -> Move:
    move = make_move(TICKERS + ETF, TARGET)
    move.configure(TOLERANT + MAPPING)
    return move


class TestIntoATableThatIsThere:
    def test_every_row_lands_where_the_mapping_says(self, etf: Move) -> None:
        etf.load()
        assert etf.query("SELECT ticker, region, rank_in_etf, closed FROM etf_details ORDER BY 1") == [
            ("A", "US", 1, False),
            ("B", "KR", 2, True),
        ]

    def test_a_row_that_fails_a_check_is_rejected_under_its_name(self, etf: Move) -> None:
        etf.load()
        assert [(r.source_key, r.reason) for r in etf.rejects()] == [("3", "check.ranked")]

    def test_a_row_that_passes_the_check_later_lands(self, etf: Move) -> None:
        etf.load()
        etf.write("UPDATE etf SET rank = 3 WHERE ticker = 'C'")
        etf.catch_up()
        assert etf.query("SELECT rank_in_etf FROM etf_details WHERE ticker = 'C'") == [(3,)]
        assert not etf.rejects()

    def test_marks_find_changes_of_mapped_tables(self, etf: Move) -> None:
        etf.load()
        etf.write("UPDATE etf SET rank = 9, updated_at = '2024-02-01' WHERE ticker = 'A'")
        etf.write("INSERT INTO etf VALUES ('D', 4, 0, 0, '2023-01-01')")
        etf.catch_up()
        found = etf.query("SELECT ticker, rank_in_etf FROM etf_details ORDER BY 1")
        assert found == [("A", 9), ("B", 2), ("D", 4)]

    def test_without_the_mapping_the_table_is_refused_with_what_to_write(self, make_move: MakeMove) -> None:
        move = make_move(TICKERS + ETF, TARGET)
        move.configure(TOLERANT + "[table:etf]\ntarget = etf_details\n")
        (error,) = [t.error for t in move.load().tables if t.table == "etf"]
        assert "column.rank_in_etf = rank\n    exclude = ma5\n" in error
        assert "column.region = an SQLite expression" in error


class TestIntoACreatedTable:
    def test_names_types_and_key_follow_the_mapping(self, make_move: MakeMove) -> None:
        move = make_move(TICKERS + ETF)
        move.configure(TOLERANT + MAPPING + "key = ticker, region\ntype.region = varchar(2)\n")
        move.load()
        columns = "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute"
        found = move.query(f"{columns} WHERE attrelid = 'etf_details'::regclass AND attnum > 0 ORDER BY attnum")
        assert found == [
            ("ticker", "text"),
            ("rank_in_etf", "bigint"),
            ("closed", "bigint"),
            ("updated_at", "date"),
            ("region", "character varying(2)"),
        ]
        assert move.query("SELECT count(*) FROM etf_details") == [(2,)]

    def test_names_may_be_spelled_in_snake_case(self, make_move: MakeMove) -> None:
        move = make_move('CREATE TABLE "OrderItem" ("OrderID" INTEGER PRIMARY KEY, "Unit Price" REAL)')
        move.configure(TOLERANT + "[target]\nnames = snake\n")
        move.load()
        assert move.query("SELECT order_id, unit_price FROM order_item") == []

    def test_where_says_which_rows_belong(self, make_move: MakeMove) -> None:
        move = make_move("CREATE TABLE a (id INTEGER PRIMARY KEY, kind TEXT); INSERT INTO a VALUES (1, 'x'), (2, 'y')")
        move.configure(TOLERANT + "[table:a]\nwhere = kind = 'x' -- no others\n")
        move.load()
        move.write("INSERT INTO a VALUES (3, 'x'), (4, 'z')")
        move.catch_up()
        assert move.query("SELECT id FROM a ORDER BY 1") == [(1,), (3,)]

    def test_two_tables_may_not_meet_in_one(self, make_move: MakeMove) -> None:
        move = make_move("CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (id INTEGER PRIMARY KEY)")
        move.configure(TOLERANT + "[table:b]\ntarget = a\n")
        (error,) = [t.error for t in move.load().tables if t.error]
        assert "a lands in the target's table a as well" in error


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("colour", "SQLite says: no such column: colour"),
        ("(SELECT region FROM nowhere)", "SQLite says: no such table: nowhere"),
        ("1); DROP TABLE x; --", "SQLite says: "),
        ("random()", "random() gives another value each time"),
        ("datetime('now')", "'now' gives another value each time"),
        ("lower(", "SQLite says:"),
    ],
)
def test_an_expression_that_cannot_be_used_stops_its_table_and_tells_where(
    make_move: MakeMove, expression: str, said: str
) -> None:
    move = make_move(TICKERS + ETF)
    move.configure(TOLERANT + f"[table:etf]\ncolumn.x = {expression}\n")
    errors = {t.table: t.error for t in move.load().tables}
    assert said in errors["etf"]
    assert "syncd.ini:4: [table:etf] column.x: " in errors["etf"]
    assert errors["tickers"] == ""


MOMENTS = [
    ("timestamptz from epoch_s", "1700000000", "2023-11-14 22:13:20+00"),
    ("timestamptz from epoch_s", "1700000000.25", "2023-11-14 22:13:20.25+00"),
    ("timestamptz from epoch_s", "'1700000000'", "2023-11-14 22:13:20+00"),
    ("timestamptz from epoch_s", "-1", "1969-12-31 23:59:59+00"),
    ("timestamptz from epoch_ms", "1700000000123", "2023-11-14 22:13:20.123+00"),
    ("timestamptz from epoch_ms", "-1", "1969-12-31 23:59:59.999+00"),
    ("timestamp from epoch_us", "1700000000123456", "2023-11-14 22:13:20.123456"),
    ("date from epoch_s", "1700006400", "2023-11-15"),
    ("timestamp from julian", "2460263.5", "2023-11-15 00:00:00"),
    ("timestamp from epoch_s", "NULL", None),
]
NO_MOMENTS = [
    ("timestamptz from epoch_s", "1700000000.1234567"),
    ("timestamptz from epoch_s", "'soon'"),
    ("timestamptz from epoch_ms", "1.5"),
    ("timestamptz from epoch_s", "9e18"),
    ("date from epoch_s", "1700000000"),
    ("timestamp from julian", "'2024-01-01'"),
]


@pytest.mark.parametrize(("kind", "value", "expected"), MOMENTS)
def test_numbers_become_the_moments_that_they_are(
    make_move: MakeMove, kind: str, value: str, expected: str | None
) -> None:
    move = make_move(f"CREATE TABLE a (id INTEGER PRIMARY KEY, at); INSERT INTO a VALUES (1, {value})")
    move.configure(TOLERANT + f"[table:a]\ntype.at = {kind}\n")
    move.load()
    assert move.query("SELECT at::text FROM a") == [(expected,)]


@pytest.mark.parametrize(("kind", "value"), NO_MOMENTS)
def test_numbers_that_are_not_exactly_a_moment_are_rejected(make_move: MakeMove, kind: str, value: str) -> None:
    move = make_move(f"CREATE TABLE a (id INTEGER PRIMARY KEY, at); INSERT INTO a VALUES (1, {value})")
    move.configure(TOLERANT + f"[table:a]\ntype.at = {kind}\n")
    move.load()
    assert move.query("SELECT at::text FROM a") == []
    assert [(r.source_key, r.column) for r in move.rejects()] == [("1", "at")]
