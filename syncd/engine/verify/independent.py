"""A second opinion on what landed: SQLite's own value against what PostgreSQL prints, by rules of Python alone.

The loader's rendering is one opinion, and comparing by bytes repeats it. Nothing here knows it.
"""

import json
import re
import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from uuid import UUID
from zoneinfo import ZoneInfo

from syncd.types import TargetType

Value = str | bytes | int | float | None
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"epoch_s": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000}
_JULIAN_EPOCH = 2440587.5
_HALF_A_MILLISECOND = timedelta(microseconds=500)
_DIGITS = 2000


def holds(value: Value, shown: str | None, target: TargetType, timezone: str = "UTC") -> bool:
    """Whether `shown`, a value of PostgreSQL as text, is the `value` that SQLite yields.

    `timezone` is the zone of text without one. A type without a rule of its own holds the text as it is: text that
    PostgreSQL writes in another form, an xml or a point, is not judged.
    """
    if value is None or shown is None:
        return value is shown
    try:
        return _RULES.get(target.base, _unknown)(value, shown, target, timezone)
    except (ValueError, ArithmeticError, OverflowError, TypeError):
        return False


def _unknown(value: Value, shown: str, target: TargetType, timezone: str) -> bool:
    del value, shown, target, timezone
    return True


def _integer(value: Value, shown: str, *_: object) -> bool:
    return str(int(value) if isinstance(value, float) and value.is_integer() else value) == shown


def _double(value: Value, shown: str, *_: object) -> bool:
    return _same_bits(float(_plain(value)), float(shown))


def _single(value: Value, shown: str, *_: object) -> bool:
    return struct.pack("<f", float(_plain(value))) == struct.pack("<f", float(shown))


def _same_bits(one: float, other: float) -> bool:
    return struct.pack("<d", one) == struct.pack("<d", other)


def _plain(value: Value) -> str | int | float:
    if value is None or isinstance(value, bytes):
        raise TypeError(value)
    return value


def _numeric(value: Value, shown: str, target: TargetType, _: str) -> bool:
    held = Decimal(shown)
    if isinstance(value, float) and not target.modifiers:
        return _same_bits(float(held), value) or (value == 0 and held == 0)
    wanted = Decimal(repr(value) if isinstance(value, float) else _plain(value))
    if target.scale_rounds and target.modifiers:
        scale = target.modifiers[1] if len(target.modifiers) > 1 else 0
        with localcontext() as context:
            context.prec = _DIGITS
            wanted = wanted.quantize(Decimal(1).scaleb(-scale), rounding=ROUND_HALF_UP)
    return wanted == held


def _text(value: Value, shown: str, target: TargetType, _: str) -> bool:
    if isinstance(value, str):
        # Its cast to text leaves the blanks out that fill a char(n).
        return (value.rstrip(" ") if target.base in ("character", "bpchar") else value) == shown
    if isinstance(value, float):
        return _same_bits(float(shown), value) and re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?", shown) is not None
    return isinstance(value, int) and str(value) == shown


def _bytea(value: Value, shown: str, *_: object) -> bool:
    return isinstance(value, bytes) and shown == "\\x" + value.hex()


def _boolean(value: Value, shown: str, *_: object) -> bool:
    told = value.lower() if isinstance(value, str) else value
    if told in (0, "f", "false"):
        return shown == "false"
    return told in (1, "t", "true") and shown == "true"


def _date(value: Value, shown: str, target: TargetType, _: str) -> bool:
    moment = _moment(value, target)
    at_midnight = moment.time() == time(0)
    return at_midnight and moment.date() == date.fromisoformat(shown)


def _timestamp(value: Value, shown: str, target: TargetType, _: str) -> bool:
    return _near(_moment(value, target), datetime.fromisoformat(shown), target)


def _timestamptz(value: Value, shown: str, target: TargetType, timezone: str) -> bool:
    moment = _moment(value, target)
    held = datetime.fromisoformat(shown)
    if moment.tzinfo is not None:
        return moment == held
    if target.origin not in ("", "iso"):
        return _near(moment.replace(tzinfo=UTC), held, target)
    # An hour that comes twice when summer ends may be either.
    local = moment.replace(tzinfo=ZoneInfo(timezone))
    return any(local.replace(fold=fold).astimezone(UTC) == held.astimezone(UTC) for fold in (0, 1))


def _near(one: datetime, other: datetime, target: TargetType) -> bool:
    """Equal; SQLite counts a Julian day in whole milliseconds, which a real number meets only nearly."""
    return abs(one - other) <= (_HALF_A_MILLISECOND if target.origin == "julian" else timedelta(0))


def _moment(value: Value, target: TargetType) -> datetime:
    """The moment that a source's value names; without a zone where the source writes none, numbers are UTC."""
    if target.origin in ("", "iso"):
        if not isinstance(value, str):
            raise TypeError(value)
        return datetime.fromisoformat(value)
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(_plain(value))
    if target.origin == "julian":
        found = _EPOCH + timedelta(days=float(number) - _JULIAN_EPOCH)
    else:
        found = _EPOCH + timedelta(microseconds=int(number * (1_000_000 // _UNITS[target.origin])))
    return found.replace(tzinfo=None)


def _time(value: Value, shown: str, *_: object) -> bool:
    return isinstance(value, str) and time.fromisoformat(value) == time.fromisoformat(shown)


def _json(value: Value, shown: str, *_: object) -> bool:
    return _same_json(_parsed(str(_plain(value))), _parsed(shown))


def _parsed(text: str) -> object:
    return json.loads(text, parse_int=Decimal, parse_float=Decimal)


def _same_json(one: object, other: object) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same_json(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same_json, one, other))
    # True is no 1 in JSON.
    return type(one) is type(other) and one == other


def _uuid(value: Value, shown: str, *_: object) -> bool:
    return isinstance(value, str) and UUID(value) == UUID(shown)


_RULES: dict[str, Callable[[Value, str, TargetType, str], bool]] = {
    "smallint": _integer,
    "integer": _integer,
    "bigint": _integer,
    "double precision": _double,
    "real": _single,
    "numeric": _numeric,
    "text": _text,
    "character varying": _text,
    "character": _text,
    "bpchar": _text,
    "citext": _text,
    "name": _text,
    "bytea": _bytea,
    "boolean": _boolean,
    "date": _date,
    "timestamp without time zone": _timestamp,
    "timestamp with time zone": _timestamptz,
    "time without time zone": _time,
    "json": _json,
    "jsonb": _json,
    "uuid": _uuid,
}
