"""How long writes will be stopped: the parts, each as it was measured last."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from syncd.engine.cutover.asked import Asked
from syncd.engine.sides import Sides
from syncd.model import Stage
from syncd.plan import Plan
from syncd.target import proven, replacing
from syncd.target.cutover import CutoverState
from syncd.wording import counted

REHEARSED = "rehearsed"
"""The event that keeps how long each step of a rehearsal took."""
_FENCE_SECONDS = 0.03
_SEQUENCE_SECONDS = 0.003
_VERIFIED_ROWS_PER_SECOND = 150_000
_LOOKED_UP_PER_SECOND = 40_000
_INDEXED_ROWS_PER_SECOND = 1_500_000
_CHECKED_ROWS_PER_SECOND = 4_000_000
"""Measured on 2 cores; what was measured on this very machine stands in for them wherever there is such."""
_STOPPED = (Stage.FENCE, Stage.FINAL_DRAIN, Stage.SWEEP, Stage.VERIFY, Stage.SEQUENCES, Stage.FINISH)


@dataclass(frozen=True)
class Part:
    """One step, its predicted seconds, and where they come from."""

    step: str
    seconds: float
    why: str


@dataclass(frozen=True)
class Prediction:
    """The time for which writes will be stopped."""

    parts: tuple[Part, ...]

    @property
    def seconds(self) -> float:
        return sum(part.seconds for part in self.parts)


def predict(sides: Sides, plan: Plan, asked: Asked, pass_seconds: float, *, drained: bool = False) -> Prediction:
    """Predict each step behind the fence from the last time that it was measured, else from the number of rows.

    Once the drain is over it is known which indexes it could build.
    """
    measured = _measured(sides, asked)
    guessed = {
        Stage.FENCE: (_FENCE_SECONDS, "the lock, and a second process that proves it"),
        Stage.FINAL_DRAIN: (pass_seconds, "the pass that was just made"),
        Stage.SWEEP: _last_sweep(sides),
        Stage.VERIFY: _verify(sides, plan, asked),
        Stage.SEQUENCES: (_SEQUENCE_SECONDS * len(plan.tables), "by the number of tables"),
        Stage.FINISH: _finish(sides, plan, drained=drained),
    }
    return Prediction(tuple(Part(stage, *measured.get(stage, guessed[stage])) for stage in _STOPPED))


def _measured(sides: Sides, asked: Asked) -> Mapping[Stage, tuple[float, str]]:
    """Steps that a rehearsal, or an attempt that was aborted behind the fence, has measured."""
    rows = sides.control.execute(
        "SELECT detail FROM syncd.event WHERE source_name = %s AND event = %s ORDER BY id DESC LIMIT 1",
        [sides.state.source_name, REHEARSED],
    ).fetchall()
    found: dict[Stage, tuple[float, str]] = {}
    if rows:
        document = json.loads(rows[0][0])
        if document["verify"] == asked.verify:
            found |= {Stage(step): (seconds, "the rehearsal") for step, seconds in document["steps"].items()}
    status = CutoverState(sides.state.source_name).read(sides.control)
    kinds = {Stage.SWEEP, Stage.SEQUENCES} | ({Stage.VERIFY} if asked.verify == "full" else set())
    for step in status.steps if status else ():
        of_this_kind = step.step != Stage.VERIFY or step.detail.startswith(asked.verify)
        if step.outcome == "done" and step.seconds is not None and Stage(step.step) in kinds and of_this_kind:
            found[Stage(step.step)] = (step.seconds, "the last attempt")
    return found


def _last_sweep(sides: Sides) -> tuple[float, str]:
    rows = sides.control.execute(
        "SELECT detail FROM syncd.event WHERE source_name = %s AND event = 'swept' ORDER BY id DESC LIMIT 1",
        [sides.state.source_name],
    ).fetchall()
    told = re.search(r"seconds: ([\d.]+)", rows[0][0]) if rows else None
    if told:
        return float(told[1]), "the last sweep"
    return 3 * _copy_seconds(sides), "by the size of the source; there was no sweep yet"


def _copy_seconds(sides: Sides) -> float:
    """A private copy of 240 MB took 0.4 s."""
    return 0.4 * sides.source.path.stat().st_size / 240e6


def _verify(sides: Sides, plan: Plan, asked: Asked) -> tuple[float, str]:
    last = sides.state.last_verify(sides.control)
    rows = _rows(sides, plan)
    if asked.verify == "changed":
        name = sides.state.source_name
        known = proven.tables(sides.control, name)
        keys = sum(proven.count_written(sides.control, name, table) for table in known)
        rest = sum(count for table, count in rows.items() if table not in known)
        seconds = 0.1 + keys / _LOOKED_UP_PER_SECOND + rest / _VERIFIED_ROWS_PER_SECOND
        return (
            seconds,
            f"{counted(keys, 'row')} written since a full verify, {counted(rest, 'row')} in tables without one",
        )
    if last is not None and last.compared_seconds:
        return last.compared_seconds + _copy_seconds(sides), "the last full verify"
    return 0.5 + sum(rows.values()) / _VERIFIED_ROWS_PER_SECOND, "by the number of rows; there was no full verify yet"


def _finish(sides: Sides, plan: Plan, *, drained: bool) -> tuple[float, str]:
    """Foreign keys with actions are checked, and those unique indexes built that could not be built before."""
    rows, connection = _rows(sides, plan), sides.control
    seconds = 0.1
    for table in plan.tables:
        if table.created:
            count = rows.get(table.name, 0)
            is_left = drained or not replacing.is_built_before(connection, sides.schema, table)
            rebuilt = replacing.left_to_promotion(connection, sides.schema, table) if is_left else 0
            checked = sum((key.on_update, key.on_delete) != ("NO ACTION", "NO ACTION") for key in table.foreign_keys)
            seconds += rebuilt * count / _INDEXED_ROWS_PER_SECOND + checked * count / _CHECKED_ROWS_PER_SECOND
    return seconds, "by the number of rows in the indexes to build"


def _rows(sides: Sides, plan: Plan) -> Mapping[str, int]:
    """How many rows each table has, as PostgreSQL estimates it."""
    found: dict[str, int] = dict(
        sides.control.execute(
            "SELECT relname, greatest(reltuples, 0)::bigint FROM pg_class"
            " WHERE relnamespace = to_regnamespace(quote_ident(%s))",
            [sides.schema],
        ).fetchall()
    )
    return {table.name: int(found.get(table.target, 0)) for table in plan.tables}
