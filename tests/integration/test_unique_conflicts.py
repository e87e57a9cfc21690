"""A unique value moves from row to row in the source, and finds the row that had it in the target."""

from contextlib import closing

import pytest

from syncd.engine import spool
from syncd.engine.catchup import Catchup
from syncd.engine.sweep import sweep
from tests.plugins.comparison import assert_every_row_is_equal
from tests.plugins.moving import MakeMove, Move
from tests.plugins.source import OpenWriter

_ACCOUNTS = """
CREATE TABLE account (id INTEGER PRIMARY KEY, email TEXT UNIQUE, v TEXT);
INSERT INTO account VALUES (1, 'a', 'old'), (2, 'b', 'old'), (3, 'c', 'old'), (4, 'd', 'old');
"""
_THERE = "CREATE TABLE account (id integer PRIMARY KEY, email text NOT NULL UNIQUE, v text, note text DEFAULT 'none');"


def _loaded(make_move: MakeMove, source: str = _ACCOUNTS, target: str = "", ini: str = "") -> Move:
    move = make_move(source, target)
    move.configure(ini)
    move.load()
    return move


def _accounts(move: Move) -> list[tuple[int, str]]:
    return [(int(key), email) for key, email in move.query("SELECT id, email FROM account ORDER BY id")]


@pytest.mark.parametrize("target", ["", _THERE], ids=["created", "existing"])
def test_a_row_that_replace_deleted_gives_its_value_away(make_move: MakeMove, target: str) -> None:
    move = _loaded(make_move, target=target)
    move.write("INSERT OR REPLACE INTO account VALUES (5, 'a', 'took a')")
    report = move.catch_up()
    assert not report.stopped
    assert report.applied.rejected == 0
    assert _accounts(move) == [(2, "b"), (3, "c"), (4, "d"), (5, "a")]
    assert move.refused() == []


@pytest.mark.parametrize("target", ["", _THERE], ids=["created", "existing"])
def test_a_row_that_changed_out_of_sight_gives_its_value_away(make_move: MakeMove, target: str) -> None:
    move = _loaded(make_move, target=target)
    move.write("UPDATE account SET email = 'z' WHERE id = 1; INSERT INTO account VALUES (5, 'a', 'new')")
    assert not move.catch_up().stopped
    assert _accounts(move) == [(1, "z"), (2, "b"), (3, "c"), (4, "d"), (5, "a")]


def test_a_parent_that_replace_deleted_gives_its_value_away_with_the_sweep_that_finds_its_children(
    make_move: MakeMove,
) -> None:
    """The child moved to the new row out of sight: until a sweep finds that, the old row cannot go."""
    children = "CREATE TABLE visit (id INTEGER PRIMARY KEY, account INTEGER REFERENCES account (id));"
    move = _loaded(make_move, _ACCOUNTS + children + "INSERT INTO visit VALUES (1, 2), (2, 1);")
    move.write("INSERT OR REPLACE INTO account VALUES (5, 'a', 'took a'); UPDATE visit SET account = 5 WHERE id = 2")
    assert [one.table for one in move.catch_up().stopped] == []
    assert move.refused("account") == [("5", "unique", "email")]
    move.sweep()
    assert _accounts(move) == [(2, "b"), (3, "c"), (4, "d"), (5, "a")]
    assert move.query("SELECT id, account FROM visit ORDER BY id") == [(1, 2), (2, 5)]
    assert move.refused() == []


def test_rows_of_an_existing_table_that_swap_values_land(make_move: MakeMove) -> None:
    move = _loaded(make_move, target=_THERE)
    move.execute("UPDATE account SET note = 'kept ' || id")
    move.write(
        "UPDATE account SET email = 'x' WHERE id = 1; UPDATE account SET email = 'a' WHERE id = 2;"
        "UPDATE account SET email = 'b' WHERE id = 1"
    )
    report = move.sweep()
    assert (report.applied.updated, report.applied.inserted, report.applied.rejected) == (2, 0, 0)
    assert _accounts(move) == [(1, "b"), (2, "a"), (3, "c"), (4, "d")]
    assert move.query("SELECT note FROM account WHERE id < 3 ORDER BY id") == [("kept 1",), ("kept 2",)]


def test_rows_that_all_move_up_by_one_land(make_move: MakeMove) -> None:
    rows = ", ".join(f"({n}, {n})" for n in range(1, 301))
    move = _loaded(
        make_move,
        f"CREATE TABLE line (id INTEGER PRIMARY KEY, place INTEGER UNIQUE); INSERT INTO line VALUES {rows};",
        "CREATE TABLE line (id integer PRIMARY KEY, place integer NOT NULL UNIQUE);",
    )
    move.write("UPDATE line SET place = -place; UPDATE line SET place = 1 - place")
    assert move.sweep().applied.rejected == 0
    assert move.query("SELECT count(*) FROM line WHERE place = id + 1") == [(300,)]


_LINES = "CREATE TABLE line (id INTEGER PRIMARY KEY, place INTEGER UNIQUE);"
_LINES_THERE = "CREATE TABLE line (id integer PRIMARY KEY, place integer NOT NULL UNIQUE);"
_REVERSED = "UPDATE line SET place = -place; UPDATE line SET place = 101 + place WHERE id <= 100"


def _lines(make_move: MakeMove, there: str = "") -> Move:
    """A hundred rows in ten batches."""
    rows = ", ".join(f"({n}, {n})" for n in range(1, 101))
    ini = "[sync]\nbatch_rows = 10\nmax_reject_ratio = 0.05\n"
    return _loaded(make_move, f"{_LINES} INSERT INTO line VALUES {rows};", _LINES_THERE + there, ini)


@pytest.mark.parametrize("in_memory", [spool.IN_MEMORY, 0], ids=["one transaction", "batch by batch"])
def test_rows_of_several_batches_that_wait_for_each_other_land_beside_one_that_never_can(
    make_move: MakeMove, monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", in_memory)
    move = _lines(make_move, "CREATE TABLE visit (id integer PRIMARY KEY, line integer REFERENCES line (id));")
    move.execute("INSERT INTO visit VALUES (1, 5)")
    move.write("DELETE FROM line WHERE id = 5; INSERT INTO line VALUES (200, 5)")
    assert (move.sweep().applied.rejected, move.refused()) == (1, [("200", "unique", "place")])
    move.write(_REVERSED)
    report = move.sweep()
    assert [one.error for one in report.tables] == [""]
    # Row 5 stays for its child, and has the value that row 96 wants.
    assert move.query("SELECT id, place FROM line WHERE place <> 101 - id ORDER BY id") == [(5, 5), (96, 96), (200, -5)]
    assert move.refused() == [("96", "unique", "place")]


def test_a_row_that_cannot_move_keeps_only_those_that_wait_for_it(make_move: MakeMove) -> None:
    """The pair of 1 and 100 would violate a condition at the end of the statement; the other pairs can move."""
    move = _lines(make_move)
    move.execute(
        "CREATE TABLE allowed (id integer, place integer, PRIMARY KEY (id, place));"
        "INSERT INTO allowed SELECT id, place FROM line;"
        "INSERT INTO allowed SELECT id, 101 - id FROM line WHERE id > 1;"
        "ALTER TABLE line ADD FOREIGN KEY (id, place) REFERENCES allowed"
    )
    move.write(_REVERSED)
    move.sweep()
    assert move.query("SELECT id, place FROM line WHERE place <> 101 - id ORDER BY id") == [(1, 1), (100, 100)]
    assert sorted(key for key, _, _ in move.refused()) == ["1", "100"]


def test_rows_that_all_move_up_land_beside_cascading_children(make_move: MakeMove) -> None:
    there = "CREATE TABLE visit (id integer PRIMARY KEY, line integer REFERENCES line (id) ON DELETE CASCADE);"
    move = _lines(make_move, there)
    move.execute("INSERT INTO visit SELECT id, id FROM line")
    move.write("UPDATE line SET place = -place; UPDATE line SET place = 1 - place")
    assert move.sweep().applied.rejected == 0
    assert move.query("SELECT count(*) FROM line WHERE place = id + 1") == [(100,)]
    assert move.query("SELECT count(*) FROM visit") == [(100,)]


def test_rows_that_swap_values_keep_their_children(make_move: MakeMove) -> None:
    """Deleting and inserting a parent in one statement leaves no child behind where its key has no action."""
    move = _loaded(
        make_move,
        _ACCOUNTS,
        _THERE + "CREATE TABLE visit (id integer PRIMARY KEY, account integer REFERENCES account (id));",
    )
    move.execute("INSERT INTO visit VALUES (1, 1), (2, 2)")
    move.write(
        "UPDATE account SET email = 'x' WHERE id = 1; UPDATE account SET email = 'a' WHERE id = 2;"
        "UPDATE account SET email = 'b' WHERE id = 1"
    )
    assert move.sweep().applied.rejected == 0
    assert _accounts(move)[:2] == [(1, "b"), (2, "a")]
    assert move.query("SELECT id, account FROM visit ORDER BY id") == [(1, 1), (2, 2)]


def test_rows_that_swap_values_never_take_cascading_children_along(make_move: MakeMove) -> None:
    move = _loaded(
        make_move,
        _ACCOUNTS,
        _THERE
        + "CREATE TABLE visit (id integer PRIMARY KEY, account integer REFERENCES account (id) ON DELETE CASCADE);",
        "[sync]\nmax_reject_ratio = 1\n",
    )
    move.execute("INSERT INTO visit VALUES (1, 1), (2, 2)")
    move.write(
        "UPDATE account SET email = 'x' WHERE id = 1; UPDATE account SET email = 'a' WHERE id = 2;"
        "UPDATE account SET email = 'b' WHERE id = 1"
    )
    move.sweep()
    assert move.query("SELECT id, account FROM visit ORDER BY id") == [(1, 1), (2, 2)]
    assert move.refused() == [("1", "unique", "email"), ("2", "unique", "email")]


def test_an_expression_and_a_condition_are_seen_as_the_index_sees_them(make_move: MakeMove) -> None:
    move = _loaded(
        make_move,
        "CREATE TABLE account (id INTEGER PRIMARY KEY, email TEXT, active INTEGER);"
        "INSERT INTO account VALUES (1, 'Ann', 1), (2, 'ann', 0);",
        "CREATE TABLE account (id integer PRIMARY KEY, email text, active integer);"
        "CREATE UNIQUE INDEX one_active ON account (lower(email), (active % 2)) WHERE active = 1;",
    )
    move.write("DELETE FROM account WHERE id = 1; INSERT INTO account VALUES (3, 'ANN', 1)")
    assert not move.catch_up().stopped
    assert _accounts(move) == [(2, "ann"), (3, "ANN")]


def test_a_row_excluded_by_one_that_is_gone_lands(make_move: MakeMove) -> None:
    move = _loaded(
        make_move,
        "CREATE TABLE stay (id INTEGER PRIMARY KEY, room INTEGER); INSERT INTO stay VALUES (1, 7), (2, 8);",
        "CREATE TABLE stay (id integer PRIMARY KEY, room integer, EXCLUDE USING btree (room WITH =));",
    )
    move.write("DELETE FROM stay WHERE id = 1; INSERT INTO stay VALUES (3, 7)")
    assert not move.catch_up().stopped
    assert move.query("SELECT id, room FROM stay ORDER BY id") == [(2, 8), (3, 7)]


def test_what_conflicts_even_so_is_rejected_and_judged_then(make_move: MakeMove) -> None:
    """The target is stricter than the source: two rows want one value, and both are there."""
    source = "CREATE TABLE account (id INTEGER PRIMARY KEY, email TEXT); INSERT INTO account VALUES (1, 'a');"
    move = _loaded(make_move, source, "CREATE TABLE account (id integer PRIMARY KEY, email text UNIQUE);")
    move.write("INSERT INTO account VALUES (2, 'a')")
    report = move.catch_up()
    assert [one.table for one in report.stopped] == ["account"]
    assert report.applied.rejected == 1
    assert move.refused() == [("2", "unique", "email")]
    move.write("DELETE FROM account WHERE id = 1")
    assert not move.catch_up().stopped
    assert (_accounts(move), move.refused()) == ([(2, "a")], [])


def test_rows_that_are_to_be_kept_are_not_deleted_for_another(make_move: MakeMove) -> None:
    ini = "[sync]\nmax_reject_ratio = 1\n[table:account]\ndeletes = no\n"
    move = _loaded(make_move, target=_THERE, ini=ini)
    move.write("INSERT OR REPLACE INTO account VALUES (5, 'a', 'took a')")
    move.catch_up()
    assert (1, "a") in _accounts(move)
    assert move.refused() == [("5", "unique", "email")]


def test_a_key_that_may_be_written_in_two_ways_is_never_taken_for_gone(make_move: MakeMove) -> None:
    """The target writes 2.50 where the source writes 2.5: the row that has the value is still there."""
    move = _loaded(
        make_move,
        "CREATE TABLE price (amount NUMERIC PRIMARY KEY, code TEXT); INSERT INTO price VALUES (2.5, 'a');",
        "CREATE TABLE price (amount numeric(6,2) PRIMARY KEY, code text UNIQUE);",
        "[sync]\nmax_reject_ratio = 1\n",
    )
    move.write("INSERT INTO price VALUES (3.5, 'a')")
    move.catch_up()
    assert move.query("SELECT amount::text, code FROM price") == [("2.50", "a")]
    assert len(move.refused()) == 1


REGISTERED = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, email TEXT UNIQUE);
CREATE TABLE bill (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customer ON DELETE CASCADE);
CREATE TABLE line (id INTEGER PRIMARY KEY, bill INTEGER REFERENCES bill ON DELETE CASCADE);
INSERT INTO customer VALUES (1, 'a@x'), (2, 'b@x');
INSERT INTO bill VALUES (1, 1), (2, 1), (3, 2);
INSERT INTO line VALUES (1, 1), (2, 3);
"""


def test_children_wait_for_a_parent_that_wants_what_a_deleted_one_had(
    make_move: MakeMove, open_writer: OpenWriter
) -> None:
    move = _loaded(make_move, REGISTERED)
    writer = open_writer(move.source)
    with move.opened() as sides, closing(Catchup(sides)) as catchup:
        for statement in (
            "DELETE FROM line WHERE bill IN (1, 2)",
            "DELETE FROM bill WHERE customer = 1",
            "DELETE FROM customer WHERE id = 1",
            "INSERT INTO customer VALUES (3, 'a@x')",
            "INSERT INTO bill VALUES (4, 3), (5, 3), (6, 3)",
            "INSERT INTO line VALUES (3, 4), (4, 5)",
        ):
            writer.execute(statement)
        assert not catchup.run().stopped
        sweep(sides, catchup)
        catchup.run()

    assert_every_row_is_equal(move.source, move.dsn)
    assert move.query("SELECT count(*) FROM syncd.reject") == [(0,)]
