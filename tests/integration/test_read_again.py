"""Keys to read again: the row is read from the source by its key; there it is merged, gone it is deleted."""

from collections.abc import Mapping
from contextlib import closing

import pytest

from syncd.engine.again import ReadAgain
from syncd.engine.catchup import Catchup
from syncd.model import PassReport
from tests.plugins.moving import TOLERANT, MakeMove, Move

ITEMS = "SELECT id, v FROM item ORDER BY id"


def read_again(move: Move, again: Mapping[str, ReadAgain]) -> PassReport:
    with move.opened() as sides, closing(Catchup(sides)) as catchup:
        return catchup.run(again=again)


def keys(*source_keys: str) -> dict[str, ReadAgain]:
    return {"item": ReadAgain({key: frozenset() for key in source_keys})}


def known(**target_keys: str) -> dict[str, ReadAgain]:
    return {"item": ReadAgain({key.lstrip("r"): frozenset({value}) for key, value in target_keys.items()})}


@pytest.fixture
def move(make_move: MakeMove) -> Move:
    """Rows that are keyed by their rowid."""
    move = make_move("CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO item VALUES (1, 'a'), (2, 'b')")
    move.load()
    return move


@pytest.fixture
def named(make_move: MakeMove) -> Move:
    """Rows whose key in the target is another one than their rowid."""
    move = make_move("CREATE TABLE item (id TEXT PRIMARY KEY, v TEXT); INSERT INTO item VALUES ('a', '1'), ('b', '2')")
    move.load()
    return move


class TestRowid:
    def test_an_update_is_merged(self, move: Move) -> None:
        move.write("UPDATE item SET v = 'A' WHERE id = 1")
        assert read_again(move, keys("1")).applied.updated == 1
        assert move.query(ITEMS) == [(1, "A"), (2, "b")]

    def test_a_row_that_is_gone_is_deleted(self, move: Move) -> None:
        move.write("DELETE FROM item WHERE id = 1")
        assert read_again(move, keys("1", "2")).applied.deleted == 1
        assert move.query(ITEMS) == [(2, "b")]

    def test_a_row_that_was_never_there_is_nothing(self, move: Move) -> None:
        assert read_again(move, keys("7")).applied.deleted == 0
        assert move.query(ITEMS) == [(1, "a"), (2, "b")]

    def test_a_row_of_the_target_alone_is_deleted(self, move: Move) -> None:
        move.execute("INSERT INTO item VALUES (7, 'z')")
        assert read_again(move, {"item": ReadAgain(target_keys=frozenset({"7", "1"}))}).applied.deleted == 1
        assert move.query(ITEMS) == [(1, "a"), (2, "b")]

    def test_a_row_that_no_longer_belongs_is_deleted(self, make_move: MakeMove) -> None:
        move = make_move("CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO item VALUES (1, 'a')")
        move.configure(TOLERANT + "[table:item]\nwhere = v <> 'out'\n")
        move.load()
        move.write("UPDATE item SET v = 'out'")
        read_again(move, keys("1"))
        assert move.query(ITEMS) == []

    def test_rows_that_the_source_lost_are_kept_where_deletes_are_not_wanted(self, move: Move) -> None:
        move.configure(TOLERANT + "[table:item]\ndeletes = no\n")
        move.write("DELETE FROM item WHERE id = 1")
        assert read_again(move, keys("1")).applied.deleted == 0
        assert move.query(ITEMS) == [(1, "a"), (2, "b")]

    def test_the_reject_of_a_row_that_is_gone_is_cleared(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE item (id INTEGER PRIMARY KEY, v INTEGER); INSERT INTO item VALUES (1, 'x')",
            "CREATE TABLE item (id bigint PRIMARY KEY, v bigint)",
        )
        move.load()
        assert len(move.rejects()) == 1
        move.write("DELETE FROM item")
        read_again(move, keys("1"))
        assert move.rejects() == ()

    def test_what_was_read_again_stays_touched(self, move: Move) -> None:
        move.write("DELETE FROM item WHERE id = 1")
        read_again(move, keys("1", "2"))
        touched = move.query("SELECT source_key, target_key FROM syncd.touched ORDER BY 1")
        assert touched == [("1", "1"), ("2", "2")]


class TestMappedKey:
    def test_a_changed_key_is_a_delete_and_an_insert(self, named: Move) -> None:
        named.write("UPDATE item SET id = 'c' WHERE id = 'a'")
        applied = read_again(named, known(r1="'a'")).applied
        assert (applied.inserted, applied.deleted) == (1, 1)
        assert named.query(ITEMS) == [("b", "2"), ("c", "1")]

    def test_a_key_that_moved_from_row_to_row_stays(self, named: Move) -> None:
        named.write("DELETE FROM item WHERE id = 'a'; UPDATE item SET id = 'a' WHERE id = 'b'")
        applied = read_again(named, known(r1="'a'", r2="'b'")).applied
        assert applied.deleted == 1
        assert named.query(ITEMS) == [("a", "2")]

    def test_a_key_that_moved_to_a_row_that_nobody_asked_for_stays(self, named: Move) -> None:
        named.write("DELETE FROM item WHERE id = 'a'; UPDATE item SET id = 'a', v = 'new' WHERE id = 'b'")
        assert read_again(named, known(r1="'a'")).applied.deleted == 0
        assert named.query("SELECT v FROM item WHERE id = 'a'") == [("new",)]

    def test_two_rows_that_swap_their_keys(self, named: Move) -> None:
        named.write("UPDATE item SET id = 'x' WHERE id = 'a'; UPDATE item SET id = 'a' WHERE id = 'b';")
        named.write("UPDATE item SET id = 'b' WHERE id = 'x'")
        assert read_again(named, known(r1="'a'", r2="'b'")).applied.deleted == 0
        assert named.query(ITEMS) == [("a", "2"), ("b", "1")]

    def test_keys_are_compared_as_the_target_compares_them(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE item (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, v TEXT); INSERT INTO item VALUES"
            " (1, 'a', '1'), (2, 'b', '2')",
            "CREATE EXTENSION citext; CREATE TABLE item (n bigint, id citext PRIMARY KEY, v text)",
        )
        move.load()
        move.write("UPDATE item SET id = 'A', v = 'new' WHERE id = 'a'; UPDATE item SET id = 'B' WHERE id = 'b'")
        assert read_again(move, known(r1="'a'", r2="'b'")).applied.deleted == 0
        assert move.query("SELECT v FROM item ORDER BY n") == [("new",), ("2",)]

    def test_a_date_in_a_key_is_found_however_it_is_written(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE item (n INTEGER PRIMARY KEY, id DATE NOT NULL UNIQUE, v TEXT);"
            "INSERT INTO item VALUES (1, '2024-01-01', 'a'), (2, '2024-01-02', 'b')",
            "CREATE TABLE item (n bigint, id date PRIMARY KEY, v text)",
        )
        move.load()
        move.write("DELETE FROM item WHERE n = 1; UPDATE item SET id = '2024-01-01' WHERE n = 2")
        read_again(move, known(r1="2024-01-01", r2="'2024-01-02'"))
        assert move.query("SELECT n, id::text FROM item") == [(2, "2024-01-01")]


class TestConstraints:
    def test_two_rows_swap_a_unique_value(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT UNIQUE); INSERT INTO item VALUES (1, 'a'), (2, 'b')"
        )
        move.load()
        move.write("UPDATE item SET v = 'x' WHERE id = 1; UPDATE item SET v = 'a' WHERE id = 2;")
        move.write("UPDATE item SET v = 'b' WHERE id = 1")
        read_again(move, keys("1", "2"))
        assert move.query(ITEMS) == [(1, "b"), (2, "a")]
        assert move.rejects() == ()

    @pytest.mark.parametrize("action", ["RESTRICT", "NO ACTION", "CASCADE"])
    def test_a_parent_whose_key_changed_keeps_its_children(self, make_move: MakeMove, action: str) -> None:
        move = make_move(
            "CREATE TABLE parent (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);"
            "CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO parent VALUES (1, 'a');"
            "INSERT INTO item VALUES (1, 'a'), (2, 'a')",
            "CREATE TABLE parent (n bigint, id text PRIMARY KEY);"
            f"CREATE TABLE item (id bigint PRIMARY KEY, v text REFERENCES parent ON DELETE {action})",
        )
        move.load()
        move.write("UPDATE parent SET id = 'b'; UPDATE item SET v = 'b'; DELETE FROM item WHERE id = 2")
        report = read_again(move, {"parent": ReadAgain({"1": frozenset({"'a'"})}), **keys("1", "2")})
        assert move.query("SELECT n, id FROM parent") == [(1, "b")]
        assert move.query(ITEMS) == [(1, "b")]
        assert (report.applied.deleted, move.rejects()) == (2, ())

    @pytest.mark.parametrize("created", [True, False], ids=["created", "existing"])
    def test_a_parent_to_which_rows_still_refer_waits(self, make_move: MakeMove, *, created: bool) -> None:
        move = make_move(
            "CREATE TABLE parent (id INTEGER PRIMARY KEY); INSERT INTO parent VALUES (1), (2), (3);"
            "CREATE TABLE item (id INTEGER PRIMARY KEY, v INTEGER REFERENCES parent); INSERT INTO item VALUES (1, 1)",
            ""
            if created
            else "CREATE TABLE parent (id bigint PRIMARY KEY);"
            "CREATE TABLE item (id bigint PRIMARY KEY, v bigint REFERENCES parent)",
        )
        move.load()
        move.write("DELETE FROM parent WHERE id < 3")
        again = {"parent": ReadAgain({"1": frozenset({"1"}), "2": frozenset({"2"})})}
        assert read_again(move, again).applied.deleted == 1
        assert move.query("SELECT id FROM parent ORDER BY 1") == [(1,), (3,)]
        assert move.query("SELECT target_key FROM syncd.touched WHERE source_key = ''") == [("1",)]


def test_many_keys_are_read_again_at_once(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT);"
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 5000)"
        " INSERT INTO item SELECT x, x FROM n"
    )
    move.load()
    move.write("DELETE FROM item WHERE id % 2; UPDATE item SET v = 'new'")
    applied = read_again(move, keys(*map(str, range(1, 5001)))).applied
    assert (applied.deleted, applied.updated) == (2500, 2500)
    assert move.query("SELECT count(*), min(v), max(v) FROM item") == [(2500, "new", "new")]
