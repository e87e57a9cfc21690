"""How a value of the INI file is written, and what it means."""

import difflib
import os
import re
import shlex
from collections.abc import Iterable
from datetime import UTC, timedelta
from enum import StrEnum
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, Field


class OnConflict(StrEnum):
    """What the first load does with a row whose key the target already holds."""

    UPDATE = "update"
    SKIP = "skip"
    FAIL = "fail"


class ForeignKeys(StrEnum):
    """Whether a table that syncd creates gets a foreign key that the source itself violates."""

    AUTO = "auto"
    ENFORCE = "enforce"


class NameStyle(StrEnum):
    """How the names of tables and columns that syncd creates are spelled."""

    KEEP = "keep"
    LOWER = "lower"
    SNAKE = "snake"


class WatermarkKind(StrEnum):
    """What tells a table's new rows from those already read."""

    AUTO = "auto"
    ROWID = "rowid"
    DATE = "date"
    NONE = "none"


class FenceKind(StrEnum):
    """How writers are kept out at the cutover."""

    LOCK = "lock"
    COMMAND = "command"
    NONE = "none"


class SealKind(StrEnum):
    """What becomes of the old file after promotion."""

    NONE = "none"
    RENAME = "rename"
    READONLY = "readonly"


def nearest(word: str, options: Iterable[str]) -> str | None:
    """The option that the word may be a misspelling of."""
    spelling = {option.casefold(): option for option in options}
    near = difflib.get_close_matches(word.casefold(), spelling, n=1)
    return spelling[near[0]] if near else None


def meant(word: str, options: Iterable[str]) -> str:
    near = nearest(word, options)
    return f"; did you mean `{near}`?" if near is not None else ""


_UNITS = {"days": "d", "hours": "h", "minutes": "m", "seconds": "s", "milliseconds": "ms"}
TYPE = re.compile(
    r"(?P<name>[a-z_][a-z0-9_ ]*?(\s?\([0-9]+\s*(,\s*-?[0-9]+\s*)?\))?( with(out)? time zone)?(\[\])*)"
    r"(\s+from\s+(?P<origin>epoch_s|epoch_ms|epoch_us|julian|iso))?",
    re.IGNORECASE,
)
"""A PostgreSQL type by its plain name, and what is to be read into it; never a quote or another statement."""
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


def _sweep(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.strip().lower() in ("auto", "off"):
        return value.strip().lower()
    try:
        duration = _duration(value)
    except ValueError:
        raise ValueError("is neither auto nor off nor a duration; the units are ms, s, m, h, d, as in 10m") from None
    if not duration:
        raise ValueError("is too short")
    return duration


_MEMBER = re.compile(r'[ \t]*("(?P<quoted>([^"]|"")*)"|(?P<plain>[^",\s][^,\n]*|))\s*?(,|\n|$)')


def _names(value: object) -> object:
    if not isinstance(value, str):
        return value
    names: list[str] = []
    place = 0
    while place < len(value):
        member = _MEMBER.match(value, place)
        if member is None:
            raise ValueError('is no list of names; a name in quotes is "a, b", and a quote inside it is doubled')
        if member["quoted"] is not None:
            names.append(member["quoted"].replace('""', '"').strip())
        elif member["plain"]:
            names.append(member["plain"].strip())
        place = member.end()
    return tuple(names)


_INTERVAL = re.compile(r"[0-9]+ ?(years?|mons?|months?|weeks?|days?|d|hours?|h|minutes?|min|seconds?|s)", re.IGNORECASE)


def _interval(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not _INTERVAL.fullmatch(value.strip()):
        raise ValueError("is no interval: a number and year, month, week, day, hour, minute or second, as in 1 month")
    return value.strip()


def _positive_interval(value: object) -> object:
    read = _interval(value)
    if isinstance(read, str) and not re.search("[1-9]", read):
        raise ValueError("is too short")
    return read


def _ordered(value: object) -> object:
    if not isinstance(value, str):
        return value
    names = _names(value)
    return tuple(map(_member, names)) if isinstance(names, tuple) else names


def _member(text: str) -> tuple[str, bool]:
    name, _, direction = text.rpartition(" ")
    if name and direction.upper() in ("ASC", "DESC"):
        return name.strip(), direction.upper() == "DESC"
    return text, False


def crontab(value: str) -> str:
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


def timezone_name(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("is no time zone" + meant(value, available_timezones())) from None
    return value


def address(value: str) -> str:
    """HOST:PORT, or [HOST]:PORT for an IPv6 address."""
    host, _, port = value.strip().rpartition(":")
    if not host.strip("[]") or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise ValueError("is no address; write HOST:PORT, as in 127.0.0.1:8787")
    return value.strip()


def command_line(value: str) -> str:
    """A program and its arguments, split as a shell would, but run without one."""
    try:
        words = shlex.split(value)
    except ValueError:
        raise ValueError("has a quote that is not closed") from None
    if not words:
        raise ValueError("names no program")
    return value


def one_for_each_processor() -> int:
    return max(2, min(8, os.cpu_count() or 2))


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Sweep = Annotated[Literal["auto", "off"] | timedelta, BeforeValidator(_sweep)]
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
Ordered = Annotated[tuple[tuple[str, bool], ...], BeforeValidator(_ordered)]
"""Columns, each with whether it is descending, from `region, date DESC`."""
Interval = Annotated[str, BeforeValidator(_positive_interval)]
"""A length of time as PostgreSQL reads it, months among them, as in `1 month`."""
Age = Annotated[str, BeforeValidator(_interval)]
"""An Interval that may be zero."""
BatchRows = Annotated[int, Field(ge=1, le=1_000_000)]
Ratio = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Level = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(str.upper)]
