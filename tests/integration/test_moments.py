"""Moments that the source keeps as numbers: found by the values, and kept so for as long as the table is moved."""

import pytest

from tests.plugins.moving import MakeMove, Move
from tests.plugins.verifying import full

EPOCH = """
CREATE TABLE seen (id INTEGER PRIMARY KEY, at DATETIME);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
INSERT INTO seen SELECT i, 1700000000 + i FROM n;
"""
SECONDS = "SELECT id, extract(epoch FROM at)::bigint FROM seen WHERE id > 499 ORDER BY id"


@pytest.fixture
def move(make_move: MakeMove) -> Move:
    loaded = make_move(EPOCH)
    loaded.load()
    return loaded


def test_what_was_loaded_verifies(move: Move) -> None:
    assert full(move).found == 0


def test_passes_go_on_reading_numbers(move: Move) -> None:
    move.write("INSERT INTO seen VALUES (501, 1800000000)")
    move.catch_up()
    assert move.query(SECONDS) == [(500, 1700000500), (501, 1800000000)]
    assert not move.rejects()


def test_one_bad_value_does_not_change_how_the_others_are_read(move: Move) -> None:
    move.write("INSERT INTO seen VALUES (501, 'soon'), (502, 1800000002); UPDATE seen SET at = 5 WHERE id = 500")
    move.sweep()
    assert move.query(SECONDS) == [(500, 5), (502, 1800000002)]
    assert [key for key, _, _ in move.refused()] == ["501"]


def test_a_new_column_of_numbers_is_taken_up(move: Move) -> None:
    move.write("ALTER TABLE seen ADD COLUMN gone TIMESTAMP; UPDATE seen SET gone = at + 1")
    move.catch_up()
    move.sweep()
    assert move.query("SELECT DISTINCT extract(epoch FROM gone - at)::bigint FROM seen") == [(1,)]
    move.write("UPDATE seen SET gone = at + 1; INSERT INTO seen VALUES (501, 1800000000, 1800000001)")
    move.sweep()
    assert full(move).found == 0
    assert not move.rejects()


def test_a_load_that_was_interrupted_goes_on_reading_numbers(make_move: MakeMove) -> None:
    move = make_move(EPOCH)
    move.configure("[sync]\nbatch_rows = 50\nworkers = 1\n")
    move.load_for(2)
    move.load()
    assert full(move).found == 0
    assert not move.rejects()
