"""A cutover on the terminal: a checklist while it runs, the ready check, and what it came to."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from rich.live import Live
from rich.text import Text

from syncd.console.output import Console
from syncd.console.page import Column, Page, Paragraph, Table, many_lines
from syncd.engine.cutover import Checklist, CutoverReport, ReadyReport
from syncd.engine.cutover.prediction import Prediction
from syncd.engine.cutover.progress import STEPS
from syncd.log import redact
from syncd.model import CutoverStep, Stage

_SAID = {
    Stage.READY: "is everything ready",
    Stage.DRAIN: "bring the target near",
    Stage.FENCE: "keep writers out",
    Stage.FINAL_DRAIN: "the last pass",
    Stage.SWEEP: "the last sweep",
    Stage.VERIFY: "prove that both sides are equal",
    Stage.SEQUENCES: "set the sequences",
    Stage.FINISH: "final form, and the switch",
    Stage.PROMOTED: "PostgreSQL has taken over",
    Stage.ABORTED: "aborted: the source is still the truth",
}
_MARKS = {"": ("…", "cyan"), "done": ("✓", "green"), "failed": ("✗", "bold red")}
_STOPPED = {Stage.FINAL_DRAIN, Stage.SWEEP, Stage.VERIFY, Stage.SEQUENCES, Stage.FINISH}


@contextmanager
def checklist(console: Console) -> Iterator[Checklist]:
    """Show the steps: as a list that lives on a terminal, else a line for each that ended."""
    if not console.is_lively:
        yield Lines(console)
        return
    with console.live() as live:
        shown = LiveList(live)
        try:
            yield shown
        finally:
            shown.close()


class Lines(Checklist):
    """One line for each step, when it ends."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def began(self, stage: Stage) -> None: ...

    def ended(self, step: CutoverStep) -> None:
        said = step.detail.partition("\n")[0]
        self._console.say(f"{step.began}  {step.step:<12}{step.outcome:<7}{step.seconds or 0:8.2f} s  {said}")

    def compared(self, table: str, done: int, rows: int) -> None: ...

    def note(self, text: str) -> None:
        self._console.say(text)


class LiveList(Checklist):
    """The list with times; the step at work counts its seconds, and so do the writers who wait."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._done: dict[Stage, CutoverStep] = {}
        self._at_work: Stage | None = None
        self._since = 0.0
        self._stopped_since: float | None = None
        self._comparing: dict[str, tuple[int, int]] = {}
        self._notes: list[str] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join(1)
        self._show()

    def began(self, stage: Stage) -> None:
        self._at_work, self._since = stage, time.monotonic()
        if stage in _STOPPED and self._stopped_since is None:
            self._stopped_since = self._since
        self._show()

    def ended(self, step: CutoverStep) -> None:
        self._done[Stage(step.step)] = step
        self._at_work = None
        self._show()

    def compared(self, table: str, done: int, rows: int) -> None:
        self._comparing[table] = (done, rows)

    def note(self, text: str) -> None:
        self._notes.append(text)

    def _tick(self) -> None:
        while not self._ended.wait(0.1):
            self._show()

    def _show(self) -> None:
        self._live.update(Text("\n").join(self._lines()), refresh=True)

    def _lines(self) -> Iterator[Text]:
        stages = [*STEPS, Stage.ABORTED] if Stage.ABORTED in self._done or self._at_work is Stage.ABORTED else STEPS
        for stage in stages:
            yield self._line(stage)
        if self._stopped_since is not None and Stage.PROMOTED not in self._done and Stage.ABORTED not in self._done:
            yield Text(f"writers wait for {time.monotonic() - self._stopped_since:.1f} s", style="yellow")
        for note in self._notes:
            yield Text(redact(many_lines(note)), style="yellow")

    def _line(self, stage: Stage) -> Text:
        step = self._done.get(stage)
        if step is None and stage is not self._at_work:
            return Text(f"  {_SAID[stage]}", style="dim")
        mark, style = _MARKS[step.outcome if step else ""]
        seconds = step.seconds if step and step.seconds is not None else time.monotonic() - self._since
        said = many_lines(step.detail).partition("\n")[0] if step else self._at_work_says(stage)
        return Text.assemble(
            (f"{mark} ", style), f"{_SAID[stage]:<42}", (f"{seconds:8.2f} s  ", "bold"), (redact(said), "dim")
        )

    def _at_work_says(self, stage: Stage) -> str:
        if stage is not Stage.VERIFY or not self._comparing:
            return ""
        done, rows = (sum(pair[n] for pair in self._comparing.values()) for n in (0, 1))
        return f"{done:,} of about {rows:,} rows"


def ready_page(report: ReadyReport) -> Page:
    """GO or NO-GO, what is in the way, and for how long writes will be stopped."""
    obstacles = [one for one in report.obstacles if not one.warning]
    warnings = [one for one in report.obstacles if one.warning]
    said = tuple(Paragraph("NO-GO  {}: {}", (one.subject, one.said), "bold red") for one in obstacles)
    told = tuple(Paragraph("note   {}: {}", (one.subject, one.said), "yellow") for one in warnings)
    verdict = Paragraph("GO" if report.is_go else "NO-GO", (), "bold green" if report.is_go else "bold red")
    document = {
        "go": report.is_go,
        "lag": round(report.lag, 3),
        "tables": report.tables,
        "obstacles": [asdict(one) for one in obstacles],
        "warnings": [asdict(one) for one in warnings],
        "prediction": prediction_document(report.prediction),
    }
    stopped = Paragraph("writes will be stopped for about {} s", (round(report.prediction.seconds, 2),))
    return Page(document, (*said, *told, _prediction(report.prediction), stopped, verdict))


def _prediction(prediction: Prediction) -> Table:
    columns = (Column("step"), Column("seconds", number=True), Column("known from"))
    rows = tuple((part.step, round(part.seconds, 3), part.why) for part in prediction.parts)
    return Table(columns, rows, ("together", round(prediction.seconds, 3), None))


def prediction_document(prediction: Prediction) -> Mapping[str, Any]:
    return {"seconds": round(prediction.seconds, 3), "parts": [asdict(part) for part in prediction.parts]}


def cutover_page(report: CutoverReport) -> Page:
    """What was done, and how long writes were stopped."""
    record = report.record
    columns = (Column("step"), Column("seconds", number=True), Column("outcome"), Column("what"))
    rows = tuple((step.step, step.seconds, step.outcome, step.detail.partition("\n")[0]) for step in record.steps)
    stopped = Paragraph(
        "writes were stopped for {} s; predicted: {} s",
        (round(record.stopped_seconds or 0, 2), round(record.predicted_seconds or 0, 2)),
    )
    promoted = Paragraph("PostgreSQL has taken over: {}", (record.target,), "bold green")
    failed = Paragraph("what follows the promotion failed: {}", (report.trouble,), "bold red")
    trouble = (failed,) if report.trouble else ()
    note = Paragraph("the proof: syncd report -o cutover.html")
    return Page(record.as_document, (Table(columns, rows), stopped, promoted, *trouble), (note,))


def rehearsal_page(predicted: Prediction, measured: Mapping[str, float], seconds: float) -> Page:
    """What was predicted beside what a rehearsal measured."""
    columns = (Column("step"), Column("predicted", number=True), Column("measured", number=True))
    rows = tuple(
        (part.step, round(part.seconds, 3), round(measured.get(part.step, 0.0), 3)) for part in predicted.parts
    )
    together = ("together", round(predicted.seconds, 3), round(seconds, 3))
    document = {
        "predicted": prediction_document(predicted),
        "measured": {"seconds": round(seconds, 3), "steps": {step: round(s, 3) for step, s in measured.items()}},
    }
    return Page(document, (Table(columns, rows, together),))
