"""What the demo shows: on a terminal a table that moves, elsewhere a line a second."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich import box
from rich.console import Console as RichConsole
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from syncd.console.page import Cell, plain, pretty
from syncd.console.progress import Bars, Tally
from syncd.demo.lag import Lag
from syncd.engine.progress import Progress

_BARS = "▁▂▃▄▅▆▇█"
_SPARKS = 40
_WIDTH = 12
_WHOLE_PICTURE = 24
"""Lines of a terminal from which on tables that do not change are shown too."""


@dataclass(frozen=True)
class TableMoment:
    """One table on both sides; `loaded` are its rows after the load, `updated` the updates that arrived since."""

    table: str
    source_rows: int
    target_rows: int
    loaded: int
    updated: int

    @property
    def behind(self) -> int:
        return max(0, self.source_rows - self.target_rows)

    @property
    def arrived(self) -> int:
        return max(0, self.target_rows - self.loaded)

    @property
    def changes(self) -> bool:
        return bool(self.arrived or self.updated)


@dataclass(frozen=True)
class Moment:
    """How it stands while the application trades.

    The application tells of its commits once a second, last after `commits_seconds`; `pass_seconds` is what half of
    the passes did not exceed.
    """

    seconds: float
    of_seconds: float
    tables: tuple[TableMoment, ...]
    commits: int
    commits_seconds: float
    inserted: int
    updated: int
    passes: int
    pass_seconds: float | None
    lag: Lag

    def total(self, what: Callable[[TableMoment], int]) -> int:
        return sum(map(what, self.tables))


class Screen:
    """Writes on stdout; it moves only where stdout is a terminal."""

    def __init__(self) -> None:
        self._out = RichConsole(
            file=sys.stdout, force_terminal=sys.stdout.isatty(), highlight=False, markup=False, emoji=False
        )
        self.is_lively = self._out.is_interactive
        self._draws = (self._out.encoding or "").lower().startswith("utf")

    def number(self, value: Cell) -> str:
        """Thousands apart for people, plain digits for a file."""
        return (pretty if self.is_lively else plain)(value)

    def milliseconds(self, seconds: float | None) -> str:
        return "-" if seconds is None else f"{seconds * 1000:.1f} ms"

    def say(self, text: str = "", style: str = "") -> None:
        self._out.print(Text(text, style=style), soft_wrap=True)
        self._out.file.flush()

    def step(self, title: str, text: str, style: str = "") -> None:
        """A line of the story: what was done, and what came of it."""
        self._out.print(Text.assemble((f"{title:<{_WIDTH}}", "bold cyan"), (text, style)), soft_wrap=True)
        self._out.file.flush()

    @contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """Something that takes a while, and tells nothing of itself."""
        if self.is_lively:
            with self._out.status(Text(what)):
                yield
        else:
            yield

    @contextmanager
    def progress(self, stopping: Callable[[], bool]) -> Iterator[Progress]:
        """The load's progress."""
        if self.is_lively:
            bars = Bars("loading", stopping, self._out)
            with bars.display:
                yield bars
        else:
            lines = _Lines(self.say)
            with lines.telling():
                yield lines

    @contextmanager
    def moments(self) -> Iterator[Callable[[Moment], None]]:
        """Show how it stands, each time in place of the last; elsewhere once a second, one line below the other."""
        if not self.is_lively:
            yield _EverySecond(self._line)
            return
        with Live(console=self._out, auto_refresh=False, transient=True) as live:
            yield lambda moment: live.update(self._picture(moment), refresh=True)

    def _line(self, moment: Moment) -> None:
        there = f"PostgreSQL {moment.total(lambda t: t.target_rows)} rows"
        self.say(
            f"{moment.seconds:4.0f} s  SQLite {moment.total(lambda t: t.source_rows)} rows, {there}, "
            f"{moment.total(lambda t: t.behind)} behind, {moment.total(lambda t: t.updated)} updates arrived, "
            f"lag p50 {self.milliseconds(moment.lag.quantile(0.5))}"
        )

    def _picture(self, moment: Moment) -> RenderableType:
        done = min(moment.seconds, moment.of_seconds)
        title = Text.assemble(
            ("An application trades on SQLite; syncd run keeps PostgreSQL current", "bold"),
            (f"   {done:.0f} of {moment.of_seconds:.0f} s", "dim"),
        )
        return Group(title, _table(moment, whole=self._out.height >= _WHOLE_PICTURE), *self._figures(moment))

    def _figures(self, moment: Moment) -> Iterator[Text]:
        lag, ms = moment.lag, self.milliseconds
        yield _figure(
            "application",
            f"{moment.commits / max(moment.commits_seconds, 1.0):.0f} commits/s",
            f"{moment.inserted:,} rows inserted",
            f"{moment.updated:,} updated",
        )
        yield _figure(
            "syncd", f"{moment.passes / max(moment.seconds, 1.0):.0f} passes/s", f"{ms(moment.pass_seconds)} each"
        )
        newest = lag.all[-1] if lag.all else None
        yield _figure("lag", ms(newest), f"p50 {ms(lag.quantile(0.5))}", f"p95 {ms(lag.quantile(0.95))}")
        if self._draws:
            yield Text(f"{'':<{_WIDTH + 2}}{_sparks(lag.all[-_SPARKS:])}", style="green")


def _figure(title: str, *texts: str) -> Text:
    return Text.assemble((f"  {title:<{_WIDTH}}", "bold cyan"), "   ".join(f"{text:<16}" for text in texts).rstrip())


def _table(moment: Moment, *, whole: bool) -> Table:
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=True, header_style="bold", show_footer=True, footer_style="bold")
    total = moment.total
    shown.add_column("table", "all")
    shown.add_column("SQLite", f"{total(lambda t: t.source_rows):,}", justify="right", min_width=9)
    shown.add_column("PostgreSQL", f"{total(lambda t: t.target_rows):,}", justify="right", min_width=10)
    shown.add_column("behind", f"{total(lambda t: t.behind):,}", justify="right", min_width=6)
    shown.add_column("new rows", f"{total(lambda t: t.arrived):,}", justify="right", min_width=8)
    shown.add_column("updates", f"{total(lambda t: t.updated):,}", justify="right", min_width=8)
    for table in moment.tables:
        if not (table.changes or whole):
            continue
        shown.add_row(
            table.table,
            f"{table.source_rows:,}",
            f"{table.target_rows:,}",
            Text(f"{table.behind:,}", style="yellow" if table.behind else ""),
            Text(f"+{table.arrived:,}" if table.arrived else "", style="green"),
            Text(f"{table.updated:,}" if table.updated else "", style="green"),
            style="" if table.changes else "dim",
        )
    return shown


def _sparks(values: tuple[float, ...]) -> str:
    if not values:
        return ""
    highest = max(values)
    return "".join(_BARS[min(len(_BARS) - 1, int(value / highest * len(_BARS)))] for value in values)


class _EverySecond:
    """Passes on the first moment of each second."""

    def __init__(self, show: Callable[[Moment], None]) -> None:
        self._show = show
        self._next = 1.0

    def __call__(self, moment: Moment) -> None:
        if moment.seconds >= self._next:
            self._next = int(moment.seconds) + 1.0
            self._show(moment)


class _Lines(Progress):
    """Tells every second how far the load is."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._tally = Tally()
        self._ended = threading.Event()

    @contextmanager
    def telling(self) -> Iterator[None]:
        thread = threading.Thread(target=self._tell, name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _tell(self) -> None:
        while not self._ended.wait(1.0):
            standing = self._tally.standing()
            self._say(f"        {standing.rows} of {standing.rows_total} rows")

    def table_started(self, table: str, rows: int) -> None:
        self._tally.started(table, rows)

    def advanced(self, table: str, rows: int) -> None:
        self._tally.advanced(table, rows)

    def table_finished(self, table: str) -> None:
        self._tally.finished(table)

    def note(self, text: str) -> None: ...
