"""The rehearsal: a whole cutover of a private copy of the source into a scratch schema, to know how long it takes."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from syncd.config import Config, CutoverConfig, HooksConfig
from syncd.engine import timescale
from syncd.engine.catchup import Catchup
from syncd.engine.cutover.asked import Asked
from syncd.engine.cutover.prediction import REHEARSED, Prediction, predict
from syncd.engine.cutover.progress import Checklist
from syncd.engine.cutover.running import cut_over
from syncd.engine.load import load
from syncd.engine.progress import Silent
from syncd.engine.sides import Ownership, Sides, opened, state_home
from syncd.engine.sweep import sweep
from syncd.engine.verify import Asked as VerifyAsked
from syncd.engine.verify import verify
from syncd.errors import NotReadyError
from syncd.model import digest
from syncd.plan import Plan
from syncd.source import snapshot
from syncd.target import scratch
from syncd.target.database import Target


@dataclass(frozen=True)
class Rehearsed:
    """The prediction for the real cutover, and what the rehearsal of it measured; seconds by step."""

    predicted: Prediction
    measured: Mapping[str, float]
    stopped_seconds: float


def rehearse(sides: Sides, asked: Asked, checklist: Checklist) -> Rehearsed:
    """Rehearse with a copy of what the source holds now; source, target and daemon go on as before.

    It needs room for another copy of the data on both sides, and runs no hook. Predictions use what it measured.
    """
    if not sides.checkpoints():
        raise NotReadyError("nothing is loaded yet", where=str(sides.source.path), advice="First: syncd load")
    there = sides.look_at_target()
    with sides.source.transaction() as connection:
        plan = sides.plan(connection, there)
    predicted = predict(sides, plan, asked, pass_seconds=0.1)
    key = _key(sides)
    with (
        _copied(sides, key) as source,
        scratch.schema(sides.control, key, sides.schema, _there_before(plan), str(source)) as name,
    ):
        config, target = _settings(sides.config, source, plan), replace(sides.target, schema=name)
        checklist.note("loading a copy of the source")
        with opened(config, target, Ownership.TAKE) as rehearsed:
            load(rehearsed, Silent())
            _prepare(rehearsed, asked)
        measured, stopped = _cut_over(config, target, asked, checklist)
    _keep(sides, asked, measured)
    return Rehearsed(predicted, measured, stopped)


def _there_before(plan: Plan) -> tuple[str, ...]:
    """Tables that syncd did not create: the scratch schema gets tables like them."""
    return tuple(table.target for table in plan.tables if not table.created)


def _key(sides: Sides) -> str:
    """A name for the rehearsals of this source into this target: what one leaves that is killed, the next one finds.

    The lock of the cutover keeps two of them apart.
    """
    known = sides.state.source(sides.control)
    return digest(sides.state.source_name, known.target_id if known else "")


@contextmanager
def _copied(sides: Sides, key: str) -> Iterator[Path]:
    folder = state_home(sides.config) / f"rehearsal-{key}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    try:
        with sides.source.transaction():
            name = snapshot.take(sides.source, folder)
        yield snapshot.path_of(folder, name).rename(folder / "rehearsal.db")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _settings(config: Config, source: Path, plan: Plan) -> Config:
    """The same, but for the source, what reaches out to the application, and tables that are no copies of its."""
    carried = {table.target for table in plan.tables}
    return config.model_copy(
        update={
            "source": config.source.model_copy(update={"path": source}),
            "sync": config.sync.model_copy(update={"state_dir": source.parent, "max_reject_ratio": 1.0}),
            "indexes": {name: index for name, index in config.indexes.items() if index.table in carried},
            "cutover": CutoverConfig(deadline=config.cutover.deadline),
            "hooks": HooksConfig(),
        }
    )


def _prepare(sides: Sides, asked: Asked) -> None:
    """What a daemon and its people have done by the night of the cutover: the shape, sweeps, perhaps a full verify."""
    if timescale.is_configured(sides):
        timescale.shape(sides, Silent())
    catchup = Catchup(sides)
    try:
        sweep(sides, catchup)
    finally:
        catchup.close()
    if asked.verify == "changed":
        verify(sides, VerifyAsked("full"))


def _cut_over(config: Config, target: Target, asked: Asked, checklist: Checklist) -> tuple[Mapping[str, float], float]:
    with opened(config, target, Ownership.TAKE) as sides:
        rejects = {table.table: table.rejects for table in sides.state.tables(sides.control) if table.rejects}
        report = cut_over(sides, replace(asked, accepted=rejects), checklist)
    steps = {step.step: step.seconds or 0.0 for step in report.record.steps}
    return steps, report.record.stopped_seconds or 0.0


def _keep(sides: Sides, asked: Asked, measured: Mapping[str, float]) -> None:
    steps = ("fence", "final drain", "sweep", "verify", "sequences", "finish")
    told = {"verify": asked.verify, "steps": {step: round(measured[step], 3) for step in steps}}
    sides.state.record(sides.control, "INFO", REHEARSED, detail=json.dumps(told))
