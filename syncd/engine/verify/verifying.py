"""The order of a verify: a pass, the comparison, a second look, the repair, and the report.

What is compared is one state of the source, read in the transaction of a pass that is applied before anything is
compared: rows that are written meanwhile are no differences.
"""

import json
import time
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field

import apsw

from syncd.engine.catchup import Catchup, Observer
from syncd.engine.forgetting import gone
from syncd.engine.progress import Progress, Silent
from syncd.engine.reading import changed
from syncd.engine.sides import Sides
from syncd.engine.sweep import sweep
from syncd.engine.verify.findings import Findings
from syncd.engine.verify.image import Camera
from syncd.engine.verify.look import Look
from syncd.engine.verify.scan import scan
from syncd.engine.verify.settle import Settling
from syncd.errors import StopError, UsageError
from syncd.log import event
from syncd.model import Difference, Phase, TableVerdict, VerifyReport
from syncd.plan import Plan, TablePlan
from syncd.source import catalog as source_catalog
from syncd.source import sample, snapshot
from syncd.target import catalog as target_catalog
from syncd.target import proven, reject
from syncd.target.database import Connection, transaction
from syncd.target.state import VERIFIED, Checkpoint
from syncd.wording import counted

SAMPLE_ROWS = 1000

Suspects = Mapping[str, frozenset[str]]
"""The source keys of the rows that differed, by table."""


@dataclass(frozen=True)
class Asked:
    """What is asked of a verify: see `verify`."""

    mode: str
    sync: bool = True
    rows: int = SAMPLE_ROWS
    paranoid: bool = False
    repair: bool = False

    def check(self) -> None:
        """Raise UsageError for what does not go together."""
        if self.paranoid and self.mode != "full":
            raise UsageError("--paranoid needs --mode full")
        if self.repair and not self.sync:
            raise UsageError("--repair and --no-sync exclude each other: a repair is a pass")
        if self.repair and self.mode == "counts":
            raise UsageError("--repair needs --mode sample or full: counting finds no row")


def verify(sides: Sides, asked: Asked, progress: Progress | None = None) -> VerifyReport:
    """Compare both sides. `mode` is counts, sample or full; `rows` how many of each table are sampled.

    `sync = False` compares without a pass before it: what the source has and the target has not yet are differences.
    `paranoid` holds every value against a second opinion, which a sample always has. `repair` reads what differs
    again from the source.
    """
    asked.check()
    began = time.monotonic()
    catchup = Catchup(sides)
    try:
        work = _Verify(sides, asked, catchup, progress or Silent())
        verdicts = work.run()
    finally:
        catchup.close()
    report = VerifyReport(asked.mode, verdicts, time.monotonic() - began, work.compared_seconds)
    _tell(sides, report)
    return report


@dataclass
class _Verify:
    """One verify at work."""

    sides: Sides
    asked: Asked
    catchup: Catchup
    progress: Progress
    tables: tuple[TablePlan, ...] = ()
    unloaded: Mapping[str, str] = field(default_factory=dict)
    changed: tuple[TableVerdict, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    compared_seconds: float = 0.0

    def run(self) -> tuple[TableVerdict, ...]:
        found = self._compare()
        if self.asked.sync:
            settling = Settling(self.sides, self.catchup, self._sweep)
            self._settle(found, settling)
            if self.asked.repair:
                self._repair(found, settling)
        orphans = _orphans(self.catchup.connection, self.sides.schema)
        for one in found.values():
            one.further += orphans.get(one.plan.target, [])
        return (*(one.verdict() for one in found.values()), *self._not_loaded(), *self.changed)

    def _compare(self, suspects: Suspects | None = None) -> dict[str, Findings]:
        """Compare every table; after a repair those that had `suspects`, and these again."""
        return self._compare_all(suspects) if self.asked.mode == "full" else self._compare_some(suspects)

    def _settle(self, found: Mapping[str, Findings], settling: Settling) -> None:
        """Look again at what may be a difference, and count anew where the target was perhaps not as it seemed."""
        doubtful = [one for one in found.values() if one.is_open]
        settling.settle(found)
        for one in doubtful:
            one.target_rows = target_catalog.row_count(self.catchup.connection, self.sides.schema, one.plan.target)

    def _repair(self, found: dict[str, Findings], settling: Settling) -> None:
        """Repair, and compare repaired tables once more: a row that came back may have taken the place of another."""
        suspects = {name: frozenset(one.suspects) for name, one in found.items()}
        settling.repair(found)
        repaired = {name: one.repaired for name, one in found.items() if one.repaired}
        if not repaired:
            return
        again = self._compare({name: suspects[name] for name in repaired})
        self._settle(again, settling)
        for name, one in again.items():
            one.repaired = repaired[name]
        found |= again

    def _of(self, suspects: Suspects | None) -> tuple[TablePlan, ...]:
        return self.tables if suspects is None else tuple(t for t in self.tables if t.name in suspects)

    def _sweep(self) -> None:
        """Bring what no mark shows.

        Without a base, or room for a snapshot, a sweep compares with the target: it would mend, unasked, what this
        verify is to tell.
        """
        sides = self.sides
        known = [c for c in sides.checkpoints().values() if c.phase is Phase.CATCHUP]
        has_bases = bool(known) and all(checkpoint.base_snapshot for checkpoint in known)
        if has_bases and snapshot.has_room(sides.source, sides.state_dir):
            sweep(sides, self.catchup)

    def _observe(self, observer: Observer) -> None:
        """Call it at the end of a pass's reading, or without a pass in a transaction of the source."""
        there = self.sides.look_at_target()

        def observe(connection: apsw.Connection, plan: Plan) -> None:
            known = {**there.checkpoints, **self.catchup.known}
            self.unloaded = dict(_unloaded(plan, known, there.tables))
            self.changed = tuple(_not_compared(plan, known, self.unloaded))
            unlike = {verdict.table for verdict in self.changed}
            self.tables = tuple(t for t in plan.tables if t.name not in unlike and t.name not in self.unloaded)
            for table in (t for t in plan.tables if t.name not in unlike):
                self.counts[table.name] = source_catalog.row_count(connection, table.name, table.where)
            observer(connection, plan)

        if self.asked.sync:
            self._sweep()
            self.catchup.run(observe=observe)
        else:
            with self.sides.source.transaction() as connection:
                observe(connection, self.sides.plan(connection, there))

    def _rejected(self) -> Mapping[str, frozenset[str]]:
        found = reject.keys(self.catchup.connection, self.sides.state.source_name)
        return {table: frozenset(keys) for table, keys in found.items()}

    def _compare_all(self, suspects: Suspects | None) -> dict[str, Findings]:
        camera = Camera(self.sides)
        self._observe(camera.take)
        with camera.taken() as image:
            if self.asked.paranoid and not image.private:
                raise StopError(
                    "--paranoid needs room for a private copy of the source",
                    where=str(self.sides.state_dir),
                    advice="Free some space, or set [sync] state_dir to a disk with more",
                )
            began = time.monotonic()
            paranoid = self.asked.paranoid
            found = scan(self.sides, image, self._of(suspects), self._rejected(), self.progress, paranoid=paranoid)
            self.compared_seconds += time.monotonic() - began
            return found

    def _compare_some(self, suspects: Suspects | None) -> dict[str, Findings]:
        rows = self.asked.rows if self.asked.mode == "sample" else 0

        def choose(connection: apsw.Connection, plan: TablePlan) -> list[str]:
            if suspects is None:
                return sample.keys(connection, plan, rows) if rows else []
            known = suspects.get(plan.name, frozenset())
            return sorted(known.union(sample.keys(connection, plan, rows))) if plan.name in suspects else []

        look = Look(choose, independent=True)
        self._observe(look.take)
        rejected = self._rejected()
        found = {
            plan.name: Findings(plan, self.counts[plan.name], rejected.get(plan.name, frozenset()))
            for plan in self._of(suspects)
        }
        connection = self.catchup.connection
        for name, looked in look.compare(connection, self.sides.schema, found, self.sides.target.timezone).items():
            found[name].refuse(looked.refused)
            found[name].add(looked.compared, looked.compared, looked.unequal)
            found[name].values |= {key: list(pairs) for key, pairs in looked.values.items()}
        for one in found.values():
            one.target_rows = target_catalog.row_count(connection, self.sides.schema, one.plan.target)
            one.check_counts()
        return found

    def _not_loaded(self) -> Iterator[TableVerdict]:
        for name, why in self.unloaded.items():
            said = Difference(name, "not loaded", "", why)
            yield TableVerdict(name, self.counts[name], 0, 0, 0, differences=(said,))


def _unloaded(plan: Plan, known: Mapping[str, Checkpoint], there: Container[str]) -> Iterator[tuple[str, str]]:
    """The tables that no load has brought, each with what tells it; one that changed since its load is none."""
    for table in plan.tables:
        checkpoint = known.get(table.name)
        if checkpoint and not checkpoint.is_begun:
            yield table.name, "a load refused it; syncd load tries again"
        elif table.target not in there and not (checkpoint and checkpoint.fingerprint != table.fingerprint):
            yield table.name, f"the target has no table {table.target}"


def _not_compared(plan: Plan, known: Mapping[str, Checkpoint], unloaded: Container[str]) -> Iterator[TableVerdict]:
    """The tables that are not what they were when they were loaded, or that no load can bring: nothing of them is known
    to be equal.
    """
    skipped = {table.name for table in plan.skipped}
    errors = {error.where: error.what for error in plan.refused}
    for name, checkpoint in known.items():
        table = plan.table(name)
        if name in unloaded:
            continue
        if table and checkpoint.fingerprint != table.fingerprint:
            said = changed(table, checkpoint).what
        elif table or name in skipped:
            continue
        else:
            said = errors.get(name, gone(name).what)
        yield _uncompared(name, said)
    yield from (_uncompared(name, said) for name, said in errors.items() if name not in known)


def _uncompared(name: str, why: str) -> TableVerdict:
    return TableVerdict(name, 0, 0, 0, 0, differences=(Difference(name, "not compared", "", why),))


def _orphans(connection: Connection, schema: str) -> dict[str, list[Difference]]:
    """Rows of the target that violate one of its foreign keys, by table."""
    found: dict[str, list[Difference]] = {}
    for key in target_catalog.foreign_keys(connection, schema):
        if count := target_catalog.orphan_count(connection, schema, key):
            detail = f"{counted(count, 'row')} without a parent in {key.parent}"
            found.setdefault(key.table, []).append(Difference(key.table, "foreign key", key.name, detail))
    return found


def _tell(sides: Sides, report: VerifyReport) -> None:
    """Log the result, and keep it in `syncd.event` for those who ask for the status, unless our role may only read."""
    level = "WARNING" if report.found else "INFO"
    seconds = round(report.seconds, 3)
    said = f"verified by {report.mode}: {counted(report.found, 'difference')}"
    event(level, VERIFIED, said, mode=report.mode, differences=report.found, seconds=seconds)
    if not sides.state.may_record(sides.control):
        return
    told = json.dumps(
        {
            "mode": report.mode,
            "differences": report.found,
            "seconds": seconds,
            "compared_seconds": round(report.compared_seconds, 3),
            "differing": {table.table: table.found for table in report.tables if table.found},
        }
    )
    with transaction(sides.control):
        sides.state.record(sides.control, level, VERIFIED, detail=told)
        if report.mode == "full":
            name = sides.state.source_name
            proven.note(sides.control, name, [t.table for t in report.tables if not t.found], report.seconds)
            proven.forget(sides.control, name, [t.table for t in report.tables if t.found])
        for table in report.tables:
            if table.repaired:
                sides.state.record(sides.control, "WARNING", "repaired", table.table, counted(table.repaired, "row"))
