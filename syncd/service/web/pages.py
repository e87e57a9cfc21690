"""The report as HTML, in sections: a stream sends only those that changed. Everything is escaped."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from syncd.engine.report import LATE_SECONDS, Point, Report, Stage, TableNow
from syncd.model import Phase
from syncd.service.web import words
from syncd.service.web.charts import charts

EVENTS_SHOWN = 40
SLOW_SECONDS = 10.0
"""A lag from which on the page is no longer green."""
HEAD = ("banner", "steps")
BODY = ("figures", "charts", "tables", "below")


@dataclass(frozen=True)
class Step:
    """One phase of the move; `state` is done, now or later. `current` is the one that the move has reached."""

    name: str
    state: str
    said: str
    current: bool


@dataclass(frozen=True)
class Verified:
    """What verify says, of the whole or of a table."""

    word: str
    said: str
    mood: str


@dataclass(frozen=True)
class View:
    """A rendered report: `sections` by id hold all of the page, `rows` the tables' rows, which `sections` repeat.

    `is_last`: no other will follow.
    """

    title: str
    sections: Mapping[str, Markup]
    rows: Mapping[str, Markup]
    version: str
    is_last: bool
    head: tuple[str, ...] = HEAD
    body: tuple[str, ...] = BODY

    @cached_property
    def whole(self) -> str:
        """All sections as JSON: written once, however many begin to look."""
        return json.dumps(self.sections, ensure_ascii=False, separators=(",", ":"))

    def changed_since(self, before: "View") -> Mapping[str, str]:
        """The smallest parts by id that make the page before into this one."""
        same_tables = before.rows.keys() == self.rows.keys() and bool(self.rows)
        parts = {
            name: html for name, html in self.sections.items() if name not in ("below", "tables" if same_tables else "")
        }
        old = {**before.sections, **before.rows}
        if same_tables:
            parts |= self.rows
        return {name: html for name, html in parts.items() if old.get(name) != html}


class Pages:
    """Renders each report once, for however many viewers."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("syncd.service.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        for said in (
            words.seconds,
            words.whole,
            words.size,
            words.clock,
            words.short_day,
            words.file,
            words.moments,
            words.words,
            words.asked,
            words.told,
            _lateness,
        ):
            self._environment.filters[said.__name__.removeprefix("_")] = said
        self._lock = threading.Lock()
        self._latest: tuple[Report, View] | None = None

    def page(self, report: Report) -> str:
        """The whole page."""
        return self._environment.get_template("page.html").render(view=self.view(report))

    def login(self, *, wrong: bool) -> str:
        """The page that asks for the token."""
        return self._environment.get_template("login.html").render(wrong=wrong)

    def view(self, report: Report) -> View:
        with self._lock:
            if self._latest is None or self._latest[0] is not report:
                self._latest = (report, self._render(report))
            return self._latest[1]

    def _render(self, report: Report) -> View:
        rows = {f"table-{n}": self._row(f"table-{n}", table) for n, table in enumerate(report.tables, 1)}
        now = Point(report.at, report.rate, report.lag)
        events, today = report.events[: -EVENTS_SHOWN - 1 : -1], words.date(report.at)
        small = {
            name: self._part(name, report=report, events=events, today=today)
            for name in ("checklist", "rejects", "events")
        }
        sections = {
            "banner": self._part("banner", report=report, mood=_mood(report), headline=_headline(report)),
            "steps": self._part("steps", steps=_steps(report)),
            "figures": self._part(
                "figures",
                report=report,
                rows=sum(t.rows_applied if t.target_rows is None else t.target_rows for t in report.tables),
                waiting=_waiting(report.tables),
                verified=_verified(report),
            ),
            "charts": self._part("charts", charts=charts(report.history, now)),
            "tables": self._part("tables", rows=list(rows.values())),
            **small,
            "below": Markup('<div class="columns">{}{}</div>{}').format(
                small["checklist"], small["events"], small["rejects"]
            ),
        }
        is_last = report.stage is Stage.PROMOTED
        return View(f"{_headline(report)} · syncd", sections, rows, version("syncd"), is_last)

    def _part(self, name: str, **values: object) -> Markup:
        return Markup(self._environment.get_template(f"{name}.html").render(**values))  # noqa: S704 - autoescaped

    def _row(self, name: str, table: TableNow) -> Markup:
        percent = min(int(table.progress * 100), 100 if table.phase is not Phase.LOAD else 99)
        held = words.asked(table.control) if table.control else ""
        return self._part(
            "row",
            id=name,
            table=table,
            percent=percent,
            word=_word(table, percent),
            held=held,
            verified=_proof(table),
            source_rows=table.source_rows if _shows_source(table) else table.target_rows,
        )


def _lateness(lag: float) -> str:
    """The mood of a lag."""
    return "bad" if lag >= LATE_SECONDS else "warn" if lag >= SLOW_SECONDS else "good"


def _waiting(tables: tuple[TableNow, ...]) -> int | None:
    """How many rows wait, None where that is known of no table."""
    known = [table.pending for table in tables if table.pending is not None]
    return sum(known) if known or not tables else None


def _word(table: TableNow, percent: int) -> str:
    if table.phase is Phase.LOAD:
        return f"{percent} %"
    if table.phase is Phase.STOPPED:
        return "stopped"
    if table.is_paused:
        return "paused"
    return "in step" if table.lag < 1 else "behind"


def _mood(report: Report) -> str:
    stopped = any(table.phase is Phase.STOPPED for table in report.tables)
    paused = report.control is not None and report.control.paused
    if report.trouble or stopped:
        return "bad"
    return "warn" if paused or report.rejected else _lateness(report.lag)


def _shows_source(table: TableNow) -> bool:
    """Whether the rows of the source are worth a word: those of a table that is in step are a moment older or newer."""
    return table.phase is Phase.LOAD or table.lag >= 1 or table.rejects > 0


def _headline(report: Report) -> str:
    """The state in a few words."""
    if report.trouble:
        return report.trouble[0]
    if stopped := [table.name for table in report.tables if table.phase is Phase.STOPPED]:
        return f"stopped: {', '.join(stopped)}"
    if report.control and report.control.paused:
        return "paused"
    match report.stage:
        case Stage.LOAD:
            return "loading"
        case Stage.FENCED:
            return "fenced: writers wait"
        case Stage.PROMOTED:
            return "promoted: PostgreSQL leads"
        case Stage.READY:
            return "in step, ready for the cutover"
        case _:
            step = "in step" if report.lag < 1 else f"{words.seconds(report.lag)} behind"
            return f"{step}, {words.counted(report.rejected, 'reject')}" if report.rejected else step


def _steps(report: Report) -> tuple[Step, ...]:
    loaded = sum(table.phase is not Phase.LOAD for table in report.tables)
    open_checks = sum(not check.passed for check in report.checks)
    said = {
        Stage.LOAD: f"{loaded} of {len(report.tables)} tables",
        Stage.CATCHUP: "follows the source",
        Stage.READY: f"{open_checks} to settle" if open_checks else "all settled",
        Stage.FENCED: "writers shut out",
        Stage.PROMOTED: "PostgreSQL leads",
    }
    stages = list(Stage)
    reached = stages.index(report.stage)
    states = ["done" if n < reached else "now" if n == reached else "later" for n in range(len(stages))]
    states[-1] = "done" if report.stage is Stage.PROMOTED else "later"
    return tuple(
        Step(str(stage).capitalize(), state, said[stage], stage is report.stage)
        for stage, state in zip(stages, states, strict=True)
    )


def _verified(report: Report) -> Verified:
    """What the last verify says of the whole."""
    verify, proven = report.last_verify, [table.proven for table in report.tables if table.proven]
    if verify is None:
        return Verified("not yet", "syncd verify compares every row", "quiet")
    if verify.differences:
        return Verified("differs", f"{words.counted(verify.differences, 'difference')}, {words.day(verify.at)}", "bad")
    if proven and len(proven) == len(report.tables):
        return Verified("equal", f"every row, {words.day(min(proven))}", "good")
    said = {"counts": "the counts alone", "sample": "a sample"}.get(
        verify.mode, f"{len(proven)} of {words.counted(len(report.tables), 'table')}"
    )
    return Verified("partly", f"{said}, {words.day(verify.at)}", "quiet")


def _proof(table: TableNow) -> Verified:
    """What verify says of one table."""
    if table.differing:
        return Verified("differs", words.counted(table.differing, "difference"), "bad")
    if table.proven:
        return Verified("equal", words.day(table.proven), "good")
    return Verified("not yet", "its rows were not compared one by one", "quiet")
