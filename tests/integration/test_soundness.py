"""The check of the source's structure: one that never ended is made by the next load."""

from contextlib import suppress
from pathlib import Path

import pytest

from syncd.engine.load import load
from syncd.engine.progress import Silent
from syncd.errors import SourceError
from syncd.model import Phase
from tests.plugins.cli import RunSyncd
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


class DeathError(BaseException):
    """The end of the process."""


def load_and_die(move: Move) -> None:
    """Die as soon as every table is loaded: whatever the check says, nobody writes it down."""

    def dying() -> bool:
        if move.query(_PHASES) == [(Phase.CATCHUP,)]:
            raise DeathError
        return False

    with move.opened() as sides, suppress(DeathError):
        load(sides, Silent(), dying)


def test_a_check_that_never_ended_is_made_by_the_next_load(make_move: MakeMove) -> None:
    move = make_move(_SOURCE)
    move.configure("[sync]\ntables = item\n")
    sound = move.source.read_bytes()
    damage_last_page(move.source, "large_name")
    load_and_die(move)
    assert move.query("SELECT name FROM item") == [("one",)]

    for _ in range(2):
        with pytest.raises(SourceError, match="the database is damaged"):
            move.load()

    move.source.write_bytes(sound)
    assert move.load().stopped == ()


def test_a_check_that_never_ended_is_in_the_way_of_a_cutover_until_a_pass_makes_it(
    make_move: MakeMove, run_syncd: RunSyncd, tmp_path: Path
) -> None:
    move = make_move(_SOURCE)
    move.configure("[sync]\ntables = item\n")
    load_and_die(move)
    sides = ("-c", tmp_path / "syncd.ini", "--source", move.source, "--target", move.dsn)

    checked = run_syncd("cutover", "--check", *sides)
    assert (checked.returncode, "check of its structure never ended" in checked.stdout) == (4, True), checked.stdout
    assert run_syncd("cutover", "--yes", *sides).returncode == 4

    assert run_syncd("sync", *sides).returncode == 0
    checked = run_syncd("cutover", "--check", *sides)
    assert checked.returncode == 0, checked.stdout
