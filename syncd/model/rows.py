"""Rows on their way: marks, ranges, batches, rejects, and what became of them."""

from dataclasses import dataclass, field
from enum import StrEnum


class Phase(StrEnum):
    """Where a table stands: `load` copies it, `catchup` keeps it current, `stopped` waits for a person."""

    LOAD = "load"
    CATCHUP = "catchup"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Identity:
    """Which file the source is: device and inode, as os.stat tells them."""

    device: int
    inode: int


@dataclass(frozen=True)
class Mark:
    """How far a table has been read.

    `rowid`: the highest rowid applied. `moment`: the highest value of the date column, as an SQLite literal; None
    where the table has no date mark or no row.
    """

    rowid: int | None = None
    moment: str | None = None


@dataclass(frozen=True)
class Range:
    """Rows of one table in the order of `order` (SQLite expressions), after `after` (their literals, exclusive).

    `parameters` are the values of the question marks in `where`: text that stays the same is prepared once. `until` is
    the last rowid of a range that is bounded by nothing else.
    """

    order: tuple[str, ...]
    where: str = "1"
    parameters: tuple[int | float | str, ...] = ()
    after: str | None = None
    until: int | None = None


@dataclass(frozen=True)
class Refusal:
    """A row that cannot land, and why. Keys are text: see `render.source_key` for their form."""

    source_key: str
    reason: str
    message: str
    column: str = ""
    sqlstate: str = ""


@dataclass(frozen=True)
class Batch:
    """Rows rendered for COPY.

    `payload` holds `rows` lines in CSV; `last` is the place of the last row that was read, as literals of the range's
    order; `read` counts the rows read, so `read - rows` of them are in `refusals`. Lines of a `keyed` batch end with
    the source key and the target key. `final` is true where the range holds no further row.
    """

    payload: bytes
    rows: int
    read: int
    last: str
    refusals: tuple[Refusal, ...] = ()
    keyed: bool = False
    final: bool = False


@dataclass(frozen=True)
class Reject:
    """A row of `syncd.reject`."""

    table: str
    source_key: str
    reason: str
    message: str
    column: str
    sqlstate: str
    attempts: int
    first_seen: str = ""
    last_tried: str = ""
    row_data: str | None = None


@dataclass(frozen=True)
class Applied:
    """What became of rows: counts of one table. `size` are the bytes that were sent; no count, so none is compared."""

    read: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    rejected: int = 0
    size: int = field(default=0, compare=False)

    def __add__(self, other: "Applied") -> "Applied":
        return Applied(
            self.read + other.read,
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.deleted + other.deleted,
            self.rejected + other.rejected,
            self.size + other.size,
        )

    @property
    def written(self) -> int:
        return self.inserted + self.updated
