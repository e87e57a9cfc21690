"""What syncd speaks of: tables of the source, keys, marks, batches, rejects, results. All frozen."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

Affinity = str
"""One of TEXT, NUMERIC, INTEGER, REAL, BLOB: https://sqlite.org/datatype3.html#determination_of_column_affinity"""


def affinity_of(declared_type: str) -> Affinity:
    """SQLite's affinity for a declared type, by the five rules of its documentation in their order."""
    declared = declared_type.upper()
    if "INT" in declared:
        return "INTEGER"
    if any(word in declared for word in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if "BLOB" in declared or not declared:
        return "BLOB"
    if any(word in declared for word in ("REAL", "FLOA", "DOUB")):
        return "REAL"
    return "NUMERIC"


@dataclass(frozen=True)
class Column:
    """A column of a source table; `key_position` counts from 1 within the primary key, 0 outside it.

    `default` and `formula`, that of a generated column, are SQLite expressions.
    """

    name: str
    declared_type: str
    not_null: bool = False
    default: str | None = None
    key_position: int = 0
    generated: bool = False
    collation: str = "BINARY"
    formula: str | None = None

    @property
    def affinity(self) -> Affinity:
        return affinity_of(self.declared_type)


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key of the source; `parent_columns` is empty where it names the parent's primary key implicitly."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    on_update: str = "NO ACTION"
    on_delete: str = "NO ACTION"


@dataclass(frozen=True)
class Index:
    """An index of the source; a column is None where the index holds an expression.

    `expressions` has the SQL of each member, `collations` how it is compared, `where` the condition of a partial index.
    """

    name: str
    columns: tuple[str | None, ...]
    descending: tuple[bool, ...]
    unique: bool
    partial: bool
    origin: str
    sql: str | None
    collations: tuple[str, ...]
    expressions: tuple[str, ...]
    where: str | None = None


@dataclass(frozen=True)
class Check:
    """A CHECK constraint of the source; `column` is set where it stands at a column, `name` where it has one."""

    condition: str
    name: str | None = None
    column: str | None = None


@dataclass(frozen=True)
class Definition:
    """A view or a trigger: what SQLite keeps as its SQL alone."""

    name: str
    sql: str


@dataclass(frozen=True)
class Table:
    """A table of the source; `rowid` is an SQLite expression for its rowid, None where none can be named.

    `key_collations` tells how the members of its primary key are compared; empty where that key is the rowid.
    """

    name: str
    columns: tuple[Column, ...]
    foreign_keys: tuple[ForeignKey, ...]
    indexes: tuple[Index, ...]
    rowid: str | None
    strict: bool
    sql: str
    autoincrement: bool = False
    utf16: bool = False
    key_collations: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    triggers: tuple[Definition, ...] = ()

    @property
    def primary_key(self) -> tuple[str, ...]:
        members = sorted((column for column in self.columns if column.key_position), key=lambda c: c.key_position)
        return tuple(column.name for column in members)

    def column(self, name: str) -> Column | None:
        """The column of that name; SQLite's names ignore the case of ASCII letters."""
        return next((column for column in self.columns if column.name.lower() == name.lower()), None)


@dataclass(frozen=True)
class Skipped:
    """Something of the source that is not carried over, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Catalog:
    """All that the source holds. `encoding` is SQLite's: UTF-8, UTF-16le or UTF-16be."""

    tables: tuple[Table, ...]
    skipped: tuple[Skipped, ...]
    views: tuple[Definition, ...]
    encoding: str
    schema_version: int

    def table(self, name: str) -> Table | None:
        return next((table for table in self.tables if table.name.lower() == name.lower()), None)


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


@dataclass(frozen=True)
class TableReport:
    """One table's part of a load or a pass; `error` says why it stopped, empty where it did not."""

    table: str
    applied: Applied
    seconds: float
    error: str = ""


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
    """What verify found; `mode` is counts, sample or full."""

    mode: str
    tables: tuple[TableVerdict, ...]
    seconds: float

    @property
    def differences(self) -> tuple[Difference, ...]:
        return tuple(difference for table in self.tables for difference in table.differences)

    @property
    def found(self) -> int:
        return sum(table.found for table in self.tables)

    @property
    def repaired(self) -> int:
        return sum(table.repaired for table in self.tables)


def digest(*parts: str) -> str:
    """A short stable name for what the parts say, 16 hexadecimal digits."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


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
    """The last verify of a source: when it ended, in ISO 8601, and what it found."""

    at: str
    mode: str
    differences: int
    seconds: float


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
    """The last attempt of a cutover; `ended` is empty as long as nobody ended it."""

    attempt: int
    state: Stage
    who: str
    began: str
    ended: str
    steps: tuple[CutoverStep, ...] = ()
