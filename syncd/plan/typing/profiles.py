"""What the values of a source table really are: kinds, counts, extremes."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from syncd.model import Affinity


class ValueKind(IntEnum):
    """What one value of a source is, by its storage class and then by its form; each value is of exactly one kind.

    Epochs and Julian days are those of the years 1990 to 2099. Forms of text are those that the PostgreSQL type of the
    same purpose takes exactly; a date is one of the calendar, from the year 1 on.
    """

    NULL = 0

    BIT = 10
    """The integer 0 or 1."""
    DAYS = 11
    """An integer that can be a Julian day."""
    SECONDS = 12
    MILLISECONDS = 13
    MICROSECONDS = 14
    WIDE = 15
    """An integer beyond 2**53, which a double cannot be trusted to hold."""
    INTEGER = 16
    """Any other integer."""

    INFINITE = 20
    JULIAN = 21
    """A real that can be a Julian day."""
    REAL_SECONDS = 22
    REAL_MILLISECONDS = 23
    WHOLE = 24
    """A real that is a 64-bit integer."""
    FRACTION = 25
    """Any other real."""

    DATE = 30
    """Text `2024-01-31`."""
    MIDNIGHT = 31
    """Text `2024-01-31 00:00:00` or `2024-01-31T00:00`: a date in the clothes of a moment."""
    MOMENT = 32
    """Text `2024-01-31 23:59:59`, also with T and without seconds."""
    FINE_MOMENT = 33
    """The same with one to six decimals of a second."""
    ZONED_MOMENT = 34
    """A date or moment followed by Z, +09, +09:00."""
    TIME = 35
    EMPTY = 36
    NUL = 37
    """Text with a NUL in it."""
    INVALID = 38
    """Text that is not valid in the source's encoding."""
    UUID = 39
    UPPER_UUID = 40
    """A UUID with a capital letter, which PostgreSQL would write in small ones."""
    JSON = 41
    """A JSON object or array that jsonb holds."""
    JSON_STRING = 42
    DECIMAL = 43
    """Text that is a decimal number as JSON writes one, without an exponent."""
    WORD = 44
    """Text that is t, f, true or false, in any case."""
    TEXT = 45
    """Any other text."""

    BLOB = 50

    @property
    def storage_class(self) -> str:
        """As SQLite's typeof() says it."""
        return ("null", "integer", "real", "text", "text", "blob")[self // 10]


@dataclass(frozen=True)
class Profiled:
    """A value of each row that is to be profiled: `expression` is SQLite's; `declared_type` empty where there is none.

    Identity, name and affinity are those of the column that it becomes.
    """

    name: str
    expression: str
    affinity: Affinity
    declared_type: str = ""


@dataclass(frozen=True)
class ColumnProfile:
    """What the values of one column are.

    `counts` has the kinds that occur. `longest` is of text, in characters and in bytes of the source's encoding;
    `least` and `greatest` are of finite numbers. `decimals` are the most digits behind the point of a real or of
    decimal text. `misfits` are numbers which the declared precision and scale cannot hold exactly, 0 where none are
    declared.
    """

    name: str
    counts: Mapping[ValueKind, int]
    longest_characters: int = 0
    longest_bytes: int = 0
    least: float | None = None
    greatest: float | None = None
    decimals: int = 0
    misfits: int = 0

    def of(self, *kinds: ValueKind) -> int:
        """How many values are of one of these kinds."""
        return sum(self.counts.get(kind, 0) for kind in kinds)

    def stored_as(self, *storage_classes: str) -> int:
        """How many values are of one of these storage classes: null, integer, real, text, blob."""
        return sum(count for kind, count in self.counts.items() if kind.storage_class in storage_classes)

    @property
    def values(self) -> int:
        """How many values are not NULL."""
        return self.stored_as("integer", "real", "text", "blob")


@dataclass(frozen=True)
class TableProfile:
    """What the values of a table are. `rows` were looked at; `complete` says that those are all there are."""

    table: str
    rows: int
    complete: bool
    columns: tuple[ColumnProfile, ...]

    def column(self, name: str) -> ColumnProfile:
        """The profile under that very name. Raises KeyError."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


@dataclass(frozen=True)
class Example:
    """One value for people to look at: `shown` is printable ASCII, an SQLite literal of its first characters."""

    source_key: str
    shown: str
