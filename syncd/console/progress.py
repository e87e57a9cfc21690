"""How a long work tells of itself: bars on a terminal, a line every ten seconds elsewhere."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console as RichConsole
from rich.console import RenderableType
from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TextColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from syncd.console.page import one_line
from syncd.engine.progress import Progress, Silent
from syncd.log import event

LINE_SECONDS = 10.0
_LOOK_SECONDS = 0.2
STOPPING = "stopping: finishing the batches in work; once more ends at once"


@contextmanager
def working(verb: str, stopping: Callable[[], bool], bars: RichConsole | None, *, quiet: bool) -> Iterator[Progress]:
    """Show progress on that terminal, else in the log."""
    if quiet:
        yield Silent()
    elif bars:
        shown = Bars(verb, stopping, bars)
        with shown.display:
            yield shown
    else:
        lines = Lines(verb, stopping)
        with lines.telling():
            yield lines


@dataclass(frozen=True)
class Standing:
    """Where a work stands; `rows_total` is an estimate until every table is done."""

    rows: int
    rows_total: int
    tables_done: int
    tables: int


class Tally:
    """Counts what several threads report."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, int] = {}
        self._estimates: dict[str, int] = {}
        self._done: set[str] = set()

    def started(self, table: str, rows: int) -> None:
        with self._lock:
            self._rows[table], self._estimates[table] = 0, rows

    def advanced(self, table: str, rows: int) -> None:
        with self._lock:
            self._rows[table] += rows

    def finished(self, table: str) -> None:
        with self._lock:
            self._done.add(table)

    def standing(self) -> Standing:
        with self._lock:
            totals = [
                done if table in self._done else max(done, self._estimates[table]) for table, done in self._rows.items()
            ]
            return Standing(sum(self._rows.values()), sum(totals), len(self._done), len(self._rows))


class Lines(Progress):
    """Tells the log every ten seconds where the work stands, also while it stands still."""

    def __init__(self, verb: str, stopping: Callable[[], bool]) -> None:
        self._verb = verb
        self._stopping = stopping
        self._tally = Tally()
        self._ended = threading.Event()
        self._began = self._told = time.monotonic()
        self._rows_told = 0

    @contextmanager
    def telling(self) -> Iterator[None]:
        teller = threading.Thread(target=self._tell, name="progress", daemon=True)
        teller.start()
        try:
            yield
        finally:
            self._ended.set()
            teller.join()

    def table_started(self, table: str, rows: int) -> None:
        self._tally.started(table, rows)

    def advanced(self, table: str, rows: int) -> None:
        self._tally.advanced(table, rows)

    def table_finished(self, table: str) -> None:
        self._tally.finished(table)

    def note(self, text: str) -> None:
        event("INFO", self._verb, text)

    def _tell(self) -> None:
        told_stopping = False
        while not self._ended.wait(_LOOK_SECONDS):
            if self._stopping() and not told_stopping:
                told_stopping = True
                event("INFO", "stopping", STOPPING)
            if time.monotonic() - self._told >= LINE_SECONDS:
                event("INFO", self._verb, self.line(time.monotonic()))

    def line(self, now: float) -> str:
        """Where the work stands, with the speed since the last line."""
        standing = self._tally.standing()
        speed = (standing.rows - self._rows_told) / max(now - self._told, 1e-9)
        mean = standing.rows / max(now - self._began, 1e-9)
        self._told, self._rows_told = now, standing.rows
        left = standing.rows_total - standing.rows
        parts = [
            f"{self._verb}: {standing.rows} of {standing.rows_total} rows",
            f"{standing.tables_done} of {standing.tables} tables",
            f"{speed:.0f} rows/s",
        ]
        return ", ".join(parts + ([f"about {left / mean:.0f} s left"] if left and mean else []))


class Bars(Progress):
    """A bar for each table in work, and one for all."""

    def __init__(self, verb: str, stopping: Callable[[], bool], console: RichConsole) -> None:
        self._verb = verb
        self._stopping = stopping
        self._tally = Tally()
        self._tasks: dict[str, TaskID] = {}
        self._note = ""
        self.display = _Display(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=max(4, min(24, console.width - 84))),
            _Rows(),
            _Speed(),
            _Left(),
            bottom=self._bottom,
            console=console,
            transient=True,
        )
        self._all = self.display.add_task(verb, total=None)

    def _bottom(self) -> str:
        return STOPPING if self._stopping() else self._note

    def table_started(self, table: str, rows: int) -> None:
        self._tally.started(table, rows)
        self._tasks[table] = self.display.add_task(one_line(table), total=rows or None, start=False, visible=False)
        self._show_all()

    def advanced(self, table: str, rows: int) -> None:
        self._tally.advanced(table, rows)
        task = self._tasks[table]
        self.display.start_task(task)
        self.display.update(task, advance=rows, visible=True)
        self._show_all()

    def table_finished(self, table: str) -> None:
        self._tally.finished(table)
        self.display.update(self._tasks[table], visible=False)
        self._show_all()

    def note(self, text: str) -> None:
        self._note = one_line(text)

    def _show_all(self) -> None:
        standing = self._tally.standing()
        self.display.update(
            self._all,
            description=f"{self._verb}: {standing.tables_done} of {standing.tables} tables",
            completed=standing.rows,
            total=standing.rows_total or None,
        )


class _Display(RichProgress):
    """Bars, and a line of text below them."""

    def __init__(
        self, *columns: ProgressColumn, bottom: Callable[[], str], console: RichConsole, transient: bool
    ) -> None:
        self._bottom = bottom
        super().__init__(*columns, console=console, transient=transient)

    def get_renderables(self) -> Iterator[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        if text := self._bottom():
            yield Text(text, style="yellow")


class _Rows(ProgressColumn):
    def render(self, task: Task) -> Text:
        of = f" of {task.total:,.0f}" if task.total and task.total >= task.completed else ""
        return Text(f"{task.completed:,.0f}{of}", style="cyan")


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f} rows/s" if task.speed else "")


class _Left(ProgressColumn):
    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text("")
        # The rows are there; its key and indexes take as long again on a large table.
        if task.completed >= task.total:
            return Text("finishing")
        seconds = task.time_remaining
        return Text("" if seconds is None else f"{_clock(seconds)} left")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
