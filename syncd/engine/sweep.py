"""The sweep: finds what no mark can see, and lets the path read it again.

A new snapshot is compared with the base, that of the last sweep. Every key that differs, and every key that passes
applied since, is read again from the live file. Nothing is paused meanwhile, so a row may change between the snapshot
and its reading: such a key stays touched for the next sweep. The base's name is committed with what may be forgotten;
both files stay until then. A crash before that commit leaves the old base, and every touched key with it.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace

from syncd.engine.again import ReadAgain
from syncd.engine.catchup import Catchup
from syncd.engine.comparing import compare
from syncd.engine.pending import Pending
from syncd.engine.reading import NextBase
from syncd.engine.sides import Sides
from syncd.engine.timescale import policies
from syncd.errors import SnapshotError, SourceBusyError, TableError
from syncd.log import event
from syncd.model import Applied, PassReport, Phase, TableReport, together
from syncd.plan import Plan, TablePlan
from syncd.source import snapshot
from syncd.source.database import Database
from syncd.source.difference import Difference
from syncd.source.render import Renderer
from syncd.target import catalog as target_catalog
from syncd.target import deleting, reject, touched
from syncd.target.database import transaction, translated

KEYS_AT_ONCE = 50_000
"""Keys that one pass reads again: one transaction of each side."""
FEW_DELETES = 1000
"""A sweep may always delete as many rows of a table."""
_BREATH_SECONDS = 0.5


@dataclass(frozen=True)
class SweepReport:
    """What a sweep did: the tables of which something was applied, and those of which it refused to delete so much.

    `read_again` counts keys. `finished` is false where it was stopped, or somebody held a table back; then the next one
    begins anew.
    """

    tables: tuple[TableReport, ...]
    seconds: float
    read_again: int = 0
    refused: tuple[TableReport, ...] = ()
    finished: bool = True

    @property
    def applied(self) -> Applied:
        return sum((table.applied for table in self.tables), Applied())

    @property
    def as_pass(self) -> PassReport:
        return PassReport(self.tables, self.seconds)


def sweep(
    sides: Sides, catchup: Catchup, *, force: bool = False, stopping: Callable[[], bool] = lambda: False
) -> SweepReport:
    """Make one sweep of every loaded table. `force` lets it delete more than half of a table.

    Raises RetryError and StopError; what it has applied by then stays, and the next sweep finds the rest.
    """
    with ExitStack() as stack:
        return _Sweep(sides, catchup, stack, stopping, force=force).run()


class _Sweep:
    def __init__(
        self, sides: Sides, catchup: Catchup, stack: ExitStack, stopping: Callable[[], bool], *, force: bool
    ) -> None:
        self._sides = sides
        self._catchup = catchup
        self._stack = stack
        self._stopping = stopping
        self._force = force
        self._began = self._breathed = time.monotonic()
        self._reports: tuple[TableReport, ...] = ()
        self._read_again = 0
        self._bases: dict[str, Difference] = {}
        self._secured: Future[None] | None = None
        self._data_version: int | None = None

    def run(self) -> SweepReport:
        self._note(self._catchup.run(ties=False, stopping=self._stopping))
        self._catchup.begin_round()
        report = self._sweep(self._take())
        self._discard_unnamed()
        return report

    def _take(self) -> str | None:
        """Take the new snapshot; None where there is no room for it, and the live file is compared with the target."""
        sides = self._sides
        if not snapshot.has_room(sides.source, sides.state_dir):
            event("WARNING", "no_room_for_snapshot", f"no room for a copy in {sides.state_dir}: reading the live file")
            return None
        with sides.source.transaction():
            self._data_version = sides.source.data_version
            name = snapshot.take(sides.source, sides.state_dir)
        # It reaches the disk while it is compared: 0.1 s for 180 MB, of a sweep that takes 0.6.
        self._secured = self._stack.enter_context(ThreadPoolExecutor(1, "secure")).submit(
            snapshot.secure, sides.state_dir, name
        )
        return name

    def _sweep(self, name: str | None) -> SweepReport:
        sides = self._sides
        image = snapshot.opened(sides.state_dir, name) if name else Database(sides.source.path)
        self._stack.callback(image.close)
        there = sides.look_at_target()
        with image.transaction() as connection:
            plan = sides.plan(connection, there)
        found, refused = self._find(plan, image)
        images = {p.plan.name: Renderer(image.connection, p.plan) for p in found} if name else {}
        with policies.paused_for(sides, sum(pending.count for pending in found)):
            finished = self._apply(found, NextBase(images, self._data_version))
        report = SweepReport(
            tuple(map(self._with_rejects, self._reports)),
            time.monotonic() - self._began,
            self._read_again,
            tuple(refused),
            finished=finished and not self._catchup.unfinished,
        )
        if finished:
            self._end([p.plan.name for p in found], name, report)
        return report

    def _find(self, plan: Plan, image: Database) -> tuple[list[Pending], list[TableReport]]:
        """The keys to read again of each table, parents first, and the tables of which too much would be deleted."""
        found, refused = [], []
        for table in plan.tables:
            if self._is_swept(table):
                pending = Pending(self._sides.state_dir, table)
                self._stack.callback(pending.close)
                try:
                    self._find_differing(image, pending)
                except TableError as error:
                    self._reports = together((*self._reports, self._catchup.stop(table.name, error)))
                    continue
                self._find_touched(pending)
                if said := self._refusal(image, pending):
                    refused.append(TableReport(table.name, Applied(), 0.0, said))
                else:
                    found.append(pending)
            self._breathe()
        return found, refused

    def _is_swept(self, table: TablePlan) -> bool:
        """Whether the table is loaded and kept current; one that stopped, or is loading, is left alone."""
        known = self._catchup.known.get(table.name)
        return known is not None and known.phase is Phase.CATCHUP and known.fingerprint == table.fingerprint

    def _find_differing(self, image: Database, pending: Pending) -> None:
        base = self._base(pending.plan)
        if base and image.private:
            try:
                for changed in self._difference(base, image).rows(pending.plan):
                    pending.add(changed.source_key, [changed.target_key] if changed.target_key is not None else ())
                    self._breathe()
                return
            except SnapshotError as error:
                event("WARNING", "base_unusable", str(error), table=pending.plan.name)
                pending.clear()
        with translated(pending.plan.name):
            compare(self._sides, image, pending.plan, pending)

    def _base(self, table: TablePlan) -> str | None:
        """The base of a table; none where it would not tell of rows that stayed while deletes were not carried over."""
        known = self._catchup.known[table.name]
        was_kept = known.definition is not None and not known.definition.deletes
        return None if was_kept and table.deletes else known.base_snapshot

    def _difference(self, base: str, image: Database) -> Difference:
        if base not in self._bases:
            older = snapshot.opened(self._sides.state_dir, base)
            self._stack.callback(older.close)
            self._bases[base] = self._stack.enter_context(Difference(older, image))
        return self._bases[base]

    def _find_touched(self, pending: Pending) -> None:
        """Add what passes applied before this sweep began."""
        source, before, connection = self._sides.state.source_name, self._catchup.round - 1, self._catchup.connection
        with translated(), transaction(connection):
            for source_key, target_keys in touched.before(connection, source, pending.plan.name, before):
                pending.add(source_key, target_keys)

    def _breathe(self) -> None:
        """Let a pass bring what is new while the sweep still looks."""
        if time.monotonic() - self._breathed < _BREATH_SECONDS or self._stopping():
            return
        try:
            if self._catchup.has_news():
                self._note(self._catchup.run(thorough=False, stopping=self._stopping))
        except SourceBusyError as error:
            event("WARNING", "source_busy", str(error))
        self._breathed = time.monotonic()

    def _refusal(self, image: Database, pending: Pending) -> str:
        """Why a table is not swept: more than half of it, and more than 1,000 rows, would be deleted."""
        plan, sides = pending.plan, self._sides
        if self._force or not plan.deletes or pending.target_keys <= FEW_DELETES:
            return ""
        rows = target_catalog.row_count(self._catchup.connection, sides.schema, plan.target)
        if pending.target_keys * 2 <= rows:
            return ""
        deletes = 0
        for keys in pending.vanished(image.connection):
            with translated(), transaction(self._catchup.connection):
                deletes += deleting.count(self._catchup.connection, sides.schema, plan, keys)
        if deletes <= FEW_DELETES or deletes * 2 <= rows:
            return ""
        said = f"{deletes} of {rows} rows would be deleted, more than half; if that is right: syncd sweep --force"
        event("ERROR", "sweep_refused", f"{plan.name}: {said}", table=plan.name, rows=deletes)
        self._catchup.warn(plan.name, "sweep_refused", said)
        return said

    def _apply(self, found: list[Pending], next_base: NextBase) -> bool:
        """Read all keys again; false where it was stopped before the end."""
        passes = 0
        for again in self._chunks(found):
            self._note(self._catchup.run(again=again, next_base=next_base, stopping=self._stopping))
            self._read_again += sum(len(keys.source_keys) + len(keys.target_keys) for keys in again.values())
            passes += 1
            if self._stopping():
                return False
        if passes > 1 and (waiting := self._waiting(found)):
            self._note(self._catchup.run(again=waiting, stopping=self._stopping))
        return not self._stopping()

    def _chunks(self, found: list[Pending]) -> Iterator[dict[str, ReadAgain]]:
        """What each pass reads again: all tables at once where it is little, so that deletes find no children left."""
        chunk: dict[str, ReadAgain] = {}
        size = 0
        for pending in found:
            for keys in pending.chunks(KEYS_AT_ONCE):
                count = len(keys.source_keys) + len(keys.target_keys)
                if chunk and (size + count > KEYS_AT_ONCE or pending.plan.name in chunk):
                    yield chunk
                    chunk, size = {}, 0
                chunk[pending.plan.name] = keys
                size += count
        if chunk:
            yield chunk

    def _waiting(self, found: list[Pending]) -> dict[str, ReadAgain]:
        """Deletes of this sweep that waited for those of their children."""
        state, connection = self._sides.state, self._catchup.connection
        with translated():
            waiting = {
                p.plan.name: touched.alone(connection, state.source_name, p.plan.name) for p in found if p.plan.deletes
            }
        return {table: ReadAgain(target_keys=keys) for table, keys in waiting.items() if keys}

    def _note(self, report: PassReport) -> None:
        self._reports = together((*self._reports, *report.tables))

    def _with_rejects(self, report: TableReport) -> TableReport:
        """The report of a table with its rejects as they are now: every pass counted those that it tried again."""
        if not report.applied.rejected:
            return report
        rejected = reject.count(self._catchup.connection, self._sides.state.source_name, report.table)
        return replace(report, applied=replace(report.applied, rejected=rejected))

    def _end(self, tables: list[str], name: str | None, report: SweepReport) -> None:
        """Let the new snapshot be the base of what was swept.

        A table that stopped or was held back meanwhile keeps its own: of its keys not all were read again.
        """
        if self._secured:
            self._secured.result()
        left = self._catchup.unfinished
        swept = [t for t in tables if t not in left and self._catchup.known[t].phase is Phase.CATCHUP]
        done = report.applied
        said = (
            f"read again: {report.read_again}; inserted: {done.inserted}, updated: {done.updated}, "
            f"deleted: {done.deleted}, rejected: {done.rejected}; seconds: {report.seconds:.3f}"
        )
        with translated():
            self._catchup.rebase(swept, name, said)
        event("INFO", "swept", f"swept: {said}", rows=done.written + done.deleted, seconds=round(report.seconds, 3))

    def _discard_unnamed(self) -> None:
        """Remove the snapshots that no table has as its base: the old one, or the new one of a sweep that was stopped.

        After a fault that is left to the next owner: the COMMIT that names one of them may be still under way.
        """
        known = self._sides.state.checkpoints(self._catchup.connection)
        named = frozenset(c.base_snapshot for c in known if c.base_snapshot)
        snapshot.discard_others(self._sides.state_dir, named)
