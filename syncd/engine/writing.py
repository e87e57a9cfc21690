"""The target's half of a pass: what was read is applied, in one transaction or, when it is large, batch by batch."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from syncd.engine import doubles
from syncd.engine.again import ReadAgain
from syncd.engine.copying import too_many
from syncd.engine.pace import Pace
from syncd.engine.reading import TableReading
from syncd.engine.sides import Sides
from syncd.engine.spool import Spool
from syncd.errors import ChangeRefusedError, TableError
from syncd.log import event
from syncd.model import Applied, Phase, Refusal, TableReport
from syncd.plan import TablePlan
from syncd.source.catalog import row_count
from syncd.source.render import row_data
from syncd.target import one_by_one, reject, touched
from syncd.target.database import (
    Connection,
    PostgresError,
    bringing_rows,
    explain,
    is_row_fault,
    transaction,
    translated,
)
from syncd.target.stage import Stage
from syncd.target.state import Checkpoint
from syncd.target.text_stage import Landed, waiting_for_others
from syncd.target.touched import Touch

Rejects = Mapping[str, frozenset[str]]
"""The source keys of the rejects of each table."""


NOTHING = ReadAgain()


@dataclass(frozen=True)
class _Outcome:
    """What a transaction did for one table; `refused` are source keys, `contested` those to be read again at once."""

    report: TableReport
    checkpoint: Checkpoint
    refused: frozenset[str]
    contested: ReadAgain = NOTHING


class Writer:
    """Applies readings. `known` are the checkpoints as they were committed last, `round` that of touched keys.

    `contested` are, of the last reading of each table, the rows that wait for a unique value and the rows that have
    it. They are no reason to stop their table until `judge` is asked. `in_batches`: the last readings were applied
    batch by batch. `broken_off` are tables of which not all of a reading was applied, as somebody paused them.
    """

    def __init__(self, sides: Sides, connection: Connection, pace: Pace) -> None:
        self._sides = sides
        self._connection = connection
        self.stage = Stage(connection, sides.schema)
        self.known: dict[str, Checkpoint] = {}
        self.round = 0
        self.contested: dict[str, ReadAgain] = {}
        self._waiting: set[str] = set()
        self.in_batches = False
        self.broken_off: set[str] = set()
        self.pace = pace

    def write(
        self,
        readings: tuple[TableReading, ...],
        spool: Spool,
        rejects: Rejects,
        stopping: Callable[[], bool],
        applied: Callable[[TableReading], None],
        *,
        together: bool = False,
    ) -> tuple[TableReport, ...]:
        """Apply what was read; a table that the target no longer takes stops, and the others are applied without it.

        `rejects` are those of before; `applied` is told of each reading that was committed. `together`: the rows of a
        table wait for each other, and come in one transaction however many they are.
        """
        stopped: list[TableReport] = []
        self.contested.clear()
        self._waiting.clear()
        self.in_batches = False
        if not readings:
            return ()
        pass_ = _Pass(spool, rejects, applied, together=together)
        while True:
            try:
                return (*stopped, *self._write_tables(readings, pass_, stopping))
            except TableError as error:
                failed = [reading for reading in readings if reading.plan.name == error.where]
                if not failed:
                    raise
                readings = tuple(reading for reading in readings if reading not in failed)
                stopped.append(self.stop(error.where, error))

    def judge(self, plan: TablePlan, rejected: frozenset[str], rejects: Rejects) -> TableReport:
        """Let contested rows be rejects, and stop their table where there are too many by now.

        `rejects` are those of before. A table of which rows are yet to be deleted does not stop: the next sweep finds
        the children for which they wait, and may free what the others want.
        """
        known, applied = self.known[plan.name], Applied(rejected=len(rejected))
        report = TableReport(plan.name, applied, 0.0)
        _tell(report, newly_refused=len(rejected - rejects.get(plan.name, frozenset())))
        error = self._judge(plan, known, applied, tried_again=True)
        if error and known.phase is not Phase.STOPPED and not self._waits_to_delete(plan):
            return replace(self.stop(plan.name, error), applied=applied)
        return report

    def _waits_to_delete(self, plan: TablePlan) -> bool:
        return plan.deletes and self._is_left_to_delete(plan.name)

    def _waits_for_parents(self, plan: TablePlan) -> bool:
        """Whether parents of its rows wait themselves, or have rows that are yet to be deleted.

        A new parent may want a unique value of one that is gone, whose delete waits for its children: a sweep alone
        finds those, and it would pass by a table that is stopped.
        """
        return any(name in self._waiting or self._is_left_to_delete(name) for name in plan.parents)

    def _is_left_to_delete(self, name: str) -> bool:
        with translated():
            return bool(touched.alone(self._connection, self._sides.state.source_name, name))

    def stop(self, name: str, error: TableError) -> TableReport:
        """Stop a table of which nothing is applied."""
        stopped = replace(self.known[name], phase=Phase.STOPPED, error=str(error))
        with transaction(self._connection):
            self._sides.state.confirm_epoch(self._connection)
            self._save([stopped])
        self.known[name] = stopped
        report = TableReport.of(name, Applied(), 0.0, error)
        _tell(report)
        return report

    def _write_tables(
        self, readings: tuple[TableReading, ...], pass_: "_Pass", stopping: Callable[[], bool]
    ) -> tuple[TableReport, ...]:
        for reading in readings:
            # Of a table that changed the plan is one that the target does not fit.
            if not reading.error:
                self.stage.prepare(reading.plan)
        readings = tuple(self._told_apart(reading, pass_) if reading.is_doubtful else reading for reading in readings)
        if pass_.spool.is_large or any(self.pace.limits(reading.plan.name) for reading in readings):
            return self._write_in_batches(readings, pass_, stopping)
        try:
            outcomes = self._write_at_once(readings, pass_, strict=False)
        except PostgresError as error:
            if not is_row_fault(error):
                raise explain(error) from None
            # A row does not fit, or a deferred constraint does not hold at the end: find the rows one by one.
            outcomes = self._write_at_once(readings, pass_, strict=True)
        return tuple(o.report for o in outcomes if o.report.applied != Applied() or o.report.error)

    def _told_apart(self, reading: TableReading, pass_: "_Pass") -> TableReading:
        rejected = pass_.rejects.get(reading.plan.name, frozenset())
        with translated(reading.plan.name), transaction(self._connection):
            return doubles.told_apart(self._connection, self._sides.schema, reading, pass_.spool, rejected)

    def _write_at_once(
        self, readings: tuple[TableReading, ...], pass_: "_Pass", *, strict: bool
    ) -> tuple[_Outcome, ...]:
        """One transaction, parents first, deletes children first.

        A table that no foreign key refers to is deleted from before the merge: a unique value may have gone over from
        a vanished row to another. The others are deleted from after it: by then their children point elsewhere.
        """
        with transaction(self._connection):
            self.stage.begin()
            self._sides.state.confirm_epoch(self._connection)
            if strict:
                self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            early = [reading for reading in reversed(readings) if not self.stage.is_referenced(reading.plan)]
            late = [reading for reading in reversed(readings) if self.stage.is_referenced(reading.plan)]
            deleted = {reading.plan.name: self._delete(reading, strict=strict) for reading in early}
            outcomes = tuple(self._bring(reading, pass_, strict=strict) for reading in readings)
            deleted |= {reading.plan.name: self._delete(reading, strict=strict) for reading in late}
            self._save([outcome.checkpoint for outcome in outcomes])
            if not strict:
                with bringing_rows():
                    self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        outcomes = tuple(_with_deleted(outcome, deleted[outcome.report.table]) for outcome in outcomes)
        for reading, outcome in zip(readings, outcomes, strict=True):
            self.known[outcome.report.table] = outcome.checkpoint
            pass_.applied(reading)
            if outcome.contested:
                earlier = self.contested.get(outcome.report.table, NOTHING)
                self.contested[outcome.report.table] = earlier + outcome.contested
            known = pass_.rejects.get(outcome.report.table, frozenset())
            _tell(outcome.report, newly_refused=len(outcome.refused - known - outcome.contested.source_keys.keys()))
        return outcomes

    def _write_in_batches(
        self, readings: tuple[TableReading, ...], pass_: "_Pass", stopping: Callable[[], bool]
    ) -> tuple[TableReport, ...]:
        """Each batch in a transaction of its own, still parents first; deletes that wait for children at the end.

        A table's mark moves with its last batch: until then the pass may be made again, and changes nothing that is
        there already. So it ends here for a table that somebody pauses.
        """
        reports: list[TableReport] = []
        self.in_batches = not pass_.together
        for reading in readings:
            began, refused = time.monotonic(), frozenset[str]()
            report = TableReport(reading.plan.name, Applied(), 0.0)
            for piece in self._pieces(reading, together=pass_.together):
                self.pace.wait(reading.plan.name)
                if stopping():
                    return tuple(reports)
                if self.pace.is_paused(reading.plan.name):
                    self.broken_off.add(reading.plan.name)
                    break
                (outcome,) = self._write_at_once((replace(piece, again=piece.again - refused),), pass_, strict=True)
                report = replace(outcome.report, applied=report.applied + outcome.report.applied)
                refused |= outcome.refused
                self.pace.spend(reading.plan.name, outcome.report.applied.written)
            reports.append(replace(report, seconds=time.monotonic() - began))
        late = [reading for reading in readings if self.stage.is_referenced(reading.plan) and reading.vanished]
        deletes = tuple(
            TableReading(r.plan, self.known[r.plan.name].mark, vanished=r.vanished, kept=r.kept) for r in late
        )
        outcomes = self._write_at_once(deletes, pass_, strict=True) if deletes else ()
        added = {outcome.report.table: outcome.report.applied for outcome in outcomes}
        return tuple(replace(r, applied=r.applied + added.get(r.table, Applied())) for r in reports)

    def _pieces(self, reading: TableReading, *, together: bool) -> list[TableReading]:
        """A reading cut into one piece a batch, unless its rows come `together`.

        The last moves the mark and settles the keys that were read again.
        """
        if self.stage.is_referenced(reading.plan):
            reading = replace(reading, vanished=frozenset())
        if together:
            return [reading]
        nothing = TableReading(reading.plan, self.known[reading.plan.name].mark, losers=reading.losers)
        first = [replace(nothing, batches=(held,)) for held in reading.batches[:-1]]
        return [*first, replace(reading, batches=reading.batches[-1:])]

    def _save(self, checkpoints: list[Checkpoint]) -> None:
        """Write what changed, in the transaction of the rows."""
        state = self._sides.state
        state.save(self._connection, *(c for c in checkpoints if c != self.known[c.table]))
        for checkpoint in checkpoints:
            if checkpoint.phase is not self.known[checkpoint.table].phase:
                name = f"table_{checkpoint.phase}"
                state.record(self._connection, "WARNING", name, checkpoint.table, checkpoint.error)

    def _delete(self, reading: TableReading, *, strict: bool) -> int:
        """Delete what vanished. A row to which others still refer stays, and is remembered for the next sweep."""
        if not reading.vanished:
            return 0
        name = reading.plan.name
        with _told_of(name, strict=strict):
            deleted = self.stage.delete(reading.plan, reading.vanished, reading.kept)
            if deleted.left:
                touch = Touch(self._sides.state.source_name, self.round)
                touched.remember(self._connection, touch, name, {"": deleted.left})
                event("WARNING", "delete_waits", f"{name}: rows of other tables still refer to rows that are gone",
                      table=name, rows=len(deleted.left))  # fmt: skip
        return deleted.rows

    def _bring(self, reading: TableReading, pass_: "_Pass", *, strict: bool) -> _Outcome:
        with _told_of(reading.plan.name, strict=strict):
            return self._apply(reading, pass_, strict=strict)

    def _apply(self, reading: TableReading, pass_: "_Pass", *, strict: bool) -> _Outcome:
        """Bring one table's rows into the target and keep those that cannot land.

        Where rows were refused before, they are likely to be again: the slower way stands ready then.
        """
        began = time.monotonic()
        plan, known = reading.plan, self.known[reading.plan.name]
        applied, refusals = Applied(), list(reading.duplicates)
        for held in reading.batches:
            land = self.stage.land if strict or reading.again else self.stage.land_all
            payload = one_by_one.without(pass_.spool.payload(held), reading.losers)
            landed = land(plan, payload, touch=self._touch(settled=held.swept)) if payload else Landed()
            moved = self.stage.leave_old_times(plan, known.mark.rowid) if landed.applied.inserted else 0
            applied += replace(landed.applied, read=held.read, size=held.length) + Applied(
                inserted=-moved, updated=moved
            )
            refusals += [r for r in (*held.refusals, *landed.refusals) if r.source_key not in reading.losers]
        settled = self.stage.settle(plan)
        refusals += settled.refusals
        waiting = waiting_for_others(settled.refusals)
        contested = ReadAgain(dict.fromkeys(waiting, frozenset()), held=settled.held_by)
        applied += settled.applied + Applied(rejected=len(refusals) - len(waiting))
        refused = frozenset(refusal.source_key for refusal in refusals)
        self._remember(reading)
        rejects = pass_.rejects.get(plan.name, frozenset())
        self._keep(plan, refusals, (reading.again & rejects) - refused)
        error = reading.error
        if contested:
            self._waiting.add(plan.name)
        elif not (error or plan.name in self.contested):
            error = self._judge(plan, known, applied, tried_again=bool(reading.again))
            if error and self._waits_for_parents(plan):
                self._waiting.add(plan.name)
                error = None
        checkpoint = replace(
            known,
            mark=reading.reaches,
            rows_applied=known.rows_applied + applied.inserted,
            phase=Phase.STOPPED if error else Phase.CATCHUP,
            # What a sweep has told of a table that goes on stays until the next one.
            error=str(error or (known.error if known.phase is Phase.CATCHUP else "")),
        )
        report = TableReport.of(plan.name, applied, time.monotonic() - began, error)
        return _Outcome(report, checkpoint, refused, contested)

    def _touch(self, *, settled: bool = False) -> Touch:
        """The sweep at work may forget a settled key: its row landed as the base will have it."""
        return Touch(self._sides.state.source_name, self.round - settled, is_settled=settled)

    def _remember(self, reading: TableReading) -> None:
        """Remember what no stage told: keys of rows that are gone, and those that the next sweep has to read again."""
        name = reading.plan.name
        gone = reading.gone.items()
        settled = {key: known for key, known in gone if reading.swept and key not in reading.unsettled}
        touched.remember(self._connection, self._touch(settled=True), name, settled)
        touched.remember(self._connection, self._touch(), name, {k: v for k, v in gone if k not in settled})
        touched.keep(self._connection, self._touch(), name, reading.unsettled)

    def _keep(self, plan: TablePlan, refusals: list[Refusal], settled: frozenset[str]) -> None:
        """Keep the refused rows whole, and forget the rejects of rows that landed or are gone."""
        name = self._sides.state.source_name
        if settled:
            reject.clear(self._connection, name, plan.name, settled)
        if refusals:
            with self._sides.source.transaction() as connection:
                rows = row_data(connection, plan, [refusal.source_key for refusal in refusals])
            reject.keep(self._connection, name, plan.name, refusals, rows)

    def _judge(self, plan: TablePlan, known: Checkpoint, applied: Applied, *, tried_again: bool) -> TableError | None:
        """The error of a table of whose rows too many are rejected by now."""
        if not (applied.rejected or tried_again):
            return None
        rejected = reject.count(self._connection, self._sides.state.source_name, plan.name)
        if rejected <= plan.max_reject_ratio * (known.rows_applied + applied.inserted):
            return None
        # Rejected rows may be among those applied, in an older version: only the source knows how many rows there are.
        with self._sides.source.transaction() as connection:
            rows = row_count(connection, plan.name, plan.where)
        return too_many(plan, rejected, rows) if rejected > plan.max_reject_ratio * rows else None


@dataclass(frozen=True)
class _Pass:
    """What one pass brings along for all its transactions."""

    spool: Spool
    rejects: Rejects
    applied: Callable[[TableReading], None]
    together: bool


@contextmanager
def _told_of(table: str, *, strict: bool) -> Iterator[None]:
    """Failures told of their table. What a row is not kept for, as it is `strict` already, stops that table alone."""
    try:
        with translated(table), bringing_rows():
            yield
    except PostgresError as error:
        if not strict:
            raise
        said = f"the target refuses a change of its rows: {str(error).strip()}"
        advice = "Mend what refuses it, such as a trigger; the next start tries again"
        raise ChangeRefusedError(said, where=table, advice=advice) from None


def _with_deleted(outcome: _Outcome, rows: int) -> _Outcome:
    report = outcome.report
    return replace(outcome, report=replace(report, applied=report.applied + Applied(deleted=rows)))


def _tell(report: TableReport, newly_refused: int = 0) -> None:
    """Log what a person must know: not each time that a row is refused again."""
    if report.error:
        event("ERROR", "table_stopped", report.error, table=report.table)
    elif newly_refused:
        said = f"{report.table}: rows rejected"
        event("WARNING", "rows_rejected", said, table=report.table, rows=newly_refused)
