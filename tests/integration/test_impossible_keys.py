"""Keys that the type of the target's column cannot hold: their rows are rejected, and nothing waits for their end."""

import pytest

from tests.plugins.cli import RunSyncd
from tests.plugins.moving import MakeMove, Move
from tests.plugins.verifying import full

_KEYS = {
    "rowid": ("INTEGER", "integer", "1", "3000000000", "3000000001"),
    "date": ("TEXT", "date", "'2024-01-01'", "'2024-02-30'", "'2024-02-31'"),
}
"""What the source declares, the target's type, a key that fits it and two that do not."""


@pytest.fixture(params=[*_KEYS.values()], ids=[*_KEYS])
def move(request: pytest.FixtureRequest, make_move: MakeMove) -> Move:
    """A row that landed and two that cannot, one of which a pass brought."""
    declared, type_, good, bad, later = request.param
    move = make_move(
        f"CREATE TABLE t (k {declared} PRIMARY KEY, v INTEGER); INSERT INTO t VALUES ({good}, 1), ({bad}, 2)",
        f"CREATE TABLE t (k {type_} PRIMARY KEY, v bigint)",
    )
    move.load()
    move.write(f"INSERT INTO t VALUES ({later}, 3)")
    move.catch_up()
    assert len(move.rejects()) == 2
    return move


def test_a_pass_lets_their_rows_go(move: Move) -> None:
    move.write("DELETE FROM t WHERE v > 1")
    assert not move.catch_up().stopped
    assert not move.rejects()


def test_a_sweep_deletes_what_else_is_gone(move: Move) -> None:
    move.write("DELETE FROM t")
    report = move.sweep()
    assert (report.as_pass.stopped, report.applied.deleted) == ((), 1)
    assert move.query("SELECT * FROM t") == []
    assert not move.rejects()


def test_a_cutover_that_verifies_what_changed_passes_them_by(move: Move, run_syncd: RunSyncd) -> None:
    assert full(move).found == 0
    move.write("DELETE FROM t WHERE v > 1")
    move.sweep()
    done = run_syncd("cutover", "--yes", "--verify", "changed", "--source", move.source, "--target", move.dsn)
    assert (done.returncode, move.query("SELECT v FROM t")) == (0, [(1,)]), done.stdout + done.stderr
