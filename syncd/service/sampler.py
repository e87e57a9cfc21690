"""Samples the one report: once a second, from the daemon's own counters and what the probe was told.

It runs in a thread of its own and takes no lock for longer than copying a few numbers takes, so that neither a pass
waits for a report nor a report for a pass.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from syncd.engine.lag import FileTimes, Lag
from syncd.engine.pace import Pace
from syncd.engine.report import Point, Report, Stage, TableNow, advised, judged
from syncd.log import event
from syncd.model import Applied, Mark, Phase, TableStatus
from syncd.plan import Plan
from syncd.service.counters import Counters
from syncd.service.counting import Counting
from syncd.service.probe import Probe
from syncd.target.control import ALL_TABLES, Control
from syncd.target.database import Target
from syncd.wording import one_line

SAMPLE_SECONDS = 1.0
POINT_SECONDS = 10.0
POINTS = 360
"""An hour."""
STILL_SECONDS = 300.0
"""Work that shows no progress for so long is in trouble. A pass takes milliseconds, but a sweep, or the key of a large
table, minutes."""
WATCHED_SECONDS = 5.0
FAREWELL_SECONDS = 75.0
"""Metrics are fetched every minute, or more often; who has not fetched them for longer does not."""
_STEP = 0.2
_FENCED = (Stage.FENCED, Stage.PROMOTED)

Listener = Callable[[Report], None]


class Sampled(Protocol):
    """What those need who show the report."""

    counters: Counters

    def watch(self) -> Report:
        """The report, for somebody who looks now."""


class Sampler:
    """`report` is replaced whole each second. Workers tell by the methods; listeners are called in its thread."""

    def __init__(self, source: Path, target: Target, pace: Pace, woken: Callable[[], None]) -> None:
        self.counters = Counters()
        self.lag = Lag()
        self.pace = pace
        self.report = Report(time.time(), str(source), target.shown)
        self._woken = woken
        self._times = FileTimes(source)
        self._probe = Probe(target, str(source), self._asked, self._published, self._is_busy, woken)
        self._counting = Counting(source, target, self._added, self._marks, self._unsettled)
        self._estimates: dict[str, tuple[int, int]] = {}
        self._hindrance = self._note = ""
        self._moved = time.monotonic()
        self._watched = -WATCHED_SECONDS
        self._owns = False
        self._listeners: list[Listener] = []
        self._points: deque[Point] = deque(maxlen=POINTS)
        self._since = self.report.at
        self._moved_rows = 0
        self._worst = 0.0
        self._promoted = math.inf
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    # Told by the worker

    def moved(self) -> None:
        """Work made progress."""
        self._moved = time.monotonic()
        self._hindrance = self._note = ""

    def busy_with(self, said: str) -> None:
        """Something else than passes goes on."""
        self._note = said

    def hindered(self, said: str) -> None:
        """Work waits for something that is not there."""
        self._hindrance = one_line(said)

    def owns(self, yes: bool) -> None:
        """Whether the source is ours: only then others are told how it stands."""
        self._owns = yes

    def estimated(self, table: str, rows: int) -> None:
        """The load begins a table that holds about so many rows."""
        done = self.counters.tally().applied.get(table, Applied()).read
        self._estimates[table] = (rows, done)

    def planned(self, plan: Plan | None) -> None:
        """What passes carry: from now on rows are counted."""
        self._counting.plan = plan

    # Told by those who show it

    def watch(self) -> Report:
        """The report, for somebody who looks now: it is kept fresh for some seconds."""
        self._watched = time.monotonic()
        return self.report

    def farewell(self, stopping: Callable[[], bool]) -> None:
        """Wait until whoever fetches the metrics has fetched that of the promotion: its end would look like a fault."""
        began = time.time()
        while not stopping() and time.time() < began + FAREWELL_SECONDS:
            if self.counters.fetched > self._promoted or self.counters.fetched < began - FAREWELL_SECONDS:
                return
            self._ended.wait(_STEP)

    def listen(self, listener: Listener) -> None:
        """Call this with each report; it must not wait for anything."""
        self._listeners.append(listener)

    # The thread

    def start(self) -> None:
        self._probe.start()
        self._counting.start()
        self._thread.start()

    def close(self) -> None:
        """End with a last report, for which the target was asked once more; the listeners are not told of it."""
        self._ended.set()
        self._thread.join(SAMPLE_SECONDS)
        self._counting.close()
        self._probe.close()
        self._sample()

    def _run(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self._sample(*self._listeners)

    def _sample(self, *listeners: Listener) -> None:
        try:
            self.report = self._sampled(time.time())
            if self.report.stage is Stage.PROMOTED:
                self._promoted = min(self._promoted, time.time())
            for listener in listeners:
                listener(self.report)
        except Exception as error:
            # A fault here must show, and must not end what tells of faults.
            event("ERROR", "sample_failed", f"{type(error).__name__}: {error}", exception=error)

    def _sampled(self, now: float) -> Report:
        trouble = tuple(self._trouble())
        answer, tally = self._probe.answer, self.counters.tally()
        if self._note and answer.cutover in _FENCED:
            # Nobody writes, and what is left is the command's to bring and to prove: its passes tell us nothing.
            self.lag.settled(self.lag.began(), self.lag.left_out)
        rates = self.counters.rates(time.monotonic())
        lag = self.lag.seconds(now)
        rate = sum(rates.values())
        own = {asked.table: asked for asked in self.pace.controls}
        report = Report(
            at=now,
            source=self.report.source,
            target=self.report.target,
            tables=tuple(self._table(status, rates, tally.applied, own, now) for status in answer.tables),
            lag=lag,
            rate=rate,
            wal_bytes=self._times.wal_bytes,
            source_reachable=not any(said.startswith("source") for said in trouble),
            target_reachable=not self._probe.error,
            trouble=trouble,
            note=self._note,
            retries=tally.retries,
            last_pass=_moment(tally.succeeded.get("pass")),
            last_sweep=answer.last_sweep,
            last_verify=answer.last_verify,
            cutover=answer.cutover,
            loaded_here=frozenset(self._estimates),
            control=own.get(ALL_TABLES),
            rejects=tuple(map(advised, answer.rejects)),
            events=answer.events,
            history=self._history(now, lag, sum(a.written + a.deleted for a in tally.applied.values())),
        )
        return judged(_at_rest(report, answer.landed) if report.stage is Stage.PROMOTED else report)

    def _trouble(self) -> Iterable[str]:
        try:
            if (changed := self._times.changed_at()) is not None:
                self.lag.changed(min(changed, time.time()))
        except OSError as error:
            self.lag.changed()
            yield f"source: {error.strerror or error}"
        if self._probe.error:
            yield f"target: {self._probe.error}"
        elif self._hindrance:
            yield self._hindrance
        still = time.monotonic() - self._moved
        if still > STILL_SECONDS:
            yield f"worker: no progress for {still:.0f} s"

    def _table(
        self,
        status: TableStatus,
        rates: Mapping[str, float],
        applied: Mapping[str, Applied],
        own: Mapping[str, Control],
        now: float,
    ) -> TableNow:
        name, answer = status.table, self._probe.answer
        table = TableNow(
            name=name,
            phase=status.phase,
            rows_applied=status.rows_applied,
            mark=status.mark,
            lag=self.lag.of_table(name, now),
            pending=self._counting.pending.get(name),
            rate=rates.get(name, 0.0),
            rejects=status.rejects,
            error=status.error,
            updated_at=status.updated_at,
            hypertable=answer.hypertables.get(name, ""),
            proven=answer.proven.get(name, ""),
            differing=answer.last_verify.differing.get(name, 0) if answer.last_verify else 0,
            control=own.get(name),
        )
        if status.phase is Phase.LOAD:
            rows, before = self._estimates.get(name, (0, 0))
            done = applied.get(name, Applied()).read - before
            return replace(
                table, source_rows=rows or None, target_rows=status.rows_applied, pending=max(rows - done, 0)
            )
        counted = self._counting.rows.get(name)
        if counted is None:
            return table
        added = self._added(name) - counted.added
        return replace(table, source_rows=counted.source + added, target_rows=counted.target + added)

    def _history(self, now: float, lag: float, rows: int) -> tuple[Point, ...]:
        self._worst = max(self._worst, lag)
        if now - self._since >= POINT_SECONDS:
            rate = (rows - self._moved_rows) / (now - self._since)
            self._points.append(Point(now, rate, self._worst))
            self._since, self._moved_rows, self._worst = now, rows, 0.0
        return tuple(self._points)

    # For the probe and the counting

    def _asked(self, controls: tuple[Control, ...]) -> None:
        if self.pace.ask(controls):
            self._woken()

    def _published(self) -> Mapping[str, object] | None:
        """What `status` shows of us, here or elsewhere."""
        if not self._owns:
            return None
        report = self.report
        tables = {
            table.name: {"lag": round(table.lag, 3), "rate": round(table.rate, 1), "source_rows": table.source_rows,
                         "target_rows": table.target_rows, "pending": table.pending}
            for table in report.tables
        }  # fmt: skip
        return {
            "stage": str(report.stage),
            "lag": round(report.lag, 3),
            "rate": round(report.rate, 1),
            "trouble": list(report.trouble),
            "retries": report.retries,
            "last_pass": report.last_pass,
            "wal_bytes": report.wal_bytes,
            "ready": report.is_ready,
            "checks": [asdict(check) for check in report.checks],
            "tables": tables,
        }

    def _is_busy(self) -> bool:
        report = self.report
        is_watched = time.monotonic() - self._watched < WATCHED_SECONDS
        return is_watched or report.lag > 0 or report.rate > 0 or not report.is_loaded

    def _added(self, table: str) -> int:
        applied = self.counters.tally().applied.get(table, Applied())
        return applied.inserted - applied.deleted

    def _unsettled(self) -> float:
        """Since how many seconds changes wait; what a command has brought and what it has not, nobody tells us."""
        return math.inf if self._note else self.lag.seconds(time.time())

    def _marks(self) -> Mapping[str, Mark]:
        return {status.table: status.mark for status in self._probe.answer.tables}


def _at_rest(report: Report, landed: Mapping[str, int]) -> Report:
    """The report after a promotion: nothing waits any longer, and whether the old file is there is of no concern."""

    def final(table: TableNow) -> TableNow:
        rows = landed.get(table.name, table.target_rows)
        return replace(table, source_rows=rows, target_rows=rows, pending=0, lag=0.0, rate=0.0)

    tables = tuple(final(table) for table in report.tables)
    return replace(report, tables=tables, lag=0.0, rate=0.0, source_reachable=True, trouble=(), note="")


def _moment(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
