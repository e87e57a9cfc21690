"""The merge from the stage: what differs is written, byte by byte, and nothing else."""

from contextlib import closing

import pytest

from syncd.engine.catchup import Catchup
from syncd.engine.sweep import sweep
from tests.plugins.moving import TOLERANT, MakeMove, Move
from tests.plugins.source import OpenWriter

VERSIONS = "SELECT id, xmin::text FROM item ORDER BY id"


def dated(make_move: MakeMove, declared: str, first: str, target: str = "") -> Move:
    """A loaded item whose value is `first`, found by its date."""
    move = make_move(
        f"CREATE TABLE item (id INTEGER PRIMARY KEY, v {declared}, at TEXT);"
        f"INSERT INTO item VALUES (1, {first}, '2024')",
        target and f"CREATE TABLE item (id bigint PRIMARY KEY, v {target}, at text)",
    )
    move.configure(TOLERANT + "[table:item]\nwatermark = date:at\n")
    move.load()
    return move


def test_a_row_that_did_not_change_is_not_written(make_move: MakeMove) -> None:
    move = dated(make_move, "TEXT", "'a'")
    before = move.query(VERSIONS)
    applied = move.catch_up().applied
    assert (applied.inserted, applied.updated) == (0, 0)
    assert move.query(VERSIONS) == before


@pytest.mark.parametrize(
    ("declared", "target", "first", "second", "shown"),
    [
        ("", "double precision", "0.0", "0.0 * -1", "-0"),
        ("", "numeric", "'1.0'", "'1.00'", "1.00"),
        ("", "json", "'{}'", "'{ }'", "{ }"),
        ("", "point", "'(1,2)'", "'(1,3)'", "(1,3)"),
        ("", "box", "'(2,2),(0,0)'", "'(4,1),(0,0)'", "(4,1),(0,0)"),
        ("", "interval", "'1 day'", "'24:00:00'", "24:00:00"),
        ("TEXT COLLATE NOCASE", "text", "'a'", "'A'", "A"),
    ],
    ids=["zero", "scale", "json", "point", "box", "interval", "case"],
)
def test_values_that_postgresql_calls_equal_are_written(
    make_move: MakeMove, declared: str, target: str, first: str, second: str, shown: str
) -> None:
    move = dated(make_move, declared, first, target)
    move.write(f"UPDATE item SET v = {second}")
    assert move.catch_up().applied.updated == 1
    assert move.query("SELECT v::text FROM item") == [(shown,)]


def test_a_table_of_key_columns_alone_merges(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE item (id INTEGER PRIMARY KEY); INSERT INTO item VALUES (1), (2)",
        "CREATE TABLE item (id bigint PRIMARY KEY); INSERT INTO item VALUES (1)",
    )
    assert move.load().applied.inserted == 1
    assert move.query("SELECT id FROM item ORDER BY id") == [(1,), (2,)]


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("TEXT", "'it''s, \n'"),
        ("INTEGER", "7"),
        ("BLOB", "x'00ff'"),
        ("DATETIME", "'2024-01-01T10:00'"),
        ("REAL", "1.5"),
    ],
)
def test_a_row_is_deleted_by_its_key_whatever_its_type(make_move: MakeMove, declared: str, value: str) -> None:
    move = make_move(
        f"CREATE TABLE item (k {declared}, n INTEGER, v INTEGER, at TEXT, PRIMARY KEY (k, n)) WITHOUT ROWID"
    )
    move.configure(TOLERANT + "[table:item]\nwatermark = date:at\n")
    move.load()
    move.write(f"INSERT INTO item VALUES ({value}, 1, 1, '2024'), ({value}, 2, 1, '2024')")
    move.catch_up()
    move.write("UPDATE item SET v = 'bad', at = '2025' WHERE n = 1")
    move.catch_up()
    move.write("DELETE FROM item WHERE n = 1")
    move.catch_up()
    assert move.query("SELECT n FROM item") == [(2,)]


def test_rejects_of_many_tables_of_one_pass_stay_apart(make_move: MakeMove) -> None:
    tables = "".join(f"CREATE TABLE t{n} (id INTEGER PRIMARY KEY, v INTEGER);" for n in range(20))
    move = make_move(tables)
    move.load()
    move.write("".join(f"INSERT INTO t{n} VALUES (1, {n}), (2, 'x');" for n in range(20)))
    move.catch_up()
    assert [move.query(f"SELECT v FROM t{n}") for n in range(20)] == [[(n,)] for n in range(20)]
    assert len(move.rejects()) == 20


def test_a_stage_keeps_no_statements_of_rounds_that_are_over(make_move: MakeMove, open_writer: OpenWriter) -> None:
    move = make_move("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
    move.load()
    writer = open_writer(move.source)
    with move.opened() as sides, closing(Catchup(sides)) as catchup:
        for number in range(5):
            writer.execute(f"INSERT INTO t (v) VALUES ({number})")
            assert sweep(sides, catchup).applied.inserted == 1

        assert len(catchup.stage._merges) <= 2
