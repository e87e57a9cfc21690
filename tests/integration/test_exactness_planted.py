"""The search for a counterexample finds the faults that would make the copy inexact, so it would find them again."""

from collections import deque
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from psycopg.sql import SQL

from syncd.engine.catchup import Catchup
from syncd.engine.reading import NO_BASE
from syncd.model import PassReport
from syncd.source import ranges, snapshot
from syncd.source.database import Database
from syncd.target import touched
from syncd.target.database import Connection
from syncd.target.deleting import Deleted
from syncd.target.stage import Stage
from syncd.target.state import Checkpoint, State
from syncd.target.touched import Touch
from tests.plugins.exactness import CounterexampleError, Exactness, MakeWorld

Plant = Callable[[pytest.MonkeyPatch], None]
RULES = frozenset(
    [
        "make_pass",
        "make_sweep",
        "die_in_a_pass",
        "die_in_a_sweep",
        "live_between_two_sweeps",
        "go_and_come_back",
        "write_while_stopped",
        "heal",
    ]
)


def checkpoint_before_commit(patch: pytest.MonkeyPatch) -> None:
    """Checkpoints are committed by themselves, before the rows."""
    save = State.save

    def saved(state: State, connection: Connection, *checkpoints: Checkpoint) -> None:
        with closing(psycopg.connect(connection.info.dsn, autocommit=True)) as other:
            save(state, other, *checkpoints)

    patch.setattr(State, "save", saved)


def ties_left_out(patch: pytest.MonkeyPatch) -> None:
    """Rows at the very date of the mark are not read again."""
    beyond = ranges.beyond
    patch.setattr(ranges, "beyond", lambda plan, mark, until, **_: beyond(plan, mark, until, ties=False))


def deletes_skipped(patch: pytest.MonkeyPatch) -> None:
    """Rows that are gone stay in the target."""
    patch.setattr(Stage, "delete", lambda *_: Deleted())


def touched_not_kept(patch: pytest.MonkeyPatch) -> None:
    """What passes applied is not remembered."""
    patch.setattr(Touch, "staged", lambda *_: SQL("SELECT"))


def touched_kept_too_short(patch: pytest.MonkeyPatch) -> None:
    """A sweep forgets also the keys of rows that were read after its snapshot was taken."""
    forget = touched.forget
    patch.setattr(
        touched, "forget", lambda connection, name, tables, round_: forget(connection, name, tables, round_ + 1)
    )


def base_before_commit(patch: pytest.MonkeyPatch) -> None:
    """The new snapshot is the base before what differs in it was applied."""
    run, rebase, names = Catchup.run, Catchup.rebase, deque[str](maxlen=1)
    take = snapshot.take

    def taken(source: Database, state_dir: Path) -> str:
        names.append(take(source, state_dir))
        return names[0]

    def ran(catchup: Catchup, **options: Any) -> PassReport:
        if images := options.get("next_base", NO_BASE).images:
            rebase(catchup, list(images), names[0], "too early")
        return run(catchup, **options)

    patch.setattr(snapshot, "take", taken)
    patch.setattr(Catchup, "run", ran)


@pytest.mark.parametrize(
    ("plant", "tables", "rules"),
    [
        (checkpoint_before_commit, ("ledger",), ("die_in_a_pass",)),
        (ties_left_out, ("stamped",), ("make_pass",)),
        (deletes_skipped, ("item",), ("make_sweep",)),
        (touched_not_kept, ("item", "loose"), ("live_between_two_sweeps", "make_sweep")),
        (touched_kept_too_short, ("item", "loose"), ("go_and_come_back", "make_sweep")),
        (base_before_commit, ("item",), ("die_in_a_sweep",)),
    ],
)
def test_a_planted_fault_is_found(
    plant: Plant,
    tables: tuple[str, ...],
    rules: tuple[str, ...],
    make_world: MakeWorld,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Few tables and few rules, so that more of it happens; the same stories in each run."""
    world = make_world(*tables)
    plant(monkeypatch)

    class Here(Exactness):
        def __init__(self) -> None:
            super().__init__(world)

    for left_out in RULES.difference(rules, ["heal"]):
        setattr(Here, left_out, None)
    with pytest.raises(CounterexampleError):
        run_state_machine_as_test(
            seed(1)(Here),
            settings=settings(
                database=None,
                deadline=None,
                max_examples=300,
                stateful_step_count=8,
                report_multiple_bugs=False,
                phases=(Phase.generate,),
                suppress_health_check=list(HealthCheck),
            ),
        )
