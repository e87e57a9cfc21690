"""The sections of the INI file as frozen models: a key is accepted because a model has a field of that name."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from syncd.config.values import (
    TYPE,
    Age,
    BatchRows,
    Duration,
    FenceKind,
    ForeignKeys,
    Interval,
    Level,
    Names,
    NameStyle,
    OnConflict,
    Ordered,
    Ratio,
    SealKind,
    Sweep,
    WatermarkKind,
    address,
    command_line,
    crontab,
    one_for_each_processor,
    timezone_name,
)


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True)


class Watermark(Section):
    """How a table's new rows are found, from `auto | rowid | date:COLUMN | none`; `column` is None unless `date`."""

    kind: WatermarkKind = WatermarkKind.AUTO
    column: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        kind, _, column = value.partition(":")
        return {"kind": kind.strip(), "column": column.strip() or None}

    @model_validator(mode="after")
    def _a_date_has_a_column(self) -> Self:
        if (self.kind is WatermarkKind.DATE) != bool(self.column):
            raise ValueError("is none of auto, rowid, date:COLUMN, none")
        return self


class Expression(Section):
    """An SQLite expression as the file gives it; `origin` is where it stands, as FILE:LINE."""

    text: str
    origin: str = ""


class TypeOverride(Section):
    """A PostgreSQL type and what is read into it, from `TYPE [from epoch_s | epoch_ms | epoch_us | julian | iso]`."""

    name: str
    origin: Literal["", "epoch_s", "epoch_ms", "epoch_us", "julian", "iso"] = ""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        found = TYPE.fullmatch(value.strip())
        if found is None:
            raise ValueError("is no PostgreSQL type, as in numeric(15,4), or timestamptz from epoch_ms")
        return {"name": found["name"], "origin": found["origin"] or ""}


class SourceConfig(Section):
    """The SQLite file."""

    path: Path | None = None


class TargetConfig(Section):
    """The PostgreSQL database.

    `dsn` is a libpq connection string, `embedded`, or None when none was given; `repr()` leaves it out.
    `timezone` is the zone of text without one that lands in a timestamptz column.
    """

    dsn: str | None = Field(default=None, repr=False)
    password_file: Path | None = None
    schema_: str = Field(default="public", validation_alias="schema")
    create_tables: bool = True
    on_conflict: OnConflict = OnConflict.UPDATE
    foreign_keys: ForeignKeys = ForeignKeys.AUTO
    names: NameStyle = NameStyle.KEEP
    timezone: Annotated[str, AfterValidator(timezone_name)] = "UTC"


class SyncConfig(Section):
    """When, what and how much. `cron`, when given, stands in for `interval`; no `tables` means all but `skip`.

    `workers` is one for each processor, 2 to 8: a worker renders on one while its server process copies on another,
    and four workers on two processors took a fifth longer than two. `sweep` is the time between two sweeps.
    """

    interval: Duration = Field(default=timedelta(seconds=5), gt=timedelta())
    cron: Annotated[str, AfterValidator(crontab)] | None = None
    watch: bool = True
    sweep: Sweep = "auto"
    batch_rows: BatchRows = 20_000
    workers: int = Field(default_factory=one_for_each_processor, ge=1, le=32)
    max_reject_ratio: Ratio = 0.01
    state_dir: Path | None = None
    tables: Names = ()
    skip: Names = ()


class TableConfig(Section):
    """What one table does otherwise; None means as `[sync]` says.

    `columns` and `types` are keyed by the target's columns. `where` says which rows belong; a row for which one of
    `checks` is false is rejected under its name.
    """

    key: Names = ()
    watermark: Watermark = Watermark()
    lookback: Duration = Field(default=timedelta(), ge=timedelta())
    batch_rows: BatchRows | None = None
    max_reject_ratio: Ratio | None = None
    target: str | None = None
    where: Expression | None = None
    exclude: Names = ()
    deletes: bool = True
    columns: Mapping[str, Expression] = Field(default={}, validation_alias="column.NAME")
    types: Mapping[str, TypeOverride] = Field(default={}, validation_alias="type.NAME")
    checks: Mapping[str, Expression] = Field(default={}, validation_alias="check.NAME")


class HypertableConfig(Section):
    """What one table of the target becomes in TimescaleDB; None and () mean: proposed from the rows, or none.

    `epoch` tells how an integer time column counts since 1970. Chunks older than `compress_after` are compressed, those
    older than `retain` dropped, which waits for promotion.
    """

    time_column: str
    chunk_interval: Interval | None = None
    epoch: Literal["s", "ms", "us"] | None = None
    segment_by: Names = ()
    order_by: Ordered = ()
    compress_after: Age | None = None
    retain: Interval | None = None


class AggregateConfig(Section):
    """A continuous aggregate: its query, and how often it is refreshed."""

    query: Expression
    refresh: Interval = "1 day"


class IndexConfig(Section):
    """An index of a table of the target."""

    table: str
    columns: Ordered


class BenchmarkConfig(Section):
    """A query to be timed."""

    query: Expression


class WebConfig(Section):
    """The dashboard and the metrics. `hosts` are further names under which viewers may ask for it."""

    listen: Annotated[str, AfterValidator(address)] | None = None
    hosts: Names = ()
    token_file: Path | None = None


class NotifyConfig(Section):
    """Who is told, and of what. `urls` are Apprise's, and secrets: `repr()` leaves them out."""

    urls: Names = Field(default=(), repr=False)
    urls_file: Path | None = None
    command: Annotated[str, AfterValidator(command_line)] | None = None
    lag: Duration = Field(default=timedelta(seconds=60), gt=timedelta())
    lag_for: Duration = Field(default=timedelta(seconds=30), ge=timedelta())
    rejects: int = Field(default=1, ge=1)
    repeat: Duration = Field(default=timedelta(seconds=3600), ge=timedelta())


class CutoverConfig(Section):
    """The night of the cutover. Writes are stopped for `deadline` at most; then it aborts by itself."""

    fence: FenceKind = FenceKind.LOCK
    deadline: Duration = Field(default=timedelta(minutes=10), gt=timedelta())
    seal: SealKind = SealKind.NONE


class HooksConfig(Section):
    """Programs that the cutover starts: argument lists, run without a shell, each ended after `timeout`."""

    on_fence: Annotated[str, AfterValidator(command_line)] | None = None
    on_promote: Annotated[str, AfterValidator(command_line)] | None = None
    on_abort: Annotated[str, AfterValidator(command_line)] | None = None
    timeout: Duration = Field(default=timedelta(minutes=1), gt=timedelta())


class LogConfig(Section):
    """What is logged and how."""

    level: Level = "INFO"
    format: Literal["text", "json", "journal"] = "text"


class Config(Section):
    """All settings; `tables` is keyed by the names of the source's tables, `hypertables` by the target's."""

    source: SourceConfig = SourceConfig()
    target: TargetConfig = TargetConfig()
    sync: SyncConfig = SyncConfig()
    tables: Mapping[str, TableConfig] = {}
    hypertables: Mapping[str, HypertableConfig] = {}
    aggregates: Mapping[str, AggregateConfig] = {}
    indexes: Mapping[str, IndexConfig] = {}
    benchmarks: Mapping[str, BenchmarkConfig] = {}
    web: WebConfig = WebConfig()
    notify: NotifyConfig = NotifyConfig()
    cutover: CutoverConfig = CutoverConfig()
    hooks: HooksConfig = HooksConfig()
    log: LogConfig = LogConfig()
    origins: Mapping[tuple[str, str], str] = Field(default={}, repr=False)
    """Where each section, with an empty key, and each of their keys is given: FILE:LINE, a flag, a variable."""

    def place(self, section: str, key: str = "") -> str:
        """Name a section, or a key of it, behind where it is given, as in `syncd.ini:7: [sync] tables`."""
        named = f"[{section}] {key}".rstrip()
        origin = self.origins.get((section, key))
        return f"{origin}: {named}" if origin else named

    def table(self, name: str) -> TableConfig:
        """Give the settings of a source table, the defaults if it has no section."""
        return self.tables.get(name, TableConfig())

    def batch_rows(self, name: str) -> int:
        """Give the most rows of one batch of a source table."""
        own = self.table(name).batch_rows
        return self.sync.batch_rows if own is None else own

    def max_reject_ratio(self, name: str) -> float:
        """Give the share of a source table's rows, 0 to 1, that may be rejected before the table stops."""
        own = self.table(name).max_reject_ratio
        return self.sync.max_reject_ratio if own is None else own
