"""The console: it knows whether a person looks at it, and prints accordingly."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TextIO, cast

from rich.console import Console as RichConsole
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table as RichTable
from rich.text import Text

from syncd.console.page import Cell, Page, Paragraph, Table, many_lines, plain, plain_lines, pretty
from syncd.console.progress import working
from syncd.engine.progress import Progress
from syncd.errors import RetryError, SyncdError
from syncd.log import Format, event, redact

WATCH_SECONDS = 1.0
WATCH_SECONDS_ELSEWHERE = 10.0
_STEP_SECONDS = 0.1


class Console:
    """Prints results on stdout, and everything else on stderr."""

    def __init__(self, *, json: bool = False, quiet: bool = False, log_format: Format = "text") -> None:
        self._json = json
        self._stdout = sys.stdout
        self._quiet = quiet
        self.log_format = log_format
        self._out = _rich(sys.stdout)
        self._err = _rich(sys.stderr)
        self.is_lively = self._err.is_interactive and log_format == "text"
        """Whether stderr is a terminal on which lines may move."""

    @property
    def log_stream(self) -> TextIO:
        """Where the log goes: above what moves on a terminal, else to stderr."""
        return cast("TextIO", _Above(self._err)) if self.is_lively else sys.stderr

    def show(self, page: Page) -> None:
        """Print a result."""
        if self._json:
            self._write(json.dumps(page.document, ensure_ascii=False, indent=2) + "\n")
        else:
            self._show_blocks(page)
            for note in page.notes:
                self.say(_filled(note, pretty if self.is_lively else plain))

    def hand_over(self, text: str, document: Mapping[str, object]) -> None:
        """Print a text that is itself the result, as it is: a script or a file for another program to read."""
        self._write(json.dumps(document, ensure_ascii=False, indent=2) + "\n" if self._json else text)

    def _write(self, text: str) -> None:
        self._stdout.write(text)
        self._stdout.flush()

    def _show_blocks(self, page: Page) -> None:
        if self._out.is_terminal:
            for block in _spaced(page.blocks):
                self._out.print(_renderable(block), soft_wrap=isinstance(block, Paragraph))
        else:
            self._write("".join(f"{line}\n" for line in _plain_page(page)))

    def say(self, text: str) -> None:
        """Tell the user something that is no result."""
        if self._quiet:
            return
        if self.log_format == "text":
            self._err.print(Text(redact(many_lines(text)), style="dim"), soft_wrap=True)
        else:
            event("INFO", "note", text)

    def complain(self, error: SyncdError) -> None:
        """Tell what ends the command."""
        if self.log_format == "text":
            text = Text.assemble(("syncd: ", "bold red"), redact(many_lines(str(error))))
            self._err.print(text, soft_wrap=True)
        else:
            event("ERROR", "failed", str(error), error=type(error).__name__, exit_code=error.exit_code)

    def progress(self, verb: str, stopping: Callable[[], bool] = lambda: False) -> AbstractContextManager[Progress]:
        """Show a long work's progress: bars on a terminal, else a line now and then."""
        bars = self._err if self.is_lively else None
        return working(verb, stopping, bars, quiet=self._quiet)

    @contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """Show on a terminal that something takes a while."""
        if self.is_lively and not self._quiet:
            with self._err.status(what):
                yield
        else:
            yield

    @contextmanager
    def live(self) -> Iterator[Live]:
        """A place on the terminal whose lines change; only where the console is lively."""
        with Live(console=self._err, auto_refresh=False) as live:
            yield live

    def watch(self, read: Callable[[], Page], ended: Callable[[], bool]) -> None:
        """Show a page again and again until the user ends it; a target that is away for a moment is waited for."""
        if self._json or not self._out.is_interactive:
            self._watch_plainly(read, ended)
            return
        with Live(console=self._out, auto_refresh=False) as live:
            blocks: list[RenderableType] = []
            while not ended():
                try:
                    blocks = [_renderable(block) for block in _spaced(read().blocks)]
                    trouble = Text("Ctrl-C ends the watch", style="dim")
                except RetryError as error:
                    trouble = Text(redact(many_lines(str(error))), style="red")
                live.update(Group(*blocks, trouble), refresh=True)
                _pause(WATCH_SECONDS, ended)

    def _watch_plainly(self, read: Callable[[], Page], ended: Callable[[], bool]) -> None:
        while not ended():
            try:
                page = read()
            except RetryError as error:
                self.complain(error)
            else:
                self._write(json.dumps(page.document) + "\n" if self._json else "\n".join([*_plain_page(page), "", ""]))
            _pause(WATCH_SECONDS_ELSEWHERE, ended)


def _pause(seconds: float, ended: Callable[[], bool]) -> None:
    """Wait; a sleep is not cut short by a signal (PEP 475)."""
    until = time.monotonic() + seconds
    while not ended() and time.monotonic() < until:
        time.sleep(_STEP_SECONDS)


class _Above:
    """The log's stream on a terminal: its lines appear above bars that move."""

    def __init__(self, console: RichConsole) -> None:
        self._console = console

    def write(self, text: str) -> int:
        self._console.print(Text.from_ansi(text.removesuffix("\n")), soft_wrap=True)
        return len(text)

    def flush(self) -> None:
        self._console.file.flush()

    def isatty(self) -> bool:
        return True


def _rich(stream: TextIO) -> RichConsole:
    # What rich reads from the environment to take a file for a terminal is left out: the stream itself tells.
    return RichConsole(file=stream, force_terminal=stream.isatty(), highlight=False, markup=False, emoji=False)


def _filled(paragraph: Paragraph, show: Callable[[Cell], str]) -> str:
    values = [many_lines(value) if isinstance(value, str) else show(value) for value in paragraph.values]
    return redact(paragraph.template.format(*values))


def _plain_page(page: Page) -> Iterator[str]:
    for block in _spaced(page.blocks):
        if isinstance(block, Table):
            yield from plain_lines(block)
        else:
            yield _filled(block, plain)


def _spaced(blocks: Sequence[Table | Paragraph]) -> Iterator[Table | Paragraph]:
    """The blocks with an empty line before and after each table."""
    before: Table | Paragraph | None = None
    for block in blocks:
        if before and (isinstance(block, Table) or isinstance(before, Table)):
            yield Paragraph("")
        yield block
        before = block


def _renderable(block: Table | Paragraph) -> RenderableType:
    if isinstance(block, Paragraph):
        return Text(_filled(block, pretty), style=block.style)
    shown = RichTable(
        box=None, padding=(0, 2, 0, 0), show_footer=block.total is not None, header_style="bold underline"
    )
    for place, column in enumerate(block.columns):
        total = pretty(block.total[place]) if block.total else ""
        width = max([len(total), len(column.title), *(len(pretty(row[place])) for row in block.rows)])
        shown.add_column(
            column.title,
            Text(total, style="bold"),
            justify="right" if column.number else "left",
            # A number that is cut short is a wrong number.
            min_width=width if column.number else None,
            no_wrap=column.number,
            overflow="fold",
        )
    for row in block.rows[: block.at_most]:
        shown.add_row(
            *(Text(pretty(value), style=column.style(value)) for value, column in zip(row, block.columns, strict=True))
        )
    hidden = len(block.rows[block.at_most :]) if block.at_most else 0
    return Group(shown, Text(f"and {hidden:,} more; --json shows all", style="dim")) if hidden else shown
