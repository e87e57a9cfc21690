"""The INI file, the environment and the flags as one frozen `Config`.

`load` tells every fault at once, each with the line, the flag or the variable that it comes from. No message holds a
DSN or another URL: they may carry a password.

A key is accepted because a model below has a field of that name; nothing else lists it.
"""

import csv
import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta
from enum import StrEnum
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_origin
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from syncd import ini
from syncd.errors import ConfigError
from syncd.ini import Fault


class OnConflict(StrEnum):
    """What the first load does with a row whose key the target already holds."""

    UPDATE = "update"
    SKIP = "skip"
    FAIL = "fail"


class ForeignKeys(StrEnum):
    """Whether a table that syncd creates gets a foreign key that the source itself violates."""

    AUTO = "auto"
    ENFORCE = "enforce"


class WatermarkKind(StrEnum):
    """What tells a table's new rows from those already read."""

    AUTO = "auto"
    ROWID = "rowid"
    DATE = "date"
    NONE = "none"


def _meant(word: str, options: Iterable[str]) -> str:
    spelling = {option.casefold(): option for option in options}
    near = difflib.get_close_matches(word.casefold(), spelling, n=1)
    return f"; did you mean `{spelling[near[0]]}`?" if near else ""


_UNITS = {"days": "d", "hours": "h", "minutes": "m", "seconds": "s", "milliseconds": "ms"}
_DURATION = re.compile(r"\s*".join(rf"((?P<{name}>[0-9]+([.][0-9]+)?)\s*{unit})?" for name, unit in _UNITS.items()))


def _duration(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value)
    parts = {unit: float(amount) for unit, amount in match.groupdict().items() if amount} if match else {}
    if not parts:
        raise ValueError("is no duration; the units are ms, s, m, h, d, as in 500ms or 1h30m")
    try:
        return timedelta(**parts)
    except OverflowError:
        raise ValueError("is too long") from None


def _names(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        rows = list(csv.reader(value.split("\n"), skipinitialspace=True, strict=True))
    except csv.Error:
        raise ValueError('is no list of names; a name in quotes is "a, b", and a quote inside it is doubled') from None
    return tuple(name.strip() for row in rows for name in row if name.strip())


def _crontab(value: str) -> str:
    try:
        # Imported here: it takes 60 ms, a tenth of what a command takes to start, and few write a crontab line.
        from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415

        CronTrigger.from_crontab(value, timezone=UTC)
    except ValueError:
        raise ValueError("is no crontab line: minute hour day month weekday, as in */5 * * * *") from None
    # crontab counts the days from Sunday, APScheduler from Monday: a number would run on the wrong day
    if re.search("[0-9]", value.split()[4]):
        raise ValueError("has a number for a weekday; write mon, tue, wed, thu, fri, sat or sun, as in mon-fri")
    return value


def _timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("is no time zone" + _meant(value, available_timezones())) from None
    return value


def _one_for_each_processor() -> int:
    return max(2, min(8, os.cpu_count() or 2))


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
BatchRows = Annotated[int, Field(ge=1, le=1_000_000)]
Ratio = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Level = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(str.upper)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True)


class Watermark(_Section):
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


class SourceConfig(_Section):
    """The SQLite file."""

    path: Path | None = None


class TargetConfig(_Section):
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
    timezone: Annotated[str, AfterValidator(_timezone)] = "UTC"


class SyncConfig(_Section):
    """When, what and how much. `cron`, when given, stands in for `interval`; no `tables` means all but `skip`.

    `workers` is one for each processor, 2 to 8: a worker renders on one while its server process copies on another,
    and four workers on two processors took a fifth longer than two.
    """

    interval: Duration = Field(default=timedelta(seconds=5), gt=timedelta())
    cron: Annotated[str, AfterValidator(_crontab)] | None = None
    watch: bool = True
    batch_rows: BatchRows = 5000
    workers: int = Field(default_factory=_one_for_each_processor, ge=1, le=32)
    max_reject_ratio: Ratio = 0.01
    state_dir: Path | None = None
    tables: Names = ()
    skip: Names = ()


class TableConfig(_Section):
    """What one table does otherwise; None means as `[sync]` says."""

    key: Names = ()
    watermark: Watermark = Watermark()
    lookback: Duration = Field(default=timedelta(), ge=timedelta())
    batch_rows: BatchRows | None = None
    max_reject_ratio: Ratio | None = None


class LogConfig(_Section):
    """What is logged and how."""

    level: Level = "INFO"
    format: Literal["text", "json", "journal"] = "text"


class Config(_Section):
    """All settings. `tables` is keyed by the source table's name as the file spells it."""

    source: SourceConfig = SourceConfig()
    target: TargetConfig = TargetConfig()
    sync: SyncConfig = SyncConfig()
    tables: Mapping[str, TableConfig] = {}
    log: LogConfig = LogConfig()

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


_Address = tuple[str, str]
_SECTIONS: Mapping[str, type[_Section]] = {
    "source": SourceConfig,
    "target": TargetConfig,
    "sync": SyncConfig,
    "table:NAME": TableConfig,
    "log": LogConfig,
}
_VARIABLES = {
    "SYNCD_SOURCE": ("source", "path"),
    "SYNCD_TARGET": ("target", "dsn"),
    "SYNCD_STATE_DIR": ("sync", "state_dir"),
    "SYNCD_LOG_LEVEL": ("log", "level"),
}
_FLAGS = {("source", "path"): "--source", ("target", "dsn"): "--target", ("log", "format"): "--log-format"}
_REFUSALS = {
    "bool_parsing": "is neither yes nor no",
    "int_parsing": "is no whole number",
    "int_parsing_size": "is no whole number",
    "float_parsing": "is no number",
    "finite_number": "is no number",
    "greater_than": "is too short",
    "greater_than_equal": "is less than {ge}",
    "less_than_equal": "is more than {le}",
}


def load(path: Path | None, overrides: Mapping[_Address, str] = {}, environ: Mapping[str, str] = {}) -> Config:
    """Read the configuration: a flag beats the environment beats the file beats the default.

    `overrides` holds the flags by section and key, as in `("target", "dsn")`; `path` None means no file. A value that
    the file or the environment gives empty is not given. Relative paths in the file start at the file's folder.

    A table's name stands in `[table:NAME]` as it is, with any `]`, `:`, `=` or quote; in a list, a name with a comma
    stands in double quotes. A name that begins or ends with a blank, or holds a line break, cannot be written.

    Raises `ConfigError`, whose text has a line for each fault, and `RefusedError` when the file may not be read.
    """
    faults: list[Fault] = []
    given = _from_file(path, faults) if path else {}
    for name, address in _VARIABLES.items():
        if environ.get(name):
            given[address] = _Given(address, environ[name], origin=name)
    for address, text in overrides.items():
        given[address] = _Given(address, text, origin=_FLAGS.get(address, "--" + address[1].replace("_", "-")))
    values = _accepted(given, faults)
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        faults += [_refusal(given, dict(details)) for details in error.errors()]
    if faults:
        raise ConfigError("\n".join(text for _, text in sorted(faults, key=itemgetter(0))))
    return config


@dataclass(frozen=True)
class _Given:
    """A value, or a section's header with an empty key, and where it comes from; `line` is 0 outside the file."""

    address: _Address
    text: str
    origin: str
    line: int = 0
    folder: Path = Path()

    def fault(self, what: str) -> Fault:
        section, key = self.address
        place = f"[{section}] {key}".removeprefix("[] ").strip()
        # wherever a URL has strayed to, it may hold a password, and that may hold blanks
        return self.line, f"{self.origin}: " + re.sub(r"\S*://(.*@)?\S*", "(a URL)", f"{place}: {what}")

    def refused(self, why: str) -> Fault:
        """Quote the value before `why`, unless it may hold a password."""
        section, key = self.address
        secret = not _fields(section)[key].repr or re.search("\n|passw", self.text, re.IGNORECASE)
        return self.fault(f"{'the value' if secret else f'`{self.text}`'} {why}")


def _fields(section: str) -> Mapping[str, FieldInfo]:
    """Give a section's fields by the keys that stand for them; none for an unknown section."""
    model = _SECTIONS.get(re.sub("^table:.+", "table:NAME", section))
    return {str(field.validation_alias or name): field for name, field in model.model_fields.items()} if model else {}


def _accepted(given: Mapping[_Address, _Given], faults: list[Fault]) -> dict[str, Any]:
    """Give the values of known keys, nested as in `Config`."""
    values: dict[str, Any] = {"tables": {}}
    for (section, key), value in given.items():
        fields = _fields(section)
        kind, _, table = section.partition(":")
        if key and not section:
            faults.append(value.fault("stands before the first [section]"))
        elif section and not fields and not (key and value.line):
            faults.append(value.fault("unknown section" + _meant(section, [*_SECTIONS, f"table:{table or 'NAME'}"])))
        elif key and fields and key not in fields:
            faults.append(value.fault("unknown key" + _meant(key, fields)))
        elif key in fields and not value.text and not value.line:
            faults.append(value.fault("is empty"))
        elif key in fields and value.text:
            try:
                place = values["tables"].setdefault(table, {}) if table else values.setdefault(kind, {})
                place[key] = _wanted(value, fields[key])
            except ValueError as error:
                faults.append(value.refused(str(error)))
    interval, cron = given.get(("sync", "interval")), given.get(("sync", "cron"))
    if interval and interval.text and cron and cron.text:
        faults.append(cron.fault(f"interval is given too, at {interval.origin}; keep one of them"))
    return values


def _wanted(value: _Given, field: FieldInfo) -> str | Path:
    if "\n" in value.text and get_origin(field.annotation) is not tuple:
        raise ValueError("goes on in an indented line; begin each key at the margin")
    if Path not in get_args(field.annotation):
        return value.text
    if "://" in value.text:
        raise ValueError("is no path")
    try:
        return value.folder / Path(value.text).expanduser()
    except RuntimeError:
        raise ValueError("is in a home folder that does not exist") from None


def _refusal(given: Mapping[_Address, _Given], details: Mapping[str, Any]) -> Fault:
    """Say in plain words what pydantic found wrong with a value, and where the value comes from."""
    section, key, *deeper = map(str, details["loc"])
    value = given[(f"table:{key}", deeper[0]) if section == "tables" else (section, key)]
    context = details.get("ctx", {})
    match details["type"]:
        case "value_error":
            return value.refused(str(context["error"]))
        case "enum" | "literal_error":
            words = re.findall("'(.*?)'", context["expected"])
            return value.refused(f"is none of {', '.join(words)}{_meant(value.text, words)}")
        case kind:
            return value.refused(_REFUSALS.get(kind, "is refused").format(**context))


def _from_file(path: Path, faults: list[Fault]) -> dict[_Address, _Given]:
    given: dict[_Address, _Given] = {}
    for entry in ini.read(path, faults):
        address = (entry.section, entry.key)
        value = _Given(address, entry.text, f"{path}:{entry.line}", entry.line, path.parent)
        if address in given:
            faults.append(value.fault(f"given twice, first on line {given[address].line}"))
        else:
            given[address] = value
    return given
