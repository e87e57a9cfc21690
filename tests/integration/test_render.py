"""Values that are large, and databases in UTF-16: SQLite renders them, PostgreSQL holds them, byte for byte."""

import json
import random

import pytest

from tests.plugins.moving import MakeMove, Move

MIB = 2**20


def test_a_large_text_and_a_large_blob_land_by_load_and_by_pass(make_move: MakeMove) -> None:
    text = "it's \\. 한글\n\t" * (3 * MIB // 18)
    blob = random.Random(1).randbytes(20 * MIB)
    move = make_move("CREATE TABLE item (id INTEGER PRIMARY KEY, body TEXT, data BLOB)", as_declared=True)
    insert = "INSERT INTO item VALUES (?, ?, ?)"
    move.insert(insert, [(1, text, None), (2, "small", b"small"), (3, None, blob)])
    move.load()
    move.insert(insert, [(5, text, blob), (6, "small", None)])
    move.catch_up()
    rows = move.query("SELECT id, body, data FROM item ORDER BY id")
    landed = [(key, body, data and bytes(data)) for key, body, data in rows]
    expected = [(1, text, None), (2, "small", b"small"), (3, None, blob), (5, text, blob)]
    assert landed == [*expected, (6, "small", None)]


def test_a_reject_with_large_values_shows_their_beginning(make_move: MakeMove) -> None:
    move = make_move("CREATE TABLE item (id INTEGER PRIMARY KEY, body TEXT, data BLOB, n INTEGER)", as_declared=True)
    insert = "INSERT INTO item VALUES (?, ?, ?, ?)"
    move.insert(insert, [(1, "é" * 9 * MIB, bytes(17 * MIB), "x"), (2, "a", b"a", 1)])
    move.load()
    move.insert(insert, [(3, "b" * 17 * MIB, b"a", "x")])
    move.catch_up()
    assert move.query("SELECT id FROM item") == [(2,)]
    first, third = (json.loads(r.row_data or "") for r in sorted(move.rejects(), key=lambda r: r.source_key))
    assert first == {"id": 1, "body": {"start": "é" * (MIB // 2)}, "data": {"hex": "00" * MIB}, "n": "x"}
    assert third["body"] == {"start": "b" * MIB}


def test_a_large_invalid_text_is_refused_with_its_column(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, body TEXT); INSERT INTO item VALUES (2, 'good')", as_declared=True
    )
    move.write("INSERT INTO item SELECT 1, CAST(x'ff' || zeroblob(0) AS TEXT) || printf('%.*c', 300000, '''')")
    move.load()
    assert move.refused() == [("1", "encoding", "body")]
    assert move.query("SELECT id FROM item") == [(2,)]


@pytest.fixture(params=["UTF-16le", "UTF-16be"])
def wide(request: pytest.FixtureRequest, make_move: MakeMove) -> Move:
    """A source in UTF-16, keyed by text, with a row that is refused."""
    return make_move(
        f"PRAGMA encoding = '{request.param}';"
        "CREATE TABLE item (name TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID;"
        "INSERT INTO item VALUES ('한글', 1), ('😀', 2), ('a''b', 3), ('é', 'x'), ('a' || char(0) || 'b', 5), ('', 6)",
        as_declared=True,
    )


class TestUtf16:
    def test_its_text_lands(self, wide: Move) -> None:
        wide.load()
        assert sorted(wide.query("SELECT name, n FROM item")) == [("", 6), ("a'b", 3), ("한글", 1), ("😀", 2)]

    def test_its_rejects_are_readable(self, wide: Move) -> None:
        wide.load()
        rows = {r.reason: json.loads(r.row_data or "") for r in wide.rejects()}
        assert rows["value"] == {"name": "é", "n": "x"}
        assert rows["nul"]["n"] == 5

    def test_its_rejects_are_tried_again(self, wide: Move) -> None:
        wide.load()
        wide.write("UPDATE item SET n = 4 WHERE n = 'x'; DELETE FROM item WHERE n = 5")
        wide.catch_up()
        assert ("é", 4) in wide.query("SELECT name, n FROM item")
        assert wide.rejects() == ()

    def test_batches_of_one_row_walk_the_whole_table(self, wide: Move) -> None:
        wide.configure("[sync]\nbatch_rows = 1\nmax_reject_ratio = 1\n")
        wide.load()
        assert len(wide.query("SELECT FROM item")) == 4

    def test_half_a_surrogate_pair_is_refused_alone(self, make_move: MakeMove) -> None:
        move = make_move(
            "PRAGMA encoding = 'UTF-16le'; CREATE TABLE item (id INTEGER PRIMARY KEY, a TEXT, b TEXT);"
            "INSERT INTO item VALUES (1, 'a', 'b'), (2, 'a', CAST(x'610000d8' AS TEXT)), (3, 'c', 'd')",
            as_declared=True,
        )
        move.load()
        assert move.query("SELECT id FROM item ORDER BY id") == [(1,), (3,)]
        assert move.refused() == [("2", "encoding", "b")]


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 1000])
def test_batches_of_any_size_walk_the_whole_table(make_move: MakeMove, rows: int) -> None:
    move = make_move(
        "CREATE TABLE item (a TEXT, b, c INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID;"
        "INSERT INTO item VALUES ('', '', 1), ('a', 1, 2), ('a', '2', 3), ('a', x'31', 4), ('a', 1.5, 5),"
        "('한', 'x' || char(0), 6), ('한', 'y', 'bad'), (CAST(x'ff' AS TEXT), 'z', 8), ('z,''z', ',', 9)",
        as_declared=True,
    )
    move.configure(f"[sync]\nbatch_rows = {rows}\nmax_reject_ratio = 1\n")
    move.load()
    assert move.query("SELECT c FROM item ORDER BY c") == [(1,), (2,), (3,), (5,), (9,)]
    assert sorted((r.reason, r.column) for r in move.rejects()) == [
        ("encoding", "a"),
        ("nul", "b"),
        ("value", "b"),
        ("value", "c"),
    ]
