"""Catch-up: one pass brings everything that is new in the source into the target, in one transaction of each."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import apsw

from syncd.engine.copying import too_many
from syncd.engine.reading import Readers, TableReading
from syncd.engine.sides import Sides, TargetSide
from syncd.engine.spool import Spool
from syncd.errors import NotReadyError, SchemaError, TableError
from syncd.log import event
from syncd.model import Applied, PassReport, Phase, Refusal, TableReport
from syncd.plan import Plan, TablePlan
from syncd.source.render import row_data
from syncd.target import reject
from syncd.target.database import Connection, PostgresError, explain, is_row_fault, transaction, translated
from syncd.target.stage import Stage
from syncd.target.stall import guard
from syncd.target.state import TABLE_PART, Checkpoint

REPLAY_AT_MOST = 1000
"""Rejects of one table that every pass reads again; more of them are read again by scheduled passes alone."""

Observer = Callable[[apsw.Connection, Plan], None]


class Catchup:
    """Passes over one source. Make a new one after a RetryError or StopError: what it remembers may be stale."""

    def __init__(self, sides: Sides) -> None:
        self._sides = sides
        self.connection: Connection = sides.connect()
        self.stage = Stage(self.connection, sides.schema)
        self._readers: Readers | None = None
        self._schema_version = -1
        self._known: dict[str, Checkpoint] = {}
        self._seen: int | None = None
        self._has_rejects = True
        self._left_out = False

    def close(self) -> None:
        self.connection.close()

    @property
    def has_news(self) -> bool:
        """Whether the source changed since the last pass."""
        return self._seen != self._sides.source.data_version

    @property
    def is_behind(self) -> bool:
        """Whether a thorough pass may find something in an unchanged source: rejects, or what was left out."""
        return self._has_rejects or self._left_out

    def run(
        self,
        *,
        thorough: bool = True,
        stopping: Callable[[], bool] = lambda: False,
        observe: Observer | None = None,
    ) -> PassReport:
        """Make one pass; returns the tables of which something was applied.

        A pass that is not `thorough` leaves out what is many and seldom matters: more than 1,000 rejects of a table,
        more than 200 rows at its date mark. `observe` is called at the end of the reading, with its transaction.
        Raises RetryError and StopError; a table's own error stops that table.
        """
        began = time.monotonic()
        spool = Spool(self._sides.state_dir)
        try:
            with translated(), guard(self.connection):
                seen, readings = self._read(spool, thorough=thorough, observe=observe)
                reports = self._write(readings, spool, stopping) if readings else ()
        finally:
            spool.close()
        self._seen = None if stopping() else seen
        self._left_out = not thorough
        return PassReport(reports, time.monotonic() - began)

    def _read(self, spool: Spool, *, thorough: bool, observe: Observer | None) -> tuple[int, tuple[TableReading, ...]]:
        if not self._known:
            self._recall()
        again = self._rejected(thorough=thorough)
        there: TargetSide | None = None
        while True:
            with self._sides.source.transaction() as connection:
                if readers := self._current_readers(connection, there):
                    self._confirm_loaded()
                    seen = int(connection.pragma("data_version"))
                    readings = readers.read(self._active(), again, spool, thorough=thorough)
                    if observe:
                        observe(connection, readers.plan)
                    break
            there = self._sides.look_at_target()
        self._stop_lost(readers.plan)
        return seen, readings

    def _rejected(self, *, thorough: bool) -> Mapping[str, frozenset[str]]:
        """The keys of the rejects that are read again."""
        if not self._has_rejects:
            return {}
        found = reject.keys(self.connection, self._sides.state.source_name)
        self._has_rejects = bool(found)
        return {t: frozenset(keys) for t, keys in found.items() if thorough or len(keys) <= REPLAY_AT_MOST}

    def _current_readers(self, connection: apsw.Connection, there: TargetSide | None) -> Readers | None:
        """The readers of the source's schema as it is now; None where new ones need a look at the target first."""
        version = int(connection.pragma("schema_version"))
        if self._readers is None or version != self._schema_version:
            if there is None:
                return None
            self._readers = Readers(connection, self._sides.plan(connection, there))
            self._schema_version = version
        return self._readers

    def _recall(self) -> None:
        """Read from the checkpoints how far each loaded table has come; the answer waits for a COMMIT under way."""
        own = self._sides.state.checkpoints(self.connection, lock=True)
        self._known = {c.table: c for c in own if c.part == TABLE_PART and _is_loaded(c, own)}

    def _confirm_loaded(self) -> None:
        if not self._known:
            raise NotReadyError("nothing is loaded yet", where=str(self._sides.source.path), advice="First: syncd load")

    def _stop_lost(self, plan: Plan) -> None:
        """Stop the tables that the plan cannot carry any more: gone from the source, or at odds with the target."""
        there = {table.name for table in plan.tables} | {skipped.name for skipped in plan.skipped}
        errors = {error.where: error for error in plan.refused}
        for name in self._known.keys() - there:
            error = errors.get(name) or SchemaError("the source has this table no longer", where=name)
            if self._known[name].error != str(error):
                self._stop(name, error)

    def _stop(self, name: str, error: TableError) -> TableReport:
        """Stop a table of which nothing is applied."""
        stopped = replace(self._known[name], phase=Phase.STOPPED, error=str(error))
        with transaction(self.connection):
            self._sides.state.confirm_epoch(self.connection)
            self._save([stopped])
        self._known[name] = stopped
        report = TableReport(name, Applied(), 0.0, stopped.error)
        _tell(report)
        return report

    def _active(self) -> Mapping[str, Checkpoint]:
        """Tables that are kept current. One that stopped in an earlier run is tried again, in this one it is not."""
        return {name: c for name, c in self._known.items() if c.phase is not Phase.STOPPED or self._seen is None}

    def _write(
        self, readings: tuple[TableReading, ...], spool: Spool, stopping: Callable[[], bool]
    ) -> tuple[TableReport, ...]:
        """Apply what was read; a table that the target no longer takes stops, and the others are applied without it."""
        stopped: list[TableReport] = []
        while True:
            try:
                return (*stopped, *self._write_tables(readings, spool, stopping))
            except TableError as error:
                failed = [reading for reading in readings if reading.plan.name == error.where]
                if not failed:
                    raise
                readings = tuple(reading for reading in readings if reading not in failed)
                stopped.append(self._stop(error.where, error))

    def _write_tables(
        self, readings: tuple[TableReading, ...], spool: Spool, stopping: Callable[[], bool]
    ) -> tuple[TableReport, ...]:
        for reading in readings:
            self.stage.prepare(reading.plan)
        if spool.is_large:
            return self._write_in_batches(readings, spool, stopping)
        try:
            outcomes = self._write_at_once(readings, spool, strict=False)
        except PostgresError as error:
            if not is_row_fault(error):
                raise explain(error) from None
            # A row does not fit, or a deferred constraint does not hold at the end: find the rows one by one.
            outcomes = self._write_at_once(readings, spool, strict=True)
        return tuple(o.report for o in outcomes if o.report.applied != Applied() or o.report.error)

    def _write_at_once(
        self, readings: tuple[TableReading, ...], spool: Spool, *, strict: bool
    ) -> tuple["_Outcome", ...]:
        """One transaction, parents first."""
        with transaction(self.connection):
            self.stage.begin()
            self._sides.state.confirm_epoch(self.connection)
            if strict:
                self.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            outcomes = tuple(self._translated(reading, spool, strict=strict) for reading in readings)
            self._save([outcome.checkpoint for outcome in outcomes])
            if not strict:
                self.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for reading, outcome in zip(readings, outcomes, strict=True):
            self._known[outcome.report.table] = outcome.checkpoint
            if self._readers:
                self._readers.applied(reading)
            _tell(outcome.report, newly_refused=len(outcome.refused - reading.again))
        return outcomes

    def _write_in_batches(
        self, readings: tuple[TableReading, ...], spool: Spool, stopping: Callable[[], bool]
    ) -> tuple[TableReport, ...]:
        """Each batch in a transaction of its own, still parents first.

        A table's mark moves with its last batch: until then the pass may be made again, and changes nothing that is
        there already.
        """
        reports: list[TableReport] = []
        for reading in readings:
            began, applied, refused = time.monotonic(), Applied(), frozenset[str]()
            for piece in _pieces(reading, self._known[reading.plan.name]):
                if stopping():
                    return tuple(reports)
                (outcome,) = self._write_at_once((replace(piece, again=piece.again - refused),), spool, strict=True)
                applied += outcome.report.applied
                refused |= outcome.refused
            reports.append(replace(outcome.report, applied=applied, seconds=time.monotonic() - began))
        return tuple(reports)

    def _save(self, checkpoints: list[Checkpoint]) -> None:
        """Write what changed, in the transaction of the rows."""
        state = self._sides.state
        state.save(self.connection, *(c for c in checkpoints if c != self._known[c.table]))
        for checkpoint in checkpoints:
            if checkpoint.phase is not self._known[checkpoint.table].phase:
                name = f"table_{checkpoint.phase}"
                state.record(self.connection, "WARNING", name, checkpoint.table, checkpoint.error)

    def _translated(self, reading: TableReading, spool: Spool, *, strict: bool) -> "_Outcome":
        with translated(reading.plan.name):
            return self._apply(reading, spool, strict=strict)

    def _apply(self, reading: TableReading, spool: Spool, *, strict: bool) -> "_Outcome":
        """Bring one table's rows into the target and keep those that cannot land.

        Where rows were refused before, they are likely to be again: the slower way stands ready then.
        """
        began = time.monotonic()
        plan, state, known = reading.plan, self._sides.state, self._known[reading.plan.name]
        applied, refusals = Applied(), list(reading.duplicates)
        for held in reading.batches:
            land = self.stage.land if strict or reading.again else self.stage.land_all
            landed = land(plan, spool.payload(held), touched_for=state.source_name)
            applied += replace(landed.applied, read=held.read)
            refusals += [*held.refusals, *landed.refusals]
        applied += Applied(deleted=self._delete(plan, reading.gone), rejected=len(refusals))
        refused = frozenset(refusal.source_key for refusal in refusals)
        self._keep(plan, refusals, reading.again - refused)
        error = reading.error or self._judge(plan, known, applied, tried_again=bool(reading.again))
        checkpoint = replace(
            known,
            mark=reading.reaches,
            rows_applied=known.rows_applied + applied.inserted,
            phase=Phase.STOPPED if error else Phase.CATCHUP,
            error=str(error or ""),
        )
        report = TableReport(plan.name, applied, time.monotonic() - began, checkpoint.error)
        return _Outcome(report, checkpoint, refused)

    def _delete(self, plan: TablePlan, gone: frozenset[str]) -> int:
        """Delete what passes brought of rows that the source has no longer."""
        if not gone:
            return 0
        touched = self._sides.state.touched_target_keys(self.connection, plan.name, gone)
        return self.stage.delete(plan, sorted({key for keys in touched.values() for key in keys})) if touched else 0

    def _keep(self, plan: TablePlan, refusals: list[Refusal], settled: frozenset[str]) -> None:
        """Keep the refused rows whole, and forget the rejects of rows that landed or are gone."""
        name = self._sides.state.source_name
        if settled:
            reject.clear(self.connection, name, plan.name, settled)
        if refusals:
            self._has_rejects = True
            with self._sides.source.transaction() as connection:
                rows = row_data(connection, plan, [refusal.source_key for refusal in refusals])
            reject.keep(self.connection, name, plan.name, refusals, rows)

    def _judge(self, plan: TablePlan, known: Checkpoint, applied: Applied, *, tried_again: bool) -> TableError | None:
        """The error of a table of whose rows too many are rejected by now."""
        if not (applied.rejected or tried_again):
            return None
        rejected = reject.count(self.connection, self._sides.state.source_name, plan.name)
        rows = known.rows_applied + applied.inserted + rejected
        return too_many(plan, rejected, rows) if rejected > plan.max_reject_ratio * rows else None


@dataclass(frozen=True)
class _Outcome:
    """What a transaction did for one table; `refused` are source keys."""

    report: TableReport
    checkpoint: Checkpoint
    refused: frozenset[str]


def _is_loaded(checkpoint: Checkpoint, among: Iterable[Checkpoint]) -> bool:
    """Whether a table's load is done: no range of it is left."""
    parts = any(other.table == checkpoint.table and other.part != TABLE_PART for other in among)
    return checkpoint.phase is not Phase.LOAD and not parts


def _pieces(reading: TableReading, known: Checkpoint) -> list[TableReading]:
    """A reading cut into one piece a batch; the last moves the mark and settles the keys that were read again."""
    first = [
        replace(reading, batches=(held,), again=frozenset(), gone=frozenset(), duplicates=(), reaches=known.mark)
        for held in reading.batches[:-1]
    ]
    return [*first, replace(reading, batches=reading.batches[-1:])]


def _tell(report: TableReport, newly_refused: int = 0) -> None:
    """Log what a person must know: not each time that a row is refused again."""
    if report.error:
        event("ERROR", "table_stopped", report.error, table=report.table)
    elif newly_refused:
        said = f"{report.table}: rows rejected"
        event("WARNING", "rows_rejected", said, table=report.table, rows=newly_refused)
