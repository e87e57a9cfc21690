"""The sweep: what no mark can see is carried over, whatever SQLite does."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from syncd.engine import sweep as sweeping
from syncd.engine.catchup import Catchup
from syncd.source import snapshot
from syncd.source.database import Database
from tests.plugins.comparison import assert_every_row_is_equal
from tests.plugins.moving import TOLERANT, MakeMove, Move
from tests.plugins.source import OpenWriter

MANY = (
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {})"
    " INSERT INTO {} SELECT x, 'v' || x FROM n"
)
SWAP = (
    "UPDATE item SET v = 'x' WHERE id = 1; UPDATE item SET v = 'a' WHERE id = 2; UPDATE item SET v = 'b' WHERE v = 'x'"
)
ITEMS = "SELECT id, v FROM item ORDER BY id"


def equal(move: Move) -> None:
    assert_every_row_is_equal(move.source, move.dsn)


def bases(move: Move) -> list[Path]:
    return sorted((move.source.parent / "state").rglob("*.snapshot"))


@pytest.fixture
def move(make_move: MakeMove) -> Move:
    move = make_move(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT UNIQUE, w INTEGER); INSERT INTO item VALUES"
        " (1, 'a', 0), (2, 'b', 0), (3, 'c', 0), (4, 'd', 0), (5, 'e', 0)"
    )
    move.load()
    return move


class TestWhatSqliteDoes:
    @pytest.mark.parametrize(
        "script",
        [
            "DELETE FROM item WHERE id = 2",
            "DELETE FROM item WHERE id = 5",
            "DELETE FROM item",
            "UPDATE item SET w = 1 WHERE id = 1",
            "UPDATE item SET w = 1",
            "UPDATE item SET id = 50 WHERE id = 2",
            "UPDATE item SET id = -id",
            "INSERT OR REPLACE INTO item VALUES (6, 'a', 9)",
            "INSERT OR REPLACE INTO item VALUES (2, 'a', 9)",
            "DELETE FROM item WHERE id = 5; INSERT INTO item VALUES (5, 'new', 1)",
            "DELETE FROM item; INSERT INTO item VALUES (1, 'new', 1), (2, 'newer', 2)",
            SWAP,
            "UPDATE item SET v = 'A' WHERE id = 1",
            "DELETE FROM item WHERE id = 3; VACUUM",
        ],
    )
    def test_a_change_is_carried_over(self, move: Move, script: str) -> None:
        move.write(script)
        move.sweep()
        equal(move)
        assert move.rejects() == ()
        assert move.sweep().read_again <= 5
        assert move.sweep().read_again == 0

    def test_a_cascading_delete(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE parent (id INTEGER PRIMARY KEY); INSERT INTO parent VALUES (1), (2);"
            "CREATE TABLE child (id INTEGER PRIMARY KEY, p INTEGER REFERENCES parent ON DELETE CASCADE);"
            "INSERT INTO child VALUES (1, 1), (2, 2), (3, 2)"
        )
        move.load()
        move.write("PRAGMA foreign_keys = ON; DELETE FROM parent WHERE id = 2")
        assert move.sweep().applied.deleted == 3
        equal(move)

    @pytest.mark.parametrize("table", ["id TEXT PRIMARY KEY, v TEXT", "v TEXT, id TEXT"], ids=["text key", "no key"])
    def test_rows_that_vacuum_renumbers(self, make_move: MakeMove, table: str) -> None:
        move = make_move(f"CREATE TABLE item ({table}); {MANY.format(300, 'item')}")
        move.load()
        move.write("DELETE FROM item WHERE CAST(substr(id, 1) AS INTEGER) % 3 = 0 OR v LIKE '%7'; VACUUM")
        move.sweep()
        equal(move)

    def test_a_table_without_rowid(self, make_move: MakeMove) -> None:
        move = make_move(f"CREATE TABLE item (id TEXT PRIMARY KEY, v) WITHOUT ROWID; {MANY.format(300, 'item')}")
        move.load()
        move.write("DELETE FROM item WHERE id LIKE '%5'; UPDATE item SET v = 'new' WHERE id = '7'")
        move.write("UPDATE item SET id = 'other' WHERE id = '8'")
        move.sweep()
        equal(move)

    def test_an_expression_over_another_table_that_changed(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE place (name TEXT PRIMARY KEY, region TEXT);"
            "INSERT INTO place VALUES ('s', 'KR'), ('n', 'US');"
            "CREATE TABLE item (id INTEGER PRIMARY KEY, place TEXT); INSERT INTO item VALUES (1, 's'), (2, 'n')"
        )
        move.configure(
            TOLERANT + "[table:item]\ncolumn.region = (SELECT region FROM place p WHERE p.name = item.place)\n"
        )
        move.load()
        move.write("UPDATE place SET region = 'JP' WHERE name = 's'")
        move.sweep()
        assert move.query("SELECT id, region FROM item ORDER BY id") == [(1, "JP"), (2, "US")]

    def test_a_row_that_lives_only_between_two_sweeps(self, move: Move) -> None:
        move.write("INSERT INTO item VALUES (6, 'f', 0)")
        move.catch_up()
        move.write("DELETE FROM item WHERE id = 6")
        move.sweep()
        equal(move)

    def test_a_b_a_between_two_sweeps(self, make_move: MakeMove) -> None:
        move = make_move("CREATE TABLE item (id INTEGER PRIMARY KEY, v, at); INSERT INTO item VALUES (1, 'a', '2024')")
        move.configure(TOLERANT + "[table:item]\nwatermark = date:at\n")
        move.load()
        move.write("UPDATE item SET v = 'b', at = '2025'")
        move.catch_up()
        move.write("UPDATE item SET v = 'a', at = '2024'")
        move.sweep()
        assert move.query(ITEMS) == [(1, "a")]


class TestBase:
    def test_the_snapshot_of_the_load_is_the_first_base(self, move: Move) -> None:
        (base,) = bases(move)
        assert move.query("SELECT base_snapshot FROM syncd.checkpoint") == [(base.stem,)]

    def test_each_sweep_leaves_one_base(self, move: Move) -> None:
        (first,) = bases(move)
        move.sweep()
        (second,) = bases(move)
        assert second != first
        assert move.query("SELECT base_snapshot FROM syncd.checkpoint") == [(second.stem,)]

    @pytest.mark.parametrize("fault", ["missing", "damaged", "cut", "forgotten"])
    def test_without_a_base_everything_is_compared(self, move: Move, fault: str) -> None:
        (base,) = bases(move)
        move.write(
            "DELETE FROM item WHERE id = 1; UPDATE item SET w = 7 WHERE id = 2; INSERT INTO item VALUES (9, 'z', 0)"
        )
        match fault:
            case "missing":
                base.unlink()
            case "damaged":
                base.write_bytes(b"\0" * base.stat().st_size)
            case "cut":
                base.write_bytes(base.read_bytes()[:5000])
            case _:
                move.execute("UPDATE syncd.checkpoint SET base_snapshot = NULL")
        move.execute("DELETE FROM item WHERE id = 3; INSERT INTO item VALUES (77, 'y', 0)")
        assert move.sweep().applied.deleted == 2
        equal(move)
        assert len(bases(move)) == 1

    def test_rows_of_the_target_alone_stay_where_deletes_are_not_wanted(self, move: Move) -> None:
        move.configure(TOLERANT + "[table:item]\ndeletes = no\n")
        move.write("DELETE FROM item WHERE id = 1")
        move.execute("UPDATE syncd.checkpoint SET base_snapshot = NULL")
        assert move.sweep().applied.deleted == 0
        assert len(move.query(ITEMS)) == 5

    def test_rows_that_stayed_go_once_deletes_are_wanted(self, move: Move) -> None:
        move.configure(TOLERANT + "[table:item]\ndeletes = no\n")
        move.write("DELETE FROM item WHERE id = 1; UPDATE item SET id = 50, v = 'z' WHERE id = 2")
        move.sweep()
        assert len(move.query(ITEMS)) == 6
        move.configure(TOLERANT)
        assert move.sweep().applied.deleted == 2
        equal(move)
        move.write("DELETE FROM item WHERE id = 3")
        assert move.sweep().read_again == 1
        equal(move)

    def test_an_accepted_source_is_compared_with_the_target(self, move: Move) -> None:
        source = move.source.with_name("other.db")
        with closing(sqlite3.connect(source)) as database:
            database.executescript(
                "CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT UNIQUE, w INTEGER);"
                "INSERT INTO item VALUES (1, 'A', 0)"
            )
        source.replace(move.source)
        for rest in ("-wal", "-shm"):
            move.source.with_name(move.source.name + rest).unlink(missing_ok=True)
        move.accept_and_load()
        assert len(move.query(ITEMS)) == 5
        move.sweep()
        equal(move)

    def test_nothing_is_forgotten_before_the_base_is_committed(self, move: Move) -> None:
        move.write("INSERT INTO item VALUES (6, 'f', 0)")
        move.catch_up()
        move.write("DELETE FROM item WHERE id = 6")
        with move.opened() as sides, closing(Catchup(sides)) as catchup:
            assert not sweeping.sweep(sides, catchup, stopping=stop_after(3)).finished
        assert move.query("SELECT source_key FROM syncd.touched") == [("6",)]
        move.sweep()
        equal(move)


def stop_after(times: int) -> "Asked":
    return Asked(times)


class Asked:
    """Tells to stop from so many questions on."""

    def __init__(self, times: int) -> None:
        self._left = times

    def __call__(self) -> bool:
        self._left -= 1
        return self._left < 0


class TestGuard:
    @pytest.fixture
    def many(self, make_move: MakeMove) -> Move:
        move = make_move(
            f"CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT); {MANY.format(3000, 'item')};"
            "CREATE TABLE other (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO other VALUES (1, 'a'), (2, 'b')"
        )
        move.load()
        move.write("DELETE FROM item WHERE id <= 1600; DELETE FROM other WHERE id = 1")
        return move

    @pytest.mark.parametrize("baseless", [False, True])
    def test_a_sweep_that_would_delete_most_of_a_table_is_refused(self, many: Move, *, baseless: bool) -> None:
        if baseless:
            many.execute("UPDATE syncd.checkpoint SET base_snapshot = NULL")
        (refused,) = many.sweep().refused
        assert (refused.table, refused.error.partition(",")[0]) == ("item", "1600 of 3000 rows would be deleted")
        assert many.query("SELECT count(*) FROM item") == [(3000,)]
        assert many.query("SELECT id FROM other") == [(2,)]
        assert many.query("SELECT table_name FROM syncd.event WHERE event = 'sweep_refused'") == [("item",)]
        assert many.query("SELECT phase, error <> '' FROM syncd.checkpoint WHERE table_name = 'item'") == [
            ("catchup", True)
        ]
        many.write("INSERT INTO item VALUES (4000, 'new')")
        many.catch_up()
        assert many.query("SELECT count(*) FROM item") == [(3001,)]
        assert many.sweep(force=True).applied.deleted == 1600
        equal(many)
        assert many.query("SELECT DISTINCT error FROM syncd.checkpoint") == [("",)]

    def test_half_of_a_table_may_be_deleted(self, make_move: MakeMove) -> None:
        move = make_move(f"CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT); {MANY.format(3000, 'item')}")
        move.load()
        move.write("DELETE FROM item WHERE id <= 1500")
        assert move.sweep().refused == ()

    def test_rows_that_vacuum_renumbers_are_not_deletes(self, make_move: MakeMove) -> None:
        move = make_move(f"CREATE TABLE item (id TEXT PRIMARY KEY, v TEXT); {MANY.format(3000, 'item')}")
        move.write("UPDATE item SET rowid = rowid * -1000")
        move.load()
        move.write("VACUUM; DELETE FROM item WHERE id = '7'")
        assert move.sweep().refused == ()
        equal(move)


class TestBesidePasses:
    def test_what_a_sweep_applied_before_it_was_stopped_is_read_again(
        self, move: Move, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The value goes back to what the base has: no comparison of snapshots can see it."""
        monkeypatch.setattr(sweeping, "KEYS_AT_ONCE", 2)
        move.write("UPDATE item SET w = 1 WHERE id < 5; DELETE FROM item WHERE id = 5")
        with move.opened() as sides, closing(Catchup(sides)) as catchup:
            begun = "SELECT 1 FROM item WHERE w = 1"
            assert not sweeping.sweep(sides, catchup, stopping=lambda: bool(move.query(begun))).finished
        assert move.query("SELECT id FROM item WHERE w = 1 ORDER BY 1") == [(1,), (2,)]
        assert move.query("SELECT source_key FROM syncd.written ORDER BY 1") == [("1",), ("2",)]
        move.write("UPDATE item SET w = 0; INSERT INTO item VALUES (5, 'e', 0)")
        move.sweep()
        equal(move)
        assert move.query("SELECT source_key FROM syncd.written") == []

    def test_chunks_of_keys_come_to_the_same(self, make_move: MakeMove, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sweeping, "KEYS_AT_ONCE", 100)
        move = make_move(
            f"CREATE TABLE parent (id INTEGER PRIMARY KEY, v TEXT); {MANY.format(400, 'parent')};"
            "CREATE TABLE child (id INTEGER PRIMARY KEY, p INTEGER REFERENCES parent);"
            "INSERT INTO child SELECT id, id FROM parent"
        )
        move.load()
        move.write(
            "DELETE FROM child WHERE id % 3 = 0; DELETE FROM parent WHERE id % 3 = 0; UPDATE parent SET v = 'new'"
        )
        assert move.sweep().applied.deleted == 266
        equal(move)
        move.sweep()
        assert move.query("SELECT count(*) FROM syncd.touched") == [(0,)]

    def test_deletes_while_the_sweep_reads(self, move: Move, open_writer: OpenWriter) -> None:
        writer = open_writer(move.source)
        writer.execute("UPDATE item SET w = 1")
        with move.opened() as sides, closing(Catchup(sides)) as catchup:
            take = snapshot.take

            def taken(source: Database, state_dir: Path) -> str:
                name = take(source, state_dir)
                for statement in MEANWHILE:
                    writer.execute(statement)
                return name

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(snapshot, "take", taken)
                sweeping.sweep(sides, catchup)
            touched = {key for (key,) in move.query("SELECT source_key FROM syncd.touched")}
            assert {"1", "3", "6"} <= touched
            # Back to what the base has: no comparison of snapshots can see it.
            writer.execute("UPDATE item SET w = 1 WHERE id = 3")
            sweeping.sweep(sides, catchup)
        writer.close()
        equal(move)


MEANWHILE: Iterable[str] = (
    "DELETE FROM item WHERE id = 1",
    "UPDATE item SET w = 2 WHERE id = 3",
    "INSERT INTO item VALUES (6, 'f', 0)",
)


def test_a_table_that_the_target_lost_does_not_keep_it_from_the_others(
    make_move: MakeMove, open_writer: OpenWriter
) -> None:
    move = make_move(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1), (2);"
        "CREATE TABLE q (id INTEGER PRIMARY KEY); INSERT INTO q VALUES (1)"
    )
    move.load()
    move.execute("DROP TABLE q; UPDATE syncd.checkpoint SET base_snapshot = NULL")
    open_writer(move.source).execute("DELETE FROM p WHERE id = 1")

    report = move.sweep()

    assert move.query("SELECT id FROM p") == [(2,)]
    assert [table.table for table in report.tables if table.error] == ["q"]
    assert move.query("SELECT table_name FROM syncd.checkpoint WHERE phase = 'stopped'") == [("q",)]
