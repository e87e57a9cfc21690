"""What a plan says: all that is decided about each table before anything is read or written."""

from dataclasses import dataclass
from datetime import timedelta

from syncd.config import ForeignKeys, OnConflict
from syncd.errors import SchemaError
from syncd.model import Affinity, Skipped, Table, digest
from syncd.types import TargetType

ROWID_KEY = "_syncd_rowid"


@dataclass(frozen=True)
class TargetColumn:
    """A column of a table that is there in PostgreSQL; `type` as `format_type` writes it, `exact` as in TargetType."""

    name: str
    type: str
    not_null: bool
    generated: bool
    has_default: bool = False
    exact: bool | None = None

    @property
    def must_be_given(self) -> bool:
        """Whether a row cannot land without a value for it."""
        return self.not_null and not self.generated and not self.has_default


@dataclass(frozen=True)
class ForeignKeyPlan:
    """A foreign key; its actions wait for promotion: until then each side's changes come from the source."""

    name: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    on_update: str = "NO ACTION"
    on_delete: str = "NO ACTION"


@dataclass(frozen=True)
class TargetTable:
    """A table that is there in PostgreSQL. `keys`: its primary key first, then its other NOT NULL unique keys."""

    name: str
    columns: tuple[TargetColumn, ...]
    keys: tuple[tuple[str, ...], ...]
    foreign_keys: tuple[ForeignKeyPlan, ...] = ()


@dataclass(frozen=True)
class ColumnPlan:
    """One column of the target: `expression` is the SQLite expression whose value it gets, `why` explains its type.

    `default` is a PostgreSQL expression; rows come with all their columns, so it never changes what is carried.
    """

    name: str
    expression: str
    affinity: Affinity
    type: TargetType
    not_null: bool = False
    identity: bool = False
    why: str = ""
    default: str | None = None


@dataclass(frozen=True)
class MarkPlan:
    """The mark of a table: `moment` names its date column; both are unset where only a sweep finds changes."""

    rowid: str | None = None
    moment: str | None = None
    lookback: timedelta = timedelta(0)
    why: str = ""

    def __str__(self) -> str:
        if self.moment:
            return f"date:{self.moment}"
        return "rowid" if self.rowid else "none"


@dataclass(frozen=True)
class UniquePlan:
    """A secondary unique constraint; one that a foreign key names cannot be deferrable in PostgreSQL."""

    name: str
    columns: tuple[str, ...]
    deferrable: bool


@dataclass(frozen=True)
class IndexPlan:
    """An index: `members` and `where` are PostgreSQL expressions, as CREATE INDEX takes them.

    Unique are those that no unique constraint can express: over an expression, over text without regard to case, over
    some rows. Until promotion an exclusion constraint stands for each, as PostgreSQL cannot defer a unique index.
    """

    name: str
    members: tuple[str, ...]
    unique: bool = False
    where: str | None = None


@dataclass(frozen=True)
class CheckPlan:
    """A CHECK constraint; `condition` is a PostgreSQL expression."""

    name: str
    condition: str


@dataclass(frozen=True)
class RowCheck:
    """A named SQLite condition: rows for which it is false are rejected under its name; NULL is not false."""

    name: str
    condition: str


@dataclass(frozen=True)
class HypertablePlan:
    """What a table becomes in TimescaleDB; intervals are PostgreSQL's text, None and () are yet to be proposed.

    `epoch` is how an integer time column counts: s, ms, us. `identity` are the target's columns that name a source row,
    where the key is wider than they are: a row whose time changes would be left behind under its old time.
    """

    time_column: str
    time_type: str
    chunk_interval: str | None = None
    epoch: str | None = None
    segment_by: tuple[str, ...] = ()
    order_by: tuple[tuple[str, bool], ...] = ()
    compress_after: str | None = None
    retain: str | None = None
    identity: tuple[str, ...] = ()

    @property
    def is_integer(self) -> bool:
        return self.time_type in ("smallint", "integer", "bigint")


@dataclass(frozen=True)
class TablePlan:
    """All that is decided about one table.

    `source_key` are the SQLite expressions that name one source row: its rowid, or its primary key where it has none.
    `created` is true where syncd makes the target table. `where` is the SQLite condition for the rows that belong;
    `reads` names the other source tables that `where`, the checks and the columns' expressions read.
    """

    source: Table
    target: str
    columns: tuple[ColumnPlan, ...]
    key: tuple[str, ...]
    source_key: tuple[str, ...]
    mark: MarkPlan
    batch_rows: int
    max_reject_ratio: float
    created: bool
    on_conflict: OnConflict = OnConflict.UPDATE
    uniques: tuple[UniquePlan, ...] = ()
    indexes: tuple[IndexPlan, ...] = ()
    check_constraints: tuple[CheckPlan, ...] = ()
    foreign_keys: tuple[ForeignKeyPlan, ...] = ()
    parents: tuple[str, ...] = ()
    not_carried: tuple[Skipped, ...] = ()
    where: str = "1"
    checks: tuple[RowCheck, ...] = ()
    reads: frozenset[str] = frozenset()
    deletes: bool = True
    hypertable: HypertablePlan | None = None

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def key_columns(self) -> tuple[ColumnPlan, ...]:
        by_name = {column.name: column for column in self.columns}
        return tuple(by_name[name] for name in self.key)

    @property
    def time_column(self) -> str:
        """The column by which its hypertable is cut; empty where it becomes none."""
        return self.hypertable.time_column if self.hypertable else ""

    @property
    def is_mapped(self) -> bool:
        """Whether values are computed by expressions, or rows judged by checks, of the configuration."""
        return bool(self.checks) or any(column.expression.startswith("(") for column in self.columns)

    @property
    def by_rowid(self) -> bool:
        return self.source.rowid is not None

    @property
    def fingerprint(self) -> str:
        """Names the table's definition and its mapping; another one means that either has changed.

        The types of a table that was there before are its owner's, who may widen a column so that rejects can land.
        """
        columns = [f"{c.name}={c.expression}" + (f":{c.type.name}" if self.created else "") for c in self.columns]
        conditions = [] if self.where == "1" else [self.where]
        conditions += [f"{check.name}={check.condition}" for check in self.checks]
        return digest(self.source.sql, self.target, *columns, *self.key, *conditions)


@dataclass(frozen=True)
class Plan:
    """Every table to be carried, parents before children. `refused` are the errors of those that cannot be.

    `gone` are tables that were loaded, that the source has no longer, and that the configuration leaves out.
    """

    tables: tuple[TablePlan, ...]
    skipped: tuple[Skipped, ...]
    refused: tuple[SchemaError, ...] = ()
    foreign_keys: ForeignKeys = ForeignKeys.AUTO
    gone: tuple[str, ...] = ()

    def table(self, name: str) -> TablePlan | None:
        return next((table for table in self.tables if table.name == name), None)
