"""What is told of the work: loads and passes, verify, status, the steps of a cutover."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from syncd.model.rows import Applied, Mark, Phase


@dataclass(frozen=True)
class TableReport:
    """One table's part of a load or a pass; `error` says why it stopped, and `fault` the error's class; empty where it
    did not."""

    table: str
    applied: Applied
    seconds: float
    error: str = ""
    fault: str = ""

    @classmethod
    def of(cls, table: str, applied: Applied, seconds: float, error: Exception | None) -> "TableReport":
        """The part of a table that stopped by this error, or by none."""
        return cls(table, applied, seconds, str(error or ""), type(error).__name__ if error else "")


def together(reports: Iterable[TableReport]) -> tuple[TableReport, ...]:
    """One report for each table, in the order in which they came first; its last says whether it stopped."""
    found: dict[str, TableReport] = {}
    for one in reports:
        known = found.get(one.table, TableReport(one.table, Applied(), 0.0))
        found[one.table] = replace(one, applied=known.applied + one.applied, seconds=known.seconds + one.seconds)
    return tuple(found.values())


@dataclass(frozen=True)
class PassReport:
    """One load or pass over all its tables, in their order; of a pass `read_seconds` were spent on the source."""

    tables: tuple[TableReport, ...]
    seconds: float
    read_seconds: float = 0.0

    @property
    def applied(self) -> Applied:
        return sum((table.applied for table in self.tables), Applied())

    @property
    def stopped(self) -> tuple[TableReport, ...]:
        return tuple(table for table in self.tables if table.error)


@dataclass(frozen=True)
class Unlike:
    """A column of one row that differs: both values as text, cut after 200 characters, None for NULL."""

    column: str
    source: str | None
    target: str | None


@dataclass(frozen=True)
class Difference:
    """One difference between the two sides.

    `kind`: missing, extra, different, converted (both sides are equal by bytes, but the value is not what SQLite
    holds), count, not loaded, or foreign key. `key` is the source's, of an extra row the target's.
    """

    table: str
    kind: str
    key: str
    detail: str
    values: tuple[Unlike, ...] = ()


@dataclass(frozen=True)
class TableVerdict:
    """What verify found in one table. Counts are rows; `columns` counts the different rows by column.

    `older` of the rejected rows stand in the target as they were before, and `kept` rows that the source has no longer
    stay there by the configuration; only a full comparison counts them.

    `differences` are examples of the counted kinds, and every difference of another kind.
    """

    table: str
    source_rows: int
    target_rows: int
    rejected: int
    compared: int
    missing: int = 0
    extra: int = 0
    different: int = 0
    converted: int = 0
    repaired: int = 0
    older: int = 0
    kept: int = 0
    columns: tuple[tuple[str, int], ...] = ()
    differences: tuple[Difference, ...] = ()

    @property
    def found(self) -> int:
        """How many differences there are, those that are no example included."""
        counted = ("missing", "extra", "different", "converted")
        others = sum(difference.kind not in counted for difference in self.differences)
        return self.missing + self.extra + self.different + self.converted + others


@dataclass(frozen=True)
class VerifyReport:
    """What verify found; `mode` is counts, sample, full or changed.

    `compared_seconds` are those of the full comparison alone, without passes, sweeps and second looks; 0 without one.
    """

    mode: str
    tables: tuple[TableVerdict, ...]
    seconds: float
    compared_seconds: float = 0.0

    @property
    def differences(self) -> tuple[Difference, ...]:
        return tuple(difference for table in self.tables for difference in table.differences)

    @property
    def found(self) -> int:
        return sum(table.found for table in self.tables)

    @property
    def repaired(self) -> int:
        return sum(table.repaired for table in self.tables)


@dataclass(frozen=True)
class TableStatus:
    """What `status` tells of one table; `seconds_since_pass` is None before its first."""

    table: str
    phase: Phase
    rows_applied: int
    mark: Mark
    rejects: int
    error: str = ""
    updated_at: str = field(default="")


@dataclass(frozen=True)
class LastVerify:
    """The last verify of a source: when it ended, in ISO 8601, and what it found; see `VerifyReport`.

    `differing` are the tables that differ, each with its number of differences.
    """

    at: str
    mode: str
    differences: int
    seconds: float
    compared_seconds: float = 0.0
    differing: Mapping[str, int] = field(default_factory=dict)


class Stage(StrEnum):
    """Where a cutover stands; until `promoted` is committed the source is the truth."""

    READY = "ready"
    DRAIN = "drain"
    FENCE = "fence"
    FINAL_DRAIN = "final drain"
    SWEEP = "sweep"
    VERIFY = "verify"
    SEQUENCES = "sequences"
    FINISH = "finish"
    PROMOTED = "promoted"
    ABORTED = "aborted"


@dataclass(frozen=True)
class CutoverStep:
    """One step of a cutover. `began` in ISO 8601; `seconds` None while it lasts; `outcome` is done or failed."""

    step: str
    began: str
    seconds: float | None = None
    outcome: str = ""
    detail: str = ""


@dataclass(frozen=True)
class CutoverStatus:
    """The last attempt of a cutover; `ended` is empty as long as nobody ended it.

    `unfinished` is true of a promoted one as long as the seal or the hook that follows is still to be done.
    """

    attempt: int
    state: Stage
    who: str
    began: str
    ended: str
    steps: tuple[CutoverStep, ...] = ()
    unfinished: bool = False
