"""Carrying out the steps: each kind for every relation, in the order of the kinds, planned anew before each.

A step that was interrupted is found again by what the target lacks: nothing is remembered beside it.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from syncd.engine.progress import Progress
from syncd.engine.sides import Sides
from syncd.engine.timescale import planning, policies, relations
from syncd.engine.timescale.planning import Ground
from syncd.engine.timescale.steps import Kind, Step
from syncd.errors import ConfigError, NotReadyError, SchemaError, StopError, TableError
from syncd.log import event
from syncd.model import Phase
from syncd.plan import Plan
from syncd.target import catalog
from syncd.target.database import Connection, translated
from syncd.target.stall import guard
from syncd.target.timescale import detection, refreshing, statements, tables
from syncd.target.timescale.refusal import refusing
from syncd.target.timescale.session import prepared


@dataclass(frozen=True)
class ShapeReport:
    """What was done, or would be: `waiting` steps are for after promotion, `refused` tells what cannot be, and why.

    `unloaded` are configured tables that no load has finished.
    """

    version: str
    steps: tuple[Step, ...] = ()
    waiting: tuple[Step, ...] = ()
    refused: tuple[SchemaError, ...] = ()
    unloaded: tuple[str, ...] = ()
    warning: str = ""
    seconds: float = 0.0
    finished: bool = True


def is_configured(sides: Sides) -> bool:
    """Whether the configuration wants anything of TimescaleDB."""
    config = sides.config
    return bool(config.hypertables or config.aggregates or config.indexes)


def shape(sides: Sides, progress: Progress, stopping: Callable[[], bool] = lambda: False) -> ShapeReport:
    """Do what is left to do; returns it, nothing where all is done.

    Raises NotReadyError where TimescaleDB is wanted and cannot be used, or nothing is loaded yet.
    """
    with _work(sides, install=True) as work:
        policies.resume(sides)
        work.run(progress, stopping)
        return work.report()


def refresh(sides: Sides) -> None:
    """Bring every aggregate up to its tables; only what changed since its last refresh is computed."""
    if not sides.config.aggregates:
        return
    with grounded(sides, install=False) as (ground, _):
        there = tables.aggregates(ground.connection, ground.schema)
        for name in sides.config.aggregates:
            if name in there:
                with guard(ground.connection), _refusing(ground, f"aggregate:{name}"):
                    whole = statements.refresh(ground.timescale, ground.schema, name, None, None)
                    refreshing.refresh(ground.connection, whole)


def preview(sides: Sides) -> ShapeReport:
    """What would be done; nothing is written."""
    with _work(sides, install=False) as work:
        work.look()
        return work.report()


def shape_if_possible(sides: Sides, progress: Progress, stopping: Callable[[], bool]) -> None:
    """Do what is left to do, and tell of what cannot be: everything else goes on without it."""
    if not is_configured(sides):
        return
    try:
        report = shape(sides, progress, stopping)
    except (NotReadyError, TableError, StopError) as error:
        event("WARNING", "timescale_skipped", str(error))
        return
    if report.warning:
        event("WARNING", "timescale_release", report.warning)
    for step in report.steps:
        event("INFO", "shaped", f"{step.relation}: {step.kind}: {step.why}", table=step.relation)
    for refused in report.refused:
        event("ERROR", "timescale_refused", str(refused), table=refused.where)


@contextmanager
def _work(sides: Sides, *, install: bool) -> Iterator["_Work"]:
    with grounded(sides, install=install) as (ground, plan):
        targets = {t.target: t for t in plan.tables if t.hypertable}
        unloaded = tuple(name for name in targets if name not in ground.wanted)
        yield _Work(ground, unloaded, [wrong for wrong in plan.refused if wrong.where in sides.config.hypertables])


@contextmanager
def grounded(sides: Sides, *, install: bool) -> Iterator[tuple[Ground, Plan]]:
    """A session for shaping, with the hypertables that are wanted and loaded, and the plan that they come from."""
    connection = sides.connect()
    try:
        timescale = _required(sides, connection, install=install)
        prepared(connection, sides.schema)
        plan = _plan(sides)
        loaded = {name for name, c in sides.checkpoints().items() if c.phase is Phase.CATCHUP}
        if not loaded:
            raise NotReadyError("nothing is loaded yet", where=sides.target.shown, advice="First: syncd load")
        wanted = {t.target: t.hypertable for t in plan.tables if t.hypertable and t.name in loaded}
        yield Ground(connection, timescale, sides.schema, sides.config, wanted), plan
    finally:
        connection.close()


def _required(sides: Sides, connection: Connection, *, install: bool) -> detection.Timescale:
    config = sides.config
    if config.hypertables or config.aggregates:
        return detection.required(connection, install=install)
    found = detection.detect(connection)
    # Plain indexes need no extension.
    return found if isinstance(found, detection.Timescale) else detection.NONE


def _plan(sides: Sides) -> Plan:
    there = sides.look_at_target()
    with sides.source.transaction() as connection:
        plan = sides.plan(connection, there)
    known = {t.target for t in plan.tables} | {error.where for error in plan.refused}
    known = {name.lower() for name in (*known, *(skipped.name for skipped in plan.skipped))}
    if unknown := [name for name in sides.config.hypertables if name.lower() not in known]:
        raise ConfigError(
            f"no table of the source lands in {', '.join(unknown)}",
            where=sides.config.place(f"hypertable:{unknown[0]}"),
            advice=f"The target's tables are: {', '.join(sorted(t.target for t in plan.tables))}",
        )
    return plan


def _refusing(ground: Ground, section: str) -> AbstractContextManager[None]:
    return refusing(_where(section), f"Correct {ground.line(section)}")


def _where(section: str) -> str:
    """What an error of a section is told of; a hypertable by the name of its table."""
    return section.removeprefix("hypertable:")


@dataclass
class _Work:
    ground: Ground
    unloaded: tuple[str, ...]
    refused: list[SchemaError]
    done: list[Step] = field(default_factory=list)
    waiting: list[Step] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    finished: bool = True

    def report(self) -> ShapeReport:
        ground = self.ground
        return ShapeReport(
            ground.timescale.shown,
            tuple(self.done),
            tuple(self.waiting),
            tuple(self.refused),
            self.unloaded,
            detection.warning(ground.timescale, ground.connection),
            time.monotonic() - self.began,
            self.finished,
        )

    def look(self) -> None:
        """Collect every step without running one; those that need others first are planned as far as can be told."""
        self._check()
        for kind in Kind:
            for step in self._steps(kind):
                (self.waiting if step.waits else self.done).append(step)

    def run(self, progress: Progress, stopping: Callable[[], bool]) -> None:
        """Run the steps, kind by kind; between two statements it may be told to stop."""
        self._check()
        for kind in Kind:
            if kind is Kind.AGGREGATE:
                # Their queries can only be tried where the hypertables are.
                self._check_aggregates()
            for step in self._steps(kind):
                if step.waits:
                    self.waiting.append(step)
                elif not self._carry_out(step, progress, stopping):
                    self.finished = False
                    return

    def _check(self) -> None:
        if self.ground.wanted.keys() <= self.ground.there().keys():
            self._check_aggregates()

    def _check_aggregates(self) -> None:
        if not self._is_refused("aggregate:"):
            try:
                relations.check_aggregates(self.ground)
            except SchemaError as error:
                self.refused.append(error)

    def _carry_out(self, step: Step, progress: Progress, stopping: Callable[[], bool]) -> bool:
        """Run a step, unless it was refused meanwhile; returns whether to go on."""
        if self._is_refused(step.section):
            return True
        title = f"{step.relation}: {step.kind}"
        progress.table_started(title, len(step.statements))
        try:
            for statement in step.statements:
                if stopping():
                    return False
                with guard(self.ground.connection), _refusing(self.ground, step.section):
                    self._execute(statement, step)
                progress.advanced(title, 1)
        except SchemaError as error:
            self.refused.append(error)
            if step.kind is Kind.REFRESH:
                self._take_back(step.relation)
        else:
            self.done.append(step)
        progress.table_finished(title)
        return True

    def _execute(self, statement: str, step: Step) -> None:
        if step.kind is Kind.REFRESH:
            refreshing.refresh(self.ground.connection, statement)
        else:
            self.ground.connection.execute(statement.encode())

    def _take_back(self, aggregate: str) -> None:
        """Drop what this run made of an aggregate that cannot be filled, and of those after it, which may query it."""
        names = list(self.ground.config.aggregates)
        empty = names[names.index(aggregate) :]
        made = [step for step in self.done if step.kind is Kind.AGGREGATE and step.relation in empty]
        for step in reversed(made):
            with guard(self.ground.connection), translated(step.relation):
                dropped = statements.drop_aggregate(self.ground.schema, step.relation)
                self.ground.connection.execute(dropped.encode())
            self.done.remove(step)

    def _steps(self, kind: Kind) -> tuple[Step, ...]:
        """The steps of a kind; a section whose settings cannot be had gets none, of this kind or a later one."""
        found: list[Step] = []
        for section, planned in self._planned(kind):
            if not self._is_refused(section):
                found += self._tried(section, planned)
        return tuple(found)

    def _planned(self, kind: Kind) -> Iterator[tuple[str, Callable[[], Iterable[Step]]]]:
        """Each section that may want a kind of step, and what plans its steps."""
        ground = self.ground
        if kind not in (Kind.AGGREGATE, Kind.REFRESH):
            for table in ground.wanted:
                yield f"hypertable:{table}", partial(planning.steps, ground, table, kind)
        if kind is Kind.INDEX:
            for name in ground.config.indexes:
                yield f"index:{name}", partial(self._of_index, name)
        if of_aggregate := _OF_AGGREGATE.get(kind):
            for name in ground.config.aggregates:
                yield f"aggregate:{name}", partial(of_aggregate, ground, name)

    def _tried(self, section: str, planned: Callable[[], Iterable[Step]]) -> tuple[Step, ...]:
        try:
            with _refusing(self.ground, section):
                return tuple(replace(step, section=section) for step in planned())
        except SchemaError as error:
            self.refused.append(error)
            return ()

    def _is_refused(self, section: str) -> bool:
        """Whether a section cannot be had: it, the table that it indexes, or of the aggregates any one."""
        broken = {error.where for error in self.refused}
        kind, _, name = section.partition(":")
        if kind == "aggregate":
            return any(where.startswith("aggregate:") for where in broken)
        return _where(section) in broken or (kind == "index" and self.ground.config.indexes[name].table in broken)

    def _of_index(self, name: str) -> Iterable[Step]:
        there = catalog.read(self.ground.connection, self.ground.schema)
        columns = {table: frozenset(c.name for c in t.columns) for table, t in there.items()}
        return relations.index_steps(self.ground, name, columns)


_OF_AGGREGATE: Mapping[Kind, Callable[[Ground, str], Iterable[Step]]] = {
    Kind.AGGREGATE: relations.aggregate_steps,
    Kind.REFRESH: relations.refresh_steps,
    Kind.POLICY: relations.refresh_policy_steps,
}
