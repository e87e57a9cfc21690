"""Copying one range of one table, batch by batch, each in one transaction with its checkpoint."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from syncd.config import OnConflict
from syncd.engine.progress import Progress, Step
from syncd.engine.sides import Sides
from syncd.errors import ConflictError, TableError, TooManyRejectsError
from syncd.model import Applied, Batch, Range, Refusal, TableReport
from syncd.plan import TablePlan
from syncd.source.database import Database, translated
from syncd.source.render import Renderer, row_data
from syncd.target import reject
from syncd.target.database import Connection, PostgresError, bringing_rows, explain, is_row_fault, retrying, transaction
from syncd.target.stage import Stage, copy_straight

RETRY_SECONDS = 300.0
FEW_REJECTS = 1000
"""A load does not stop before its end for fewer rejects than these: the ratio is judged when all rows are read."""


@dataclass(frozen=True)
class Part:
    """A range of a table's load; `place` is where it stands, as literals of the source key."""

    table: str
    number: int
    rows: Range


@dataclass
class TableLoad:
    """One table while it loads, shared by the workers on its parts; `reached` tells where each ended part stands."""

    plan: TablePlan
    parts: tuple[Part, ...]
    straight: bool
    on_conflict: OnConflict
    waits_for: frozenset[str]
    estimate: int
    progress: Progress
    began: float | None = None
    ended: float | None = None
    applied: Applied = field(default_factory=Applied)
    error: TableError | None = None
    reached: dict[int, str | None] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        """A worker takes up the first part."""
        self.began = self.began or time.monotonic()

    def add(self, applied: Applied, read_seconds: float, write_seconds: float) -> None:
        with self._lock:
            self.applied += applied
        self.progress.brought(self.plan.name, applied, read_seconds, write_seconds)

    def measuring(self, step: Step) -> AbstractContextManager[None]:
        """Surrounds a step of this table's load."""
        return self.progress.measuring(self.plan.name, step)

    def stop(self, error: TableError) -> None:
        self.error = self.error or error

    def check_rejects(self) -> None:
        """Raise TooManyRejectsError when more rows are rejected than the whole table may have."""
        if self.applied.rejected > max(FEW_REJECTS, self.plan.max_reject_ratio * self.estimate):
            raise too_many(self.plan, self.applied.rejected, self.applied.read)

    def end(self) -> None:
        self.ended = time.monotonic()
        self.progress.table_finished(self.plan.name)

    def report(self) -> TableReport:
        ended = self.ended or time.monotonic()
        seconds = ended - (self.began or ended)
        return TableReport.of(self.plan.name, self.applied, seconds, self.error)


def too_many(plan: TablePlan, rejected: int, rows: int) -> TooManyRejectsError:
    """The error of a table of whose rows too many were rejected."""
    return TooManyRejectsError(
        f"{rejected} of {rows} rows were rejected, more than max_reject_ratio = {plan.max_reject_ratio:g} allows",
        where=plan.name,
        advice=f"See why: syncd rejects list --table {plan.name}. Mend the cause, or raise max_reject_ratio",
    )


class _MeasuredStage(Stage):
    """A stage whose COPY is measured apart from its merge."""

    def __init__(self, connection: Connection, schema: str, progress: Progress) -> None:
        super().__init__(connection, schema)
        self._progress = progress

    def fill(self, plan: TablePlan, payload: bytes) -> None:
        with self._progress.measuring(plan.name, Step.COPY):
            super().fill(plan, payload)


class Worker:
    """One thread's connections: to the source's snapshot, or to the live file, and to the target."""

    def __init__(self, sides: Sides, origin: Path, progress: Progress, *, private: bool) -> None:
        self._sides = sides
        self._progress = progress
        self._private = private
        self._source = Database(origin, private=private)
        self._renderers: dict[str, Renderer] = {}
        self._connect()

    def _connect(self) -> None:
        self.connection: Connection = self._sides.connect()
        self._progress.connected(self.connection.info.backend_pid)
        self._stage = _MeasuredStage(self.connection, self._sides.schema, self._progress)

    def close(self) -> None:
        self._source.close()
        self.connection.close()

    def copy(self, load: TableLoad, part: Part, stopping: Callable[[], bool]) -> None:
        """Copy a part to its end, or until it stops; a table's own error stops that table alone."""
        load.begin()
        try:
            with load.measuring(Step.WAIT):
                self._copy_all(load, part, stopping)
        except TableError as error:
            load.stop(error)

    def _copy_all(self, load: TableLoad, part: Part, stopping: Callable[[], bool]) -> None:
        rows = part.rows
        while load.error is None and not stopping():
            left = self._copy_next(load, replace(part, rows=rows), stopping)
            if left is None:
                load.reached[part.number] = rows.after
                return
            rows = left
            load.check_rejects()

    def _copy_next(self, load: TableLoad, part: Part, stopping: Callable[[], bool]) -> Range | None:
        """Copy one batch, tried again while the fault passes; returns what is left of the part, None at its end."""
        for attempt in retrying(RETRY_SECONDS, load.progress.retried, stopping):
            with attempt:
                if self.connection.closed or self.connection.broken:
                    self._connect()
                return self._copy_batch(load, part)
        return None

    def _copy_batch(self, load: TableLoad, part: Part) -> Range | None:
        began = time.monotonic()
        with load.measuring(Step.RENDER):
            batch = self._render(load.plan, part.rows, keyed=not load.straight)
        if batch is None:
            return None
        keyed = batch if batch.keyed else None
        try:
            return self._write(load, part, batch, time.monotonic() - began)
        except PostgresError as error:
            if keyed is not None or not is_row_fault(error):
                raise _table_error(load.plan, error) from None
        # A row of the batch does not fit: read it again with the keys that tell which.
        with load.measuring(Step.RENDER):
            batch = self._render(load.plan, part.rows, keyed=True, at_most=batch.read)
        return self._write(load, part, batch, time.monotonic() - began) if batch else None

    def _render(self, plan: TablePlan, rows: Range, *, keyed: bool, at_most: int | None = None) -> Batch | None:
        if plan.name not in self._renderers:
            self._renderers[plan.name] = Renderer(self._source.connection, plan)
        renderer = self._renderers[plan.name]
        if self._private:
            with translated(self._source.path):
                return renderer.next(rows, keyed=keyed, at_most=at_most)
        with self._source.transaction():
            return renderer.next(rows, keyed=keyed, at_most=at_most)

    def _write(self, load: TableLoad, part: Part, batch: Batch, read_seconds: float) -> Range:
        """Commit a batch with its checkpoint, and return what is left of the part.

        The checkpoint decides where that begins: it is ahead of us after a COMMIT whose answer was lost, and behind us
        after a crash of the server, which may lose commits that it has confirmed.
        """
        plan, state, began = load.plan, self._sides.state, time.monotonic()
        if batch.keyed:
            self._stage.prepare(plan)
        with ExitStack() as committing, transaction(self.connection, durable=False):
            self._stage.begin()
            stands = state.hold(self.connection, plan.name, part.number)
            if stands != part.rows.after:
                return replace(part.rows, after=stands)
            if batch.keyed:
                self.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            applied, refusals = self._bring(load, batch)
            with load.measuring(Step.MERGE):
                self._keep(plan, refusals)
            state.advance(self.connection, plan.name, part.number, batch.last, batch.read - len(refusals))
            committing.enter_context(load.measuring(Step.COMMIT))
        applied = replace(applied, read=batch.read, rejected=len(refusals), size=len(batch.payload))
        load.add(applied, read_seconds, time.monotonic() - began)
        return replace(part.rows, after=batch.last)

    def _bring(self, load: TableLoad, batch: Batch) -> tuple[Applied, tuple[Refusal, ...]]:
        if not batch.rows:
            return Applied(), batch.refusals
        if not batch.keyed:
            with load.measuring(Step.COPY):
                copy_straight(self.connection, self._sides.schema, load.plan, batch.payload)
            with load.measuring(Step.COMMIT), bringing_rows():
                self.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            return Applied(inserted=batch.rows), ()
        with load.measuring(Step.MERGE):
            landed = self._stage.land(load.plan, batch.payload, load.on_conflict)
            settled = self._stage.settle(load.plan)
        return landed.applied + settled.applied, batch.refusals + landed.refusals + settled.refusals

    def _keep(self, plan: TablePlan, refusals: tuple[Refusal, ...]) -> None:
        if not refusals:
            return
        keys = [refusal.source_key for refusal in refusals]
        with translated(self._source.path):
            rows = row_data(self._source.connection, plan, keys)
        reject.keep(self.connection, self._sides.state.source_name, plan.name, refusals, rows)


def _table_error(plan: TablePlan, error: PostgresError) -> Exception:
    """What stops one table: a conflict that is not wanted; everything else is what it is."""
    if error.sqlstate == "23505":
        return ConflictError(
            f"on_conflict = fail, and the target holds such a row: {error.diag.message_detail or error}",
            where=plan.name,
            advice="Empty the target's table, or set on_conflict = update or skip",
        )
    return explain(error, plan.name)
