"""The check of the source's structure: one that never ended is made by the next load."""

from contextlib import suppress

import pytest

from syncd.engine.load import load
from syncd.engine.progress import Silent
from syncd.errors import SourceError
from syncd.model import Phase
from tests.plugins.damage import damage_last_page
from tests.plugins.moving import MakeMove, Move

_SOURCE = """
CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO item VALUES (1, 'one');
CREATE TABLE large (id INTEGER PRIMARY KEY, name TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
INSERT INTO large SELECT i, hex(randomblob(50)) FROM n;
CREATE INDEX large_name ON large (name);
"""
_PHASES = "SELECT phase FROM syncd.checkpoint"


def load_and_no_more(move: Move) -> None:
    """Stop as soon as every table is loaded, and wait for no check."""
    with move.opened() as sides, suppress(SourceError):
        load(sides, Silent(), lambda: move.query(_PHASES) == [(Phase.CATCHUP,)])


def test_a_check_that_was_not_waited_for_is_made_by_the_next_load(make_move: MakeMove) -> None:
    move = make_move(_SOURCE)
    move.configure("[sync]\ntables = item\n")
    sound = move.source.read_bytes()
    damage_last_page(move.source, "large_name")
    load_and_no_more(move)
    assert move.query("SELECT name FROM item") == [("one",)]

    for _ in range(2):
        with pytest.raises(SourceError, match="the database is damaged"):
            move.load()

    move.source.write_bytes(sound)
    assert move.load().stopped == ()
