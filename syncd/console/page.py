"""What a command has to show, apart from how it is shown: one document for programs, blocks for people."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rich.cells import cell_len

Cell = str | int | float | datetime | None
"""A float is in seconds; None is nothing to tell."""

GAP = "  "
NOTHING = "-"


@dataclass(frozen=True)
class Column:
    """`number` aligns to the right. On a terminal, `alarm` colours every number but 0, `styles` colour words."""

    title: str
    number: bool = False
    alarm: str = ""
    styles: Mapping[str, str] = field(default_factory=dict)

    def style(self, value: Cell) -> str:
        """The colour of a value."""
        return self.styles.get(value, "") if isinstance(value, str) else self.alarm if value else ""


@dataclass(frozen=True)
class Table:
    """Rows under titles; `total` is a last row. A terminal shows `at_most` so many rows."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: tuple[Cell, ...] | None = None
    at_most: int | None = None


@dataclass(frozen=True)
class Paragraph:
    """A text whose `{}` stand for the values; `style` is for terminals."""

    template: str
    values: tuple[Cell, ...] = ()
    style: str = ""


@dataclass(frozen=True)
class Page:
    """`document` has plain numbers and stable keys; `notes` are talk."""

    document: Mapping[str, object]
    blocks: tuple[Table | Paragraph, ...]
    notes: tuple[Paragraph, ...] = ()


def one_line(text: str) -> str:
    """The text without what could forge a line, move the cursor or fail to encode."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def many_lines(text: str) -> str:
    """The same for a text that has lines of its own."""
    return "\n".join(one_line(line.expandtabs()) for line in text.split("\n"))


def duration(seconds: float) -> str:
    """A time in the units that people think in."""
    if seconds < 1:
        return "less than 1 s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def ago(seconds: float) -> str:
    """How long ago, in one unit."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"


def plain(value: Cell) -> str:
    """The value for a file or a program: plain digits."""
    match value:
        case None | "":
            return NOTHING
        case str():
            return one_line(value)
        case int():
            return str(value)
        case datetime():
            return value.isoformat()
        case _:
            return f"{value:.0f}" if value >= 100 else f"{value:.2f}"


def pretty(value: Cell) -> str:
    """The value for people: thousands apart, and how long ago a moment was."""
    match value:
        case None:
            return ""
        case str():
            return one_line(value)
        case int():
            return f"{value:,}"
        case datetime():
            return ago((datetime.now(UTC) - value).total_seconds())
        case _:
            return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def plain_lines(table: Table) -> list[str]:
    """The table in columns two blanks apart, nothing cut."""
    texts = [[column.title for column in table.columns]]
    texts += [[plain(value) for value in row] for row in (*table.rows, *([table.total] if table.total else []))]
    widths = [max(cell_len(row[place]) for row in texts) for place in range(len(table.columns))]
    return [
        GAP.join(
            _padded(text, width, right=column.number)
            for text, width, column in zip(row, widths, table.columns, strict=True)
        ).rstrip()
        for row in texts
    ]


def _padded(text: str, width: int, *, right: bool) -> str:
    blanks = " " * (width - cell_len(text))
    return blanks + text if right else text + blanks
