"""Catch-up: one pass brings everything that is new in the source into the target, in one transaction of each."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from types import MappingProxyType

import apsw

from syncd.engine.again import ReadAgain
from syncd.engine.forgetting import forget_gone, gone
from syncd.engine.growing import NewColumns, changed_tables, take_up
from syncd.engine.lag import Lag
from syncd.engine.pace import Pace
from syncd.engine.reading import NO_BASE, NextBase, Readers, TableReading
from syncd.engine.sides import Sides, TargetSide
from syncd.engine.spool import Spool
from syncd.engine.writing import Rejects, Writer
from syncd.errors import NotReadyError, TableError
from syncd.model import PassReport, Phase, TableReport, together
from syncd.plan import Plan
from syncd.plan.drift import Definition
from syncd.source.holders import is_rowid
from syncd.target import reject, touched
from syncd.target.database import Connection, transaction, translated
from syncd.target.stage import Stage
from syncd.target.stall import guard
from syncd.target.state import TABLE_PART, Checkpoint

ROUNDS_AT_MOST = 3
"""How often a pass reads again for the sake of a unique value that moved from row to row."""
REPLAY_AT_MOST = 1000
"""Rejects of one table that every pass reads again; more of them are read again by scheduled passes alone."""
NO_KEYS: Mapping[str, ReadAgain] = MappingProxyType({})

Observer = Callable[[apsw.Connection, Plan], None]


class Catchup:
    """Passes over one source. Make a new one after a RetryError or StopError: what it remembers may be stale."""

    def __init__(self, sides: Sides, pace: Pace | None = None, lag: Lag | None = None) -> None:
        """`pace` says which tables may go on; `lag` is told what was found and applied."""
        self._sides = sides
        self.pace = pace or Pace()
        self._lag = lag or Lag()
        self.connection: Connection = sides.connect()
        self._writer = Writer(sides, self.connection, self.pace)
        self._readers: Readers | None = None
        self._schema_version = -1
        self._seen: int | None = None
        self._has_rejects = True
        self._left_out = False
        self._held: frozenset[str] = frozenset()
        self._behind: frozenset[str] = frozenset()
        self._not_read: set[str] = set()

    def close(self) -> None:
        self.connection.close()

    @property
    def stage(self) -> Stage:
        return self._writer.stage

    @property
    def known(self) -> Mapping[str, Checkpoint]:
        """The checkpoints of the loaded tables, as they were committed last."""
        return self._writer.known

    @property
    def round(self) -> int:
        """The round in which passes remember now what they touch."""
        return self._writer.round

    @property
    def unfinished(self) -> frozenset[str]:
        """The tables of which keys to read again were left out since the sweep began: somebody holds them back."""
        return frozenset(self._not_read | self._writer.broken_off)

    @property
    def plan(self) -> Plan | None:
        """What passes carry, None before the first."""
        return self._readers.plan if self._readers else None

    @property
    def not_loaded(self) -> frozenset[str]:
        """The tables of the source that no load has finished, also those that cannot be carried."""
        if not self.plan:
            return frozenset()
        wanted = (*(table.name for table in self.plan.tables), *(error.where for error in self.plan.refused))
        return frozenset(wanted) - self.known.keys()

    def has_news(self) -> bool:
        """Whether the source changed since the last pass; the lag is told."""
        moment = self._lag.began()
        if self._seen != self._sides.source.data_version:
            self._lag.changed(moment)
            return True
        self._lag.settled(moment, self._behind)
        return False

    @property
    def is_behind(self) -> bool:
        """Whether a thorough pass may find something in an unchanged source: rejects, or what was left out."""
        return self._has_rejects or self._left_out

    def begin_round(self) -> None:
        """A sweep begins. What passes touch from now on, and what it reads again, is remembered in a later round.

        The round between is that of keys which the sweep settles: it may forget them when it ends.
        """
        with translated():
            self._recall_once()
            newest = touched.newest(self.connection, self._sides.state.source_name)
        self._writer.round = max(newest, self.round) + 2
        self._not_read.clear()
        self._writer.broken_off.clear()

    def rebase(self, tables: Iterable[str], snapshot: str | None, detail: str) -> None:
        """End a sweep: the snapshot becomes the base of these tables, and earlier rounds are forgotten, at once."""
        state, wanted = self._sides.state, frozenset(tables)
        rebased = [
            replace(self.known[table.name], base_snapshot=snapshot, definition=Definition.of(table), error="")
            for table in (self.plan.tables if self.plan else ())
            if table.name in wanted
        ]
        with transaction(self.connection):
            state.confirm_epoch(self.connection)
            state.save(self.connection, *rebased)
            touched.forget(self.connection, state.source_name, [c.table for c in rebased], self.round)
            state.record(self.connection, "INFO", "swept", detail=detail)
        self._writer.known |= {checkpoint.table: checkpoint for checkpoint in rebased}

    def stop(self, name: str, error: TableError) -> TableReport:
        """Stop a table of which nothing more can be brought."""
        return self._writer.stop(name, error)

    def warn(self, name: str, event_name: str, said: str) -> None:
        """Let the status of a table tell of something that a person must decide; it is kept current nevertheless."""
        state, warned = self._sides.state, replace(self.known[name], error=said)
        with transaction(self.connection):
            state.confirm_epoch(self.connection)
            state.save(self.connection, warned)
            state.record(self.connection, "ERROR", event_name, name, said)
        self._writer.known[name] = warned

    def run(
        self,
        *,
        again: Mapping[str, ReadAgain] = NO_KEYS,
        next_base: NextBase = NO_BASE,
        thorough: bool = True,
        ties: bool = True,
        stopping: Callable[[], bool] = lambda: False,
        observe: Observer | None = None,
    ) -> PassReport:
        """Make one pass; returns the tables of which something was applied.

        `again` are keys to read again, by the source's table; the rejects' are added to them; a table that is slowed
        down has its time first. `next_base` is the sweep's at work. A pass that is not `thorough` leaves out what is
        many and seldom matters: more than 1,000 rejects of a table, more than 200 rows at its date mark; one without
        `ties` the latter alone: the sweep that it begins finds which of them are others by now. `observe` is called at
        the end of the reading, with its transaction. Raises RetryError and StopError; a table's own error stops that
        table.
        """
        for table in again:
            self.pace.wait(table)
        began, moment, is_first = time.monotonic(), self._lag.began(), self._seen is None
        with translated(), guard(self.connection):
            self._recall_once()
            rejects = self._rejects()
            wanted = self._wanted(again, rejects, thorough=thorough)
            done = self._round(wanted, rejects, next_base, stopping, ties=thorough and ties, observe=observe)
            # A row that waits since an earlier pass may have been offered in an earlier batch than what it waits for.
            settled = self._settle({} if is_first or self._writer.in_batches else rejects, rejects, stopping)
        reports = together((*done.tables, *settled.tables))
        self._has_rejects = bool(rejects) or any(report.applied.rejected for report in reports)
        self._held |= frozenset(name for name in self.known if self.pace.is_paused(name))
        self._left_out = not (thorough and ties) or bool(self._held)
        stopped = frozenset(name for name, known in self.known.items() if known.phase is Phase.STOPPED)
        self._behind = self._held | stopped
        if not stopping():
            self._lag.settled(moment, self._behind)
        return PassReport(reports, time.monotonic() - began, done.read_seconds + settled.read_seconds)

    def _round(
        self,
        again: Mapping[str, ReadAgain],
        rejects: Rejects,
        next_base: NextBase,
        stopping: Callable[[], bool],
        *,
        ties: bool,
        observe: Observer | None,
        together: bool = False,
    ) -> PassReport:
        """Read once and apply it; see `Writer.write`."""
        began = time.monotonic()
        with closing(Spool(self._sides.state_dir)) as spool:
            seen, readings, lost = self._read(again, next_base, spool, ties=ties, observe=observe)
            read = time.monotonic()
            applied = self._writer.write(readings, spool, rejects, stopping, self._applied, together=together)
            reports = (*lost, *applied)
        self._seen = None if stopping() else seen
        return PassReport(reports, time.monotonic() - began, read - began)

    def _settle(self, tried: Rejects, rejects: Rejects, stopping: Callable[[], bool]) -> PassReport:
        """Read again the rows that have what others wait for, and then those: only what waits even so is rejected.

        The rows that have it may be gone, or have given it away. Rows of `tried` wait since an earlier pass: they are
        no reason to look once more. `rejects` are all those of before.
        """
        began, read, reports = time.monotonic(), 0.0, list[TableReport]()
        left = dict(self._writer.contested)
        anew = {t: keys for t, keys in left.items() if not keys.source_keys.keys() <= tried.get(t, frozenset())}
        before: Mapping[str, ReadAgain] = NO_KEYS
        rounds = 0
        while anew and anew != before and rounds < ROUNDS_AT_MOST and not stopping():
            self._has_rejects = True
            wanted = self._wanted(anew, {}, thorough=False)
            known = self._rejects()
            done = self._round(wanted, known, NO_BASE, stopping, ties=False, observe=None, together=True)
            reports += done.tables
            read += done.read_seconds
            before, anew = anew, dict(self._writer.contested)
            left = {t: keys for t, keys in left.items() if t not in before} | anew
            rounds += 1
        plans = {table.name: table for table in self._readers.plan.tables} if self._readers else {}
        reports += [self._writer.judge(plans[t], frozenset(keys.source_keys), rejects) for t, keys in left.items()]
        return PassReport(tuple(reports), time.monotonic() - began, read)

    def _read(
        self,
        again: Mapping[str, ReadAgain],
        next_base: NextBase,
        spool: Spool,
        *,
        ties: bool,
        observe: Observer | None,
    ) -> tuple[int, tuple[TableReading, ...], tuple[TableReport, ...]]:
        """The source's data version, what was read, and the tables that the plan cannot carry any more."""
        there: TargetSide | None = None
        while True:
            with self._sides.source.transaction() as connection:
                if readers := self._current_readers(connection, there):
                    self._confirm_loaded()
                    seen = int(connection.pragma("data_version"))
                    self._held = self._holding(readers.plan)
                    self._not_read.update(again.keys() & self._held)
                    active = {name: known for name, known in self._active().items() if name not in self._held}
                    grown = changed_tables(readers.plan, active)
                    if not grown:
                        readings = readers.read(active, again, spool, ties=ties, next_base=next_base, seen=seen)
                        if observe:
                            observe(connection, readers.plan)
                        break
            if readers:
                self._grow(readers.plan, grown)
            there = self._sides.look_at_target()
        for table in forget_gone(self._sides, self.connection, readers.plan, self._writer.known):
            del self._writer.known[table]
        return seen, readings, self._stop_lost(readers.plan)

    def _grow(self, plan: Plan, grown: NewColumns) -> None:
        """Take up what changed, and plan anew: from now on the types of new columns are the target's."""
        for table in plan.tables:
            if table.name in grown:
                known, columns = self._writer.known[table.name], grown[table.name]
                self._writer.known[table.name] = take_up(self._sides, self.connection, table, known, columns)
        self._readers = None

    def _holding(self, plan: Plan) -> frozenset[str]:
        """The tables that somebody holds back now, and those below them: their rows may need parents that wait."""
        held: set[str] = set()
        for table in plan.tables:
            if not self.pace.is_free and (self.pace.holds(table.name) or held.intersection(table.parents)):
                held.add(table.name)
        return frozenset(held)

    def _rejects(self) -> Rejects:
        if not self._has_rejects:
            return {}
        found = reject.keys(self.connection, self._sides.state.source_name)
        return {table: frozenset(keys) for table, keys in found.items()}

    def _wanted(self, again: Mapping[str, ReadAgain], rejects: Rejects, *, thorough: bool) -> Mapping[str, ReadAgain]:
        """What is read again of each table, with all target keys that earlier passes remember.

        Where the target's key is the rowid they would tell nothing: asking took a tenth of a sweep of 100,000 keys.
        """
        wanted = dict(again)
        for table, keys in rejects.items():
            if thorough or len(keys) <= REPLAY_AT_MOST:
                wanted[table] = wanted.get(table, ReadAgain()) + ReadAgain(dict.fromkeys(keys, frozenset()))
        name = self._sides.state.source_name
        told = {table.name for table in self.plan.tables if is_rowid(table)} if self.plan else frozenset()
        return {
            table: keys
            if table in told
            else keys + ReadAgain(touched.target_keys(self.connection, name, table, keys.source_keys))
            for table, keys in wanted.items()
        }

    def _current_readers(self, connection: apsw.Connection, there: TargetSide | None) -> Readers | None:
        """The readers of the source's schema as it is now; None where new ones need a look at the target first."""
        version = int(connection.pragma("schema_version"))
        if self._readers is None or version != self._schema_version:
            if there is None:
                return None
            self._readers = Readers(connection, self._sides.plan(connection, there))
            self._schema_version = version
        return self._readers

    def _applied(self, reading: TableReading) -> None:
        if self._readers:
            self._readers.applied(reading)

    def _recall_once(self) -> None:
        """Read from the checkpoints how far each loaded table has come; the answer waits for a COMMIT under way."""
        if self._writer.known:
            return
        own = self._sides.state.checkpoints(self.connection, lock=True)
        self._writer.known = {c.table: c for c in own if c.part == TABLE_PART and _is_loaded(c, own)}
        self._writer.round = touched.newest(self.connection, self._sides.state.source_name)

    def _confirm_loaded(self) -> None:
        if not self._writer.known:
            raise NotReadyError("nothing is loaded yet", where=str(self._sides.source.path), advice="First: syncd load")

    def _stop_lost(self, plan: Plan) -> tuple[TableReport, ...]:
        """Stop the tables that the plan cannot carry any more: gone from the source, or at odds with the target."""
        there = {table.name for table in plan.tables} | {skipped.name for skipped in plan.skipped}
        errors = {error.where: error for error in plan.refused}
        why = {name: errors.get(name) or gone(name) for name in self._writer.known.keys() - there}
        return tuple(
            self._writer.stop(name, error)
            for name, error in why.items()
            if self._writer.known[name].error != str(error)
        )

    def _active(self) -> Mapping[str, Checkpoint]:
        """Tables that are kept current. One that stopped in an earlier run is tried again, in this one it is not."""
        known = self._writer.known
        return {name: c for name, c in known.items() if c.phase is not Phase.STOPPED or self._seen is None}


def _is_loaded(checkpoint: Checkpoint, among: Iterable[Checkpoint]) -> bool:
    """Whether a table's load is done: no range of it is left."""
    parts = any(other.table == checkpoint.table and other.part != TABLE_PART for other in among)
    return checkpoint.is_loaded and not parts
