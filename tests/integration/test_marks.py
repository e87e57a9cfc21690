"""How a pass finds what is new: by rowid, by a date column, or not at all."""

from typing import Any

import pytest

from tests.plugins.moving import TOLERANT, MakeMove, Move

ITEMS = "SELECT id, at::text FROM item ORDER BY id"


def dated(make_move: MakeMove, declared: str, *rows: tuple[int, Any], more: str = "") -> Move:
    """A loaded table `item` with the date mark `at`."""
    values = ", ".join(f"({key}, {at})" for key, at in rows)
    move = make_move(f"CREATE TABLE item (id INTEGER PRIMARY KEY, at {declared}); INSERT INTO item VALUES {values}")
    move.configure(TOLERANT + "[table:item]\nwatermark = date:at\n" + more)
    assert [t.error for t in move.load().tables] == [""]
    return move


def keys(move: Move) -> list[int]:
    return [key for key, _ in move.query(ITEMS)]


class TestRowid:
    @pytest.fixture
    def move(self, make_move: MakeMove) -> Move:
        move = make_move("CREATE TABLE item (id INTEGER PRIMARY KEY, at); INSERT INTO item VALUES (1, 'a'), (5, 'e')")
        move.load()
        return move

    def test_a_pass_brings_what_lies_beyond(self, move: Move) -> None:
        move.write("INSERT INTO item VALUES (6, 'f'), (100, 'z')")
        assert move.catch_up().applied.inserted == 2
        assert keys(move) == [1, 5, 6, 100]

    def test_a_pass_without_news_changes_nothing(self, move: Move) -> None:
        assert move.catch_up().tables == ()

    def test_a_rowid_that_is_given_again_is_found(self, move: Move) -> None:
        move.write("DELETE FROM item WHERE id = 5")
        move.catch_up()
        move.write("INSERT INTO item VALUES (5, 'again')")
        move.catch_up()
        assert move.query(ITEMS) == [(1, "a"), (5, "again")]

    def test_a_table_without_a_key_is_found_by_its_rowid(self, make_move: MakeMove) -> None:
        move = make_move("CREATE TABLE item (v); INSERT INTO item VALUES ('a'), ('a')")
        move.load()
        move.write("INSERT INTO item VALUES ('a')")
        move.catch_up()
        assert move.query("SELECT _syncd_rowid, v FROM item ORDER BY 1") == [(1, "a"), (2, "a"), (3, "a")]

    def test_an_empty_table_fills(self, make_move: MakeMove) -> None:
        move = make_move("CREATE TABLE item (id INTEGER PRIMARY KEY, at)")
        move.load()
        move.write("INSERT INTO item VALUES (-5, 'a'), (0, 'b')")
        move.catch_up()
        assert keys(move) == [-5, 0]

    def test_the_largest_rowid_is_a_mark_too(self, make_move: MakeMove) -> None:
        move = make_move("CREATE TABLE item (id INTEGER PRIMARY KEY, at); INSERT INTO item VALUES (1, 'a')")
        move.load()
        move.write("INSERT INTO item VALUES (9223372036854775807, 'z')")
        move.catch_up()
        move.catch_up()
        assert keys(move) == [1, 2**63 - 1]


class TestDate:
    def test_updated_rows_come_again(self, make_move: MakeMove) -> None:
        move = dated(make_move, "TEXT", (1, "'2024-01-01'"), (2, "'2024-01-02'"))
        move.write("UPDATE item SET at = '2024-01-03' WHERE id = 1")
        move.catch_up()
        assert move.query(ITEMS) == [(1, "2024-01-03"), (2, "2024-01-02")]

    def test_rows_that_tie_with_the_mark_are_found(self, make_move: MakeMove) -> None:
        move = dated(make_move, "TEXT", (1, "'2024-01-01'"), (2, "'2024-01-02'"))
        move.write("UPDATE item SET at = '2024-01-02' WHERE id = 1")
        move.catch_up()
        assert move.query(ITEMS) == [(1, "2024-01-02"), (2, "2024-01-02")]

    def test_a_new_row_without_a_date_is_found(self, make_move: MakeMove) -> None:
        move = dated(make_move, "TEXT", (1, "'2024-01-01'"))
        move.write("INSERT INTO item VALUES (2, NULL)")
        move.catch_up()
        assert move.query(ITEMS) == [(1, "2024-01-01"), (2, None)]

    def test_a_new_row_with_an_older_date_is_found(self, make_move: MakeMove) -> None:
        move = dated(make_move, "TEXT", (1, "'2024-01-05'"))
        move.write("INSERT INTO item VALUES (2, '2023-12-31')")
        move.catch_up()
        assert keys(move) == [1, 2]

    def test_a_column_of_nulls_fills(self, make_move: MakeMove) -> None:
        move = dated(make_move, "TEXT", (1, "NULL"))
        move.write("UPDATE item SET at = '2024-01-01'")
        move.catch_up()
        assert move.query(ITEMS) == [(1, "2024-01-01")]

    @pytest.mark.parametrize(
        ("declared", "mark", "late", "too_late"),
        [
            ("TEXT", "'2024-01-02 12:00:00'", "'2024-01-02 11:51:00'", "'2024-01-02 11:49:00'"),
            ("TEXT", "'2024-01-02T12:00:00.5Z'", "'2024-01-02T11:51:00Z'", "'2024-01-02T11:49:00Z'"),
            ("INTEGER", "1704196800", "1704196260", "1704196140"),
            ("INTEGER", "1704196800000", "1704196260000", "1704196140000"),
            ("REAL", "1704196800.25", "1704196260.5", "1704196140.5"),
            ("REAL", "2460312.0", "2460311.99375", "2460311.99236"),
        ],
        ids=["text", "iso", "seconds", "milliseconds", "fractions", "julian"],
    )
    def test_lookback_finds_what_was_committed_late(
        self, make_move: MakeMove, declared: str, mark: str, late: str, too_late: str
    ) -> None:
        move = (
            dated(make_move, declared, (1, "0"), (2, "0"), (3, mark), more="lookback = 10m\n")
            if (declared != "TEXT")
            else dated(make_move, declared, (1, "'2000'"), (2, "'2000'"), (3, mark), more="lookback = 10m\n")
        )
        before = dict(move.query(ITEMS))
        move.write(f"UPDATE item SET at = {late} WHERE id = 1; UPDATE item SET at = {too_late} WHERE id = 2")
        move.catch_up()
        after = dict(move.query(ITEMS))
        assert after[1] == late.strip("'")
        assert after[2] == before[2]

    def test_mixed_storage_stops_its_table_alone(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE item (id INTEGER PRIMARY KEY, at); CREATE TABLE other (id INTEGER PRIMARY KEY);"
            "INSERT INTO item VALUES (1, '2024-01-01'), (2, 1704067200)"
        )
        move.configure(TOLERANT + "[table:item]\nwatermark = date:at\n")
        move.load()
        move.write("INSERT INTO item VALUES (3, '2024-01-02'); INSERT INTO other VALUES (1)")
        stopped = {t.table: t.error for t in move.catch_up().tables if t.error}
        assert list(stopped) == ["item"]
        assert "its date column holds number and text, which do not sort by time" in stopped["item"]
        assert move.query("SELECT id FROM other") == [(1,)]

    def test_a_table_without_rowid_is_found_by_its_date(self, make_move: MakeMove) -> None:
        move = make_move("CREATE TABLE item (id TEXT PRIMARY KEY, at TEXT) WITHOUT ROWID")
        move.configure(TOLERANT + "[table:item]\nwatermark = date:at\n")
        move.load()
        move.write("INSERT INTO item VALUES ('a', '2024-01-01'), ('b', '2024-01-01')")
        move.catch_up()
        move.write("INSERT INTO item VALUES ('A', '2024-01-01'), ('c', '2024-01-02')")
        move.catch_up()
        assert move.query("SELECT id FROM item ORDER BY id") == [("A",), ("a",), ("b",), ("c",)]

    def test_a_mark_with_an_odd_text_is_a_mark(self, make_move: MakeMove) -> None:
        move = dated(make_move, "TEXT", (1, "'it''s'"))
        move.write("UPDATE item SET at = 'it''s 한글' WHERE id = 1")
        move.catch_up()
        move.write("UPDATE item SET at = '표' WHERE id = 1")
        move.catch_up()
        assert move.query(ITEMS) == [(1, "표")]

    def test_without_being_told_a_not_null_date_of_change_is_the_mark(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE item (id INTEGER PRIMARY KEY, at TEXT, updated_at TEXT NOT NULL);"
            "INSERT INTO item VALUES (1, 'a', '2024-01-01')"
        )
        move.load()
        move.write("UPDATE item SET at = 'b', updated_at = '2024-01-02'")
        move.catch_up()
        assert move.query(ITEMS) == [(1, "b")]


def test_none_finds_nothing(make_move: MakeMove) -> None:
    move = make_move("CREATE TABLE item (id INTEGER PRIMARY KEY, at); INSERT INTO item VALUES (1, 'a')")
    move.configure(TOLERANT + "[table:item]\nwatermark = none\n")
    move.load()
    move.write("INSERT INTO item VALUES (2, 'b')")
    assert move.catch_up().tables == ()
    assert keys(move) == [1]


@pytest.mark.parametrize(
    ("table", "watermark", "said"),
    [
        ("CREATE TABLE item (id TEXT PRIMARY KEY, at) WITHOUT ROWID", "rowid", "the table is WITHOUT ROWID"),
        ("CREATE TABLE item (id INTEGER PRIMARY KEY, at)", "date:when", "the column when, which the source does not"),
    ],
)
def test_a_mark_that_cannot_be_refuses_its_table(make_move: MakeMove, table: str, watermark: str, said: str) -> None:
    move = make_move(table)
    move.configure(TOLERANT + f"[table:item]\nwatermark = {watermark}\n")
    assert said in move.load().tables[0].error
