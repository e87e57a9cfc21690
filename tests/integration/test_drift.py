"""The source's schema changes while it is kept current: a new column is taken up, all else stops its table."""

import pytest

from syncd.engine.verify.verifying import Asked, verify
from tests.plugins.moving import TOLERANT, MakeMove, Move
from tests.plugins.source import OpenWriter

_ITEMS = """
CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT);
INSERT INTO item VALUES (1, 'a'), (2, 'b');
CREATE TABLE other (id INTEGER PRIMARY KEY);
INSERT INTO other VALUES (1);
"""
_THERE = "CREATE TABLE item (id integer PRIMARY KEY, v text); CREATE TABLE other (id integer PRIMARY KEY);"


@pytest.fixture
def move(make_move: MakeMove) -> Move:
    made = make_move(_ITEMS)
    made.load()
    return made


def _stopped(move: Move) -> dict[str, str]:
    """Make a pass; the tables that it stopped, and why, while the others went on."""
    move.write("INSERT INTO other VALUES (2)")
    stopped = {table.table: table.error for table in move.catch_up().stopped}
    assert move.query("SELECT count(*) FROM other") == [(2,)]
    return stopped


def _error(move: Move) -> str:
    return str(move.query("SELECT error FROM syncd.checkpoint WHERE table_name = 'item'")[0][0])


def _events(move: Move, name: str) -> list[tuple[str, str]]:
    return move.query(f"SELECT table_name, detail FROM syncd.event WHERE event = '{name}' ORDER BY id")


def _not_compared(move: Move) -> dict[str, str]:
    with move.opened() as sides:
        tables = verify(sides, Asked("full")).tables
    assert all(table.found == 0 for table in tables if table.table == "other")
    return {d.table: d.detail for table in tables for d in table.differences if d.kind == "not compared"}


def test_a_new_column_is_added_and_filled(move: Move) -> None:
    move.write("ALTER TABLE item ADD COLUMN grade TEXT DEFAULT 'new'; UPDATE item SET grade = NULL WHERE id = 2")
    assert _stopped(move) == {}
    assert move.query("SELECT id, v, grade FROM item ORDER BY id") == [(1, "a", "new"), (2, "b", None)]
    assert _events(move, "column_added") == [("item", "grade text")]
    assert _not_compared(move) == {}


def test_the_new_columns_type_is_chosen_from_its_values(move: Move) -> None:
    move.write("ALTER TABLE item ADD COLUMN at DATETIME; UPDATE item SET at = '2024-05-01 10:00:00'")
    assert _stopped(move) == {}
    query = "SELECT format_type(atttypid, atttypmod), attnotnull FROM pg_attribute"
    assert move.query(f"{query} WHERE attrelid = 'item'::regclass AND attname = 'at'") == [
        ("timestamp without time zone", False)
    ]
    assert move.query("SELECT at::text FROM item") == [("2024-05-01 10:00:00",)] * 2


def test_columns_are_added_one_after_the_other_to_a_catch_up_that_goes_on(move: Move, open_writer: OpenWriter) -> None:
    """One connection of the target, and its stages, sees both."""
    writer = open_writer(move.source)
    with move.going_on() as catchup:
        writer.execute("INSERT INTO item VALUES (3, 'c')")
        catchup.run()
        writer.execute("ALTER TABLE item ADD COLUMN one INTEGER NOT NULL DEFAULT 7")
        catchup.run()
        writer.execute("ALTER TABLE item ADD COLUMN two TEXT")
        writer.execute("UPDATE item SET two = 'x' WHERE id = 1")
        catchup.run()
        writer.execute("INSERT INTO item VALUES (4, 'd', 8, 'y')")
        catchup.run()
    assert move.query("SELECT id, one, two FROM item ORDER BY id") == [
        (1, 7, "x"), (2, 7, None), (3, 7, None), (4, 8, "y"),
    ]  # fmt: skip


def test_a_sweep_fills_a_new_column_where_no_mark_leads(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE item (id TEXT PRIMARY KEY, v TEXT) WITHOUT ROWID; INSERT INTO item VALUES ('a', 'x');"
    )
    move.load()
    move.write("ALTER TABLE item ADD COLUMN grade TEXT DEFAULT 'new'")
    move.sweep()
    assert move.query("SELECT * FROM item") == [("a", "x", "new")]


def test_a_new_column_of_a_table_that_was_there_stops_it(make_move: MakeMove) -> None:
    move = make_move(_ITEMS, _THERE)
    move.load()
    move.write("ALTER TABLE item ADD COLUMN grade TEXT")
    _stopped(move)
    assert "grade" in _error(move)
    assert "grade" in _not_compared(move)["item"]


def test_a_table_that_was_there_goes_on_when_it_has_the_column(make_move: MakeMove) -> None:
    move = make_move(_ITEMS, _THERE)
    move.load()
    move.write("ALTER TABLE item ADD COLUMN grade TEXT DEFAULT 'new'")
    _stopped(move)
    move.execute("ALTER TABLE item ADD COLUMN grade text")
    assert not move.catch_up().stopped
    assert move.query("SELECT id, grade FROM item ORDER BY id") == [(1, "new"), (2, "new")]
    assert _not_compared(move) == {}


@pytest.mark.parametrize("target", ["", _THERE], ids=["created", "existing"])
def test_a_new_column_that_is_left_out_changes_nothing(make_move: MakeMove, target: str) -> None:
    move = make_move(_ITEMS, target)
    move.load()
    move.write("ALTER TABLE item ADD COLUMN grade TEXT; INSERT INTO item VALUES (3, 'c', 'x')")
    move.configure("[table:item]\nexclude = grade\n")
    assert _stopped(move) == {}
    assert move.query("SELECT * FROM item ORDER BY id") == [(1, "a"), (2, "b"), (3, "c")]
    assert _not_compared(move) == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("ALTER TABLE item RENAME COLUMN v TO w", "the column v is gone and the column w is new: renamed, or dropped"),
        ("ALTER TABLE item DROP COLUMN v", "the column v is gone: dropped"),
        (
            "DROP TABLE item; CREATE TABLE item (id INTEGER, v TEXT, PRIMARY KEY (id, v))",
            "the primary key was (id), now (id, v)",
        ),
        (
            "DROP TABLE item; CREATE TABLE item (id INTEGER PRIMARY KEY, v BLOB)",
            "the column v was declared TEXT, now BLOB",
        ),
        (
            "DROP TABLE item; CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT UNIQUE)",
            "the table was made anew",
        ),
        ("ALTER TABLE item RENAME TO thing", "the source has this table no longer"),
    ],
    ids=["renamed", "dropped", "other key", "other type", "rebuilt", "table renamed"],
)
def test_another_change_stops_the_table_and_is_named(move: Move, change: str, said: str) -> None:
    move.write(change)
    _stopped(move)
    assert said in _error(move)
    assert move.query("SELECT id, v FROM item ORDER BY id") == [(1, "a"), (2, "b")]
    assert move.query("SELECT phase FROM syncd.checkpoint WHERE table_name = 'item'") == [("stopped",)]
    assert [table for table, detail in _events(move, "table_stopped") if said in detail] == ["item"]
    assert said in _not_compared(move)["item"]


def test_a_change_that_was_undone_lets_the_table_go_on(move: Move) -> None:
    move.write("ALTER TABLE item RENAME COLUMN v TO w")
    assert list(_stopped(move)) == ["item"]
    move.write("ALTER TABLE item RENAME COLUMN w TO v; INSERT INTO item VALUES (3, 'c')")
    assert not move.catch_up().stopped
    assert move.query("SELECT count(*) FROM item") == [(3,)]


def test_a_kill_between_the_new_column_and_its_values_leaves_nothing_unfilled(
    move: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The column, the new fingerprint and the mark that begins anew are one transaction."""
    move.write("ALTER TABLE item ADD COLUMN grade TEXT DEFAULT 'new'")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("syncd.engine.reading.Readers.read", killed)
        with pytest.raises(KeyboardInterrupt):
            move.catch_up()
    assert move.query("SELECT grade FROM item") == [(None,), (None,)]
    assert not move.catch_up().stopped
    assert move.query("SELECT grade FROM item") == [("new",), ("new",)]


@pytest.mark.parametrize(
    ("before", "after", "said", "rows"),
    [
        ("where = id > 1", "", "the condition `where` was (id > 1), now none", [(1, "a"), (2, "b"), (3, "c")]),
        ("", "where = id > 1", "the condition `where` was none, now (id > 1)", [(2, "b"), (3, "c")]),
        (
            "check.small = id < 3",
            "check.small = id < 9",
            "the condition `check.small` was (id < 3), now (id < 9)",
            [(1, "a"), (2, "b"), (3, "c")],
        ),
        (
            "column.v = upper(v)",
            "column.v = v || '!'",
            "the target's column v got (upper(v)) as text, now (v || '!') as text",
            [(1, "a!"), (2, "b!"), (3, "c!")],
        ),
    ],
)
@pytest.mark.parametrize("target", ["", _THERE], ids=["created", "existing"])
def test_another_mapping_of_the_same_table_is_taken_up(
    make_move: MakeMove, target: str, before: str, after: str, said: str, rows: list[tuple[int, str]]
) -> None:
    move = make_move(_ITEMS + "INSERT INTO item VALUES (3, 'c');", target)
    move.configure(f"{TOLERANT}[table:item]\n{before}\n")
    move.load()
    move.configure(f"{TOLERANT}[table:item]\n{after}\n")
    assert not move.sweep().refused
    assert move.query("SELECT id, v FROM item ORDER BY id") == rows
    assert _events(move, "mapping_changed") == [("item", said if not target else said.replace(" as text", ""))]
    assert move.query("SELECT count(*) FROM syncd.reject") == [(0,)]
    assert _not_compared(move) == {}


def test_a_column_that_gets_no_value_any_longer_stops_the_table(move: Move) -> None:
    move.configure(TOLERANT + "[table:item]\nexclude = v\n")
    _stopped(move)
    assert "the target's column v gets no value any longer" in _error(move)


def test_another_table_of_the_target_stops_the_table(move: Move) -> None:
    move.configure(TOLERANT + "[table:item]\ntarget = thing\n")
    _stopped(move)
    assert "the target's table was item, now thing" in _error(move)
