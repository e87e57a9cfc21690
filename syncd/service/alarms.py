"""What is worth waking somebody for: told from one report to the next, each thing once, and its end too."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from syncd.engine.report import Report, Stage
from syncd.errors import PromotedError, SyncdError
from syncd.log import redact
from syncd.model import Phase
from syncd.target.observe import Happening
from syncd.wording import counted

Level = Literal["info", "success", "warning", "failure"]
LEVELS: tuple[Level, ...] = ("success", "info", "warning", "failure")
"""From the best to the worst."""
_TOLD_EVENTS: dict[str, tuple[Level, str]] = {
    "column_added": ("warning", "the source has new columns, and they are taken up"),
    "tables_new": ("warning", "the source has new tables, and they are loaded"),
    "mapping_changed": ("info", "a table is mapped otherwise, and all its rows are compared again"),
    "sweep_refused": ("warning", "a sweep refused to delete so much"),
    "source_accepted": ("warning", "another source was accepted"),
    "fenced": ("info", "the source is fenced"),
    "promoted": ("success", "PostgreSQL is promoted"),
    "aborted": ("warning", "the cutover was aborted"),
    "paused": ("info", "paused"),
    "resumed": ("info", "resumed"),
    "throttled": ("info", "throttled"),
}
"""Events of `syncd.event` that are told as they come."""


@dataclass(frozen=True)
class Alarm:
    """`topic` names what it is about: the same again of one topic is not worth telling soon. A thing that happened is a
    topic of its own. Its first word is the kind."""

    topic: str
    level: Level
    title: str
    text: str

    @property
    def kind(self) -> str:
        return self.topic.partition(" ")[0]


@dataclass(frozen=True)
class Thresholds:
    """When a lag (seconds, for so many seconds) and rejects (rows) are worth it."""

    lag: float
    lag_for: float
    rejects: int

    @classmethod
    def of(cls, lag: timedelta, lag_for: timedelta, rejects: int) -> "Thresholds":
        return cls(lag.total_seconds(), lag_for.total_seconds(), rejects)


class Alarms:
    """Compares each report with the last. What was so when it began is no news, but what a load had done by then is."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self._before: Report | None = None
        self._late_since: float | None = None
        self._told_late: float | None = None
        self._trouble: dict[str, float] = {}
        self._rejects_told = 0

    def judge(self, report: Report) -> tuple[Alarm, ...]:
        """What this report tells that the last one did not."""
        return (*self._sides(report), *self._lag(report), *self._news(report))

    def end(self, report: Report, fault: Exception | None) -> tuple[Alarm, ...]:
        """What the last report tells, and the fault that ends the daemon. How late it is then is no news any more."""
        found = [*self._news(report)]
        if isinstance(fault, PromotedError):
            if report.stage is not Stage.PROMOTED:
                # The target could not be asked any more.
                level, title = _TOLD_EVENTS["promoted"]
                found.append(Alarm("promoted", level, title, fault.what))
        elif fault:
            said = str(fault) if isinstance(fault, SyncdError) else f"{type(fault).__name__}: {fault}"
            found.append(Alarm("end", "failure", "syncd ended", redact(said)))
        return tuple(found)

    def _news(self, report: Report) -> tuple[Alarm, ...]:
        before, self._before = self._before, report
        found: list[Alarm] = []
        if before is not None and before.tables:
            found += [*self._tables(before, report), *self._rejects(report), *_milestones(before, report)]
            found += [alarm for event in _new(before, report) if (alarm := _of_event(event))]
        elif report.tables:
            before = replace(report, tables=tuple(t for t in report.tables if t.name not in report.loaded_here))
            self._rejects_told = before.rejected
            found += [*self._tables(before, report), *self._rejects(report)]
            if report.loaded_here and report.is_loaded:
                found.append(_loaded(report))
        return tuple(found)

    def _sides(self, report: Report) -> Iterator[Alarm]:
        """A side that cannot be reached, and how long it was away when it is back."""
        now = {said.partition(":")[0]: said for said in report.trouble}
        for topic, said in now.items():
            if topic not in self._trouble:
                self._trouble[topic] = report.at
                yield Alarm(f"trouble {topic}", "failure", "syncd is in trouble", said)
        for topic in [*self._trouble]:
            if topic not in now:
                away = _spoken(report.at - self._trouble.pop(topic))
                yield Alarm(f"trouble {topic}", "success", "syncd works again", f"{topic}: fine again, after {away}")

    def _lag(self, report: Report) -> Iterator[Alarm]:
        if report.lag < self._thresholds.lag:
            self._late_since = None
            if self._told_late is not None:
                lasted = _spoken(report.at - self._told_late)
                self._told_late = None
                yield Alarm("lag", "success", "the copy is current again", f"the lag was too long for {lasted}")
            return
        self._late_since = self._late_since or report.at
        if self._told_late is None and report.at - self._late_since >= self._thresholds.lag_for:
            self._told_late = self._late_since
            yield Alarm("lag", "warning", "the copy is late", f"the lag is {_spoken(report.lag)}: {report.sentence}")

    def _tables(self, before: Report, report: Report) -> Iterator[Alarm]:
        stopped = {table.name for table in before.tables if table.phase is Phase.STOPPED}
        for table in report.tables:
            if table.phase is Phase.STOPPED and table.name not in stopped:
                yield Alarm(f"table {table.name}", "failure", f"{table.name} stopped", table.error)
            elif table.phase is not Phase.STOPPED and table.name in stopped:
                yield Alarm(f"table {table.name}", "success", f"{table.name} goes on", "it moves again")

    def _rejects(self, report: Report) -> Iterator[Alarm]:
        """Too many rejects, and again when they have doubled; none at all ends it."""
        if report.rejected == 0:
            self._rejects_told = 0
        elif report.rejected >= max(self._thresholds.rejects, 2 * self._rejects_told):
            self._rejects_told = report.rejected
            causes = "; ".join(f"{g.table}.{g.column or '*'}: {g.reason} ({g.rows})" for g in report.rejects[:5])
            yield Alarm(
                "rejects", "warning", f"{counted(report.rejected, 'row')} rejected", causes or "syncd rejects list"
            )


def _milestones(before: Report, report: Report) -> Iterator[Alarm]:
    if report.is_loaded and not before.is_loaded:
        yield _loaded(report)
    if report.is_ready and not before.is_ready:
        yield Alarm("ready", "success", "ready for the cutover", "every line of the checklist is fulfilled")
    if report.last_verify and report.last_verify != before.last_verify and report.last_verify.differences:
        found = f"{counted(report.last_verify.differences, 'difference')}, by {report.last_verify.mode}"
        yield Alarm("verify", "warning", "verify found differences", found)


def _loaded(report: Report) -> Alarm:
    rows = sum(table.rows_applied for table in report.tables)
    said = f"{counted(len(report.tables), 'table')}, {counted(rows, 'row')}"
    if stopped := [table.name for table in report.tables if table.phase is Phase.STOPPED]:
        return Alarm("load", "warning", "the load is done, with tables that stopped", f"{said}; {', '.join(stopped)}")
    return Alarm("load", "success", "the load is done", said)


def _new(before: Report, report: Report) -> Iterator[Happening]:
    known = before.events[-1].number if before.events else 0
    return (event for event in report.events if event.number > known)


def _of_event(event: Happening) -> Alarm | None:
    if event.event not in _TOLD_EVENTS:
        return None
    level, title = _TOLD_EVENTS[event.event]
    named = f"{event.table}: {title}" if event.table else title
    return Alarm(f"{event.event} {event.number}", level, named, event.detail or event.at)


def _spoken(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
