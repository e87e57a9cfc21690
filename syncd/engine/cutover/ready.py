"""The ready check: whether a cutover may begin, and how long it will stop writes."""

import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from syncd.config import FenceKind, SealKind
from syncd.engine import timescale
from syncd.engine.cutover import hooks
from syncd.engine.cutover.asked import Asked
from syncd.engine.cutover.prediction import Prediction, predict
from syncd.engine.forgetting import gone
from syncd.engine.sides import Sides
from syncd.engine.soundness import is_unchecked, last_damage
from syncd.engine.timescale.steps import Kind
from syncd.errors import RefusedError, StopError, TableError
from syncd.model import PassReport, Phase
from syncd.plan import ROWID_KEY, Plan
from syncd.source import seal
from syncd.source.fence import confirm_writable
from syncd.target import control, ddl, promotion, proven, replacing, sequences
from syncd.target.control import Control
from syncd.target.database import translated
from syncd.target.state import Checkpoint
from syncd.wording import counted

_PENDING = (Kind.HYPERTABLE, Kind.INDEX, Kind.COMPRESSION, Kind.AGGREGATE)
LAG_SECONDS = 10.0
"""A target that is further behind would keep writers waiting; a writer ahead of it is normal."""


@dataclass(frozen=True)
class Obstacle:
    """Something in the way of a cutover, or, where it is a `warning`, something to know."""

    subject: str
    said: str
    warning: bool = False


@dataclass(frozen=True)
class ReadyReport:
    """GO where nothing is in the way. `lag` is how many seconds the target was behind; `tables` how many there are."""

    obstacles: tuple[Obstacle, ...]
    prediction: Prediction
    lag: float
    tables: int

    @property
    def is_go(self) -> bool:
        return all(obstacle.warning for obstacle in self.obstacles)


def pauses(sides: Sides) -> tuple[Control, ...]:
    """What somebody paused. Throttles slow down the daemon alone."""
    asked = control.read(sides.control, sides.state.source_name)
    return tuple(replace(one, rows_per_second=None) for one in asked if one.paused)


def look(sides: Sides, plan: Plan, asked: Asked, last: PassReport, paused: tuple[Control, ...]) -> ReadyReport:
    """Look at everything that could end a cutover behind the fence.

    `last` is the pass that was just made, `paused` what it left alone.
    """
    with translated():
        known = sides.checkpoints()
        found = (
            *_soundness(sides),
            *tables(plan, known),
            *_paused(paused),
            *_lag(last),
            *_rejects(sides, asked),
            *_verified(sides, plan, asked),
            *_rights(sides, plan),
            *_final_form(sides, plan),
            *_means(sides),
            *_shape(sides),
        )
        return ReadyReport(found, predict(sides, plan, asked, last.seconds), last.seconds, len(plan.tables))


def _soundness(sides: Sides) -> Iterator[Obstacle]:
    if damage := last_damage(sides):
        yield Obstacle("source", f"the database is damaged: {damage}; mend it, then syncd load")
    elif is_unchecked(sides):
        said = f"the check of its structure never ended; syncd sync makes it, with room for a copy in {sides.state_dir}"
        yield Obstacle("source", said)


def _shape(sides: Sides) -> Iterator[Obstacle]:
    """What TimescaleDB still has to do that takes long; aggregates are refreshed behind the fence."""
    if not timescale.is_configured(sides):
        return
    try:
        report = timescale.preview(sides)
    except (TableError, StopError) as error:
        yield Obstacle("timescale", error.what)
        return
    for step in report.steps:
        if step.kind in _PENDING:
            yield Obstacle(step.relation, f"{step.kind}: still to be done: syncd timescale")
    for refused in report.refused:
        yield Obstacle(refused.where, refused.what)


def tables(plan: Plan, known: Mapping[str, Checkpoint]) -> Iterator[Obstacle]:
    """The tables whose rows would stay behind: not loaded, at a standstill, or not what they were when loaded."""
    for error in plan.refused:
        yield Obstacle(error.where, f"its rows would stay behind: {error.what}: {error.advice}")
    for table in plan.tables:
        checkpoint = known.get(table.name)
        if checkpoint is None or checkpoint.phase is Phase.LOAD:
            yield Obstacle(table.name, "it is not loaded")
        elif checkpoint.phase is Phase.STOPPED:
            yield Obstacle(table.name, f"it stands still: {checkpoint.error}")
        elif checkpoint.fingerprint != table.fingerprint:
            yield Obstacle(table.name, "its definition or its mapping is not the one that it was loaded with")
        elif checkpoint.error:
            yield Obstacle(table.name, checkpoint.error)
    yield from _left_out(plan, known)


def _left_out(plan: Plan, known: Mapping[str, Checkpoint]) -> Iterator[Obstacle]:
    for skipped in plan.skipped:
        if skipped.name in known or skipped.name in plan.gone:
            said = f"it was loaded, and is {skipped.reason} now: its rows are not kept current, and not compared"
            yield Obstacle(skipped.name, said, warning=True)
    told = {table.name for table in plan.tables} | {skipped.name for skipped in plan.skipped}
    for name in known.keys() - told - {error.where for error in plan.refused}:
        error = gone(name)
        yield Obstacle(name, f"{error.what}: {error.advice}")


def _paused(paused: tuple[Control, ...]) -> Iterator[Obstacle]:
    """Whoever paused something has a reason, which whoever cuts over may not know."""
    for asked in paused:
        resume = f"syncd resume {shlex.quote(asked.table)}" if asked.table else "syncd resume"
        yield Obstacle(asked.table or "every table", f"paused by {asked.who}, {asked.since}: {resume}")


def _lag(last: PassReport) -> Iterator[Obstacle]:
    if last.seconds > LAG_SECONDS:
        yield Obstacle("lag", f"the last pass took {last.seconds:.1f} s, more than {LAG_SECONDS:g} s")


def _rejects(sides: Sides, asked: Asked) -> Iterator[Obstacle]:
    counts = {table.table: table.rejects for table in sides.state.tables(sides.control)}
    for name, count in counts.items():
        accepted = asked.accepted.get(name)
        if count and accepted is None:
            yield Obstacle(name, f"{count} rejected rows; syncd rejects list, or --accept-rejects {name}={count}")
        elif accepted is not None and count > accepted:
            yield Obstacle(name, f"{count} rejected rows, and {accepted} of them are accepted")
        elif count:
            yield Obstacle(
                name, f"{count} rejected rows will be missing or old in PostgreSQL, as accepted", warning=True
            )
    for name in asked.accepted.keys() - counts.keys():
        yield Obstacle(name, "--accept-rejects names a table that is not loaded")


def _verified(sides: Sides, plan: Plan, asked: Asked) -> Iterator[Obstacle]:
    last = sides.state.last_verify(sides.control)
    if last is None:
        yield Obstacle("verify", "there was no verify yet", warning=True)
    elif last.differences:
        yield Obstacle(
            "verify", f"the last one, at {last.at}, found {counted(last.differences, 'difference')}", warning=True
        )
    if asked.verify == "changed":
        known = proven.tables(sides.control, sides.state.source_name)
        for table in plan.tables:
            if table.name not in known:
                said = "no full verify has found it equal yet, so it will be compared in full"
                yield Obstacle(table.name, said, warning=True)
    elif last is not None and not last.differences:
        yield Obstacle("verify", f"the last one ({last.mode}), at {last.at}, found no difference", warning=True)


def _rights(sides: Sides, plan: Plan) -> Iterator[Obstacle]:
    targets = {table.target: table.created for table in plan.tables}
    created = [target for target, is_created in targets.items() if is_created]
    for target in promotion.not_owned(sides.control, sides.schema, created):
        yield Obstacle(
            target, "the role of the target does not own it, and cannot give its constraints their final form"
        )
    needed = any(replacing.left_to_promotion(sides.control, sides.schema, table) for table in plan.tables)
    if needed and not promotion.may_create(sides.control, sides.schema):
        said = f"no right to create in the schema {sides.schema}, where the final form of unique constraints needs it"
        yield Obstacle("target", f"{said}: GRANT CREATE ON SCHEMA {sides.schema} TO ...")
    for sequence in sequences.used(sides.control, sides.schema, targets):
        if not sequence.may_be_set:
            yield Obstacle(f"{sequence.table}.{sequence.column}", f"no right to set the sequence {sequence.name}")


def _final_form(sides: Sides, plan: Plan) -> Iterator[Obstacle]:
    for table, what in promotion.keeping_rowid(sides.control, sides.schema, plan.tables):
        said = f"{what} uses the column {ROWID_KEY}, which the promotion drops: make it anew without, or drop it"
        yield Obstacle(table, said)
    for one in plan.tables:
        if one.created and (names := ddl.lacking(sides.control, sides.schema, one)):
            said = f"not there, as its rows did not permit it: {', '.join(names)}; syncd load creates keys once they do"
            yield Obstacle(one.name, said, warning=True)


def _means(sides: Sides) -> Iterator[Obstacle]:
    config = sides.config
    try:
        confirm_writable(sides.source.path)
    except RefusedError as error:
        yield Obstacle("fence", str(error))
    if config.cutover.seal is SealKind.RENAME:
        try:
            seal.confirm_free(sides.source.path)
        except RefusedError as error:
            yield Obstacle("seal", str(error))
    if config.cutover.fence is FenceKind.COMMAND and not config.hooks.on_fence:
        yield Obstacle("fence", "fence = command needs the hook on_fence, which stops the application")
    for name, program in hooks.missing(config.hooks):
        yield Obstacle(f"[hooks] {name}", f"there is no program {program} that may be executed")
    size = sides.source.path.stat().st_size
    if shutil.disk_usage(sides.state_dir).free < 2 * size:
        said = f"{sides.state_dir} has no room for two copies of the source: the sweep will take much longer"
        yield Obstacle("room", said, warning=True)
