"""Values of every storage class, and whether PostgreSQL holds one of them exactly. It shares no code with syncd.

`holds` judges PostgreSQL's output text against SQLite's value. It asks for the same number, the same moment, the same
text or the same bytes, whatever the spelling; an existing column's own scale may round.
"""

import json
import math
import re
import struct
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any, TypeAlias

Stored: TypeAlias = int | float | bytes | None
"""SQLite's value; text as its bytes."""

NUMBERS = (
    "0", "1", "-1", "2", "127", "32767", "32768", "-32769", "2147483648", "16777217", "20240101", "1704067200",
    "9007199254740991", "9007199254740992", "9007199254740993", "-9007199254740993", "1152921504606846976",
    "9223372036854775807", "-9223372036854775808", "9223372036854775806", "12345678901",
    "0.0", "-0.0", "1.0", "-1.0", "1.5", "-1.5", "0.1", "0.1 + 0.2", "1.005", "123.45", "123.456", "-123.45",
    "5465313337994.856", "-7553709.6258099", "-4997.3215016186",
    "99999999.99",
    "1e10", "1e15", "1e16", "1e17", "1e22", "1e23", "1e38", "1e300", "1e-5", "1e-7", "2.5e-8", "1e-300", "5e-324",
    "2.2250738585072014e-308", "1.7976931348623157e308", "9e999", "-9e999", "9007199254740993.0", "1e19", "-1e19",
    "9223372036854775808.0", "-9223372036854775808.0", "0.30000000000000004", "100000000000000.03", "16777217.0",
    "3.4028235e38", "1e39", "2460310.5", "12345678.901234567", "90071992547409.922", "1.23456789012345e-10",
)  # fmt: skip
TEXTS = (
    "", " ", "0", "1", "-1", "5", "007", "-007", "+5", "+007", "1_000", "0x1F", "0b1", "0o7", " 5", "5 ", "5\n",
    "1.0", "1.5", "1.10",
    "-0", "-0.0", ".5", "5.", "1e5", "1E5", "1e-5", "1e400", "1e-400", "1e-320", "1.234567e-320", "12345678901234567",
    "9007199254740993", "0.1234567890123456", "0.12345678901234567", "123456789012345678901234567890.12345",
    "123.456", "--5", "-", "e", ".", "1e", "1.2.3",
    "NaN", "nan", "Infinity", "-Infinity", "inf", "+inf", "NULL", "null", "'NULL'", "\\N", "\\.", "a\n\\.\nb",
    "\\.\n",
    "t", "f", "T", "true", "TRUE", "tRuE", "false", "y", "ye", "yes", "no", "on", "off", "of", "tr",
    "0000-00-00", "0000-01-01", "2024-01-01", "2024-02-29", "2023-02-29", "2024-02-30", "2024-13-01", "9999-12-31",
    "2024-1-1", "20240101", "01/02/2024", "10000-01-01", "2024-01-01 BC", "-2024-01-01", "2024-001", "2024-01-01 ",
    "2024-01-01 00:00:00", "2024-01-01T00:00", "2024-01-01 00:00:00.000", "2024-01-01 23:59", "2024-01-01 23:59:59",
    "2024-01-01T23:59:59", "2024-01-01t23:59:59", "2024-01-01 24:00:00", "2024-01-01 23:59:60",
    "2024-01-01 23:60:00", "2024-01-01 25:00:00",
    "2024-01-01 23:59:59.", "2024-01-01 23:59:59.1", "2024-01-01 23:59:59.12",
    "2024-01-01 23:59:59.000", "2024-01-01 23:59:59.123",
    "2024-01-01 23:59:59.1234", "2024-01-01 23:59:59.12345", "2024-01-01T23:59:59.123456",
    "2024-01-01 23:59:59.1234567", "2024-01-01 23:59:59.12345678", "2024-01-01 23:59:59.123456789",
    "2024-01-01 23:59:59.5x", "2024-01-01 23:59:59 PM", "2024-01-01 11:59 PM", "2024-01-01 23",
    "2024-01-01 23:59:59Z", "2024-01-01T23:59:59z", "2024-01-01 23:59:59+09", "2024-01-01 23:59:59+09:00",
    "2024-01-01T23:59:59.123456+05:30", "2024-01-01T23:59:59.1234567Z", "2024-01-01 23:59:59-0300",
    "2024-01-01 23:59:59+19:00", "2024-01-01 23:59:59+15:59", "2024-01-01 23:59-03:00", "2024-01-01+09:00",
    "2024-01-01Z", "2024-01-01 23:59:59 UTC",
    "2024-01-01 23:59:59 +09:00", "2024-01-01-03", "2024-01-01 23:59-03", "2024-02-30 12:00:00",
    "now", "today", "epoch", "infinity", "allballs", "May 5 99", "J2451187", "Jan 1 2024",
    "23:59", "23:59:59", "23:59:59.123456", "23:59:59.1234567", "24:00:00", "24:00", "23:59:60", "04:05 PM",
    "23:59:59.000", "23:59:59.50",
    "040506", "12:00+09", "1:00",
    "abc", "abcd", "ab ", "ab   ", "a  ", " ab", "abcde", "abcdef", "ab\t", "éèà", "éèàü", "日本語", "한글", "😀",
    "e\u0301",
    "it's", "''", "'", '"', "a,b", ",", "a\nb", "a\r\nb", "\r", "\n", "a\tb", "\ufeffabc", "\ufeff", "\x01\x7f",
    "\u2028", "%s", "{}", "$1",
    "{}", "[]", '{"a": 1}', '{"b":1,"a":[1,2.50,1e400,"\\u00e9"]}', '{"a":1,"a":2}', '{"a":1,"\\u0061":2}',
    '{"a":{"a":1}}',
    '["a\\u0000b"]', '"\\ud800"', "{a:1}", "[1,]", '"x"', "tru", "[0.1, -0.0, 1.10]", '{"a":1} x', "'a'", "[NaN]",
    "[0x1F]", '[{"a":1},{"a":2}]',
    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
    "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
    "a0eebc999c0b4ef8bb6d6bb9bd380a11", "a0ee-bc99-9c0b-4ef8-bb6d6bb9bd380a11",
    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g", "{a0eebc999c0b4ef8-bb6d-6bb9bd380a11}",
    "\\x6162", "\\x", "\\141", "x" * 63, "x" * 64, "x" * 70000,
)  # fmt: skip
ODD = (
    "NULL", "x''", "x'00'", "x'616263'", "x'3132'", "x'31'", "x'74727565'", "x'323032342d30312d3031'", "x'ff00fe'",
    "x'5c78'",
    "CAST(x'610062' AS TEXT)", "CAST(x'00' AS TEXT)", "CAST(x'3100' AS TEXT)", "CAST(x'7400' AS TEXT)",
    "CAST(x'323032342d30312d303100' AS TEXT)",
    "CAST(x'323032342d30312d3031002030313a30303a3030' AS TEXT)", "CAST(x'7b7d00' AS TEXT)",
    "CAST(x'ff' AS TEXT)", "CAST(x'61e9' AS TEXT)", "CAST(x'c080' AS TEXT)", "CAST(x'eda080' AS TEXT)",
    "CAST(x'22ff22' AS TEXT)",
    "CAST(x'610a27ff2c2762' AS TEXT)", "x'a0eebc999c0b4ef8bb6d6bb9bd380a11'", "zeroblob(70000)",
)  # fmt: skip
ALL = (*NUMBERS, *("'" + text.replace("'", "''") + "'" for text in dict.fromkeys(TEXTS)), *ODD)
"""SQLite expressions."""

_DATE = r"(\d{4})-(\d\d)-(\d\d)"
_CLOCK = r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d+))?)?"
_MOMENT = re.compile(rf"{_DATE}(?:[ T]{_CLOCK})?", re.ASCII)
_ZONED = re.compile(r"(\d{4}-\d\d-\d\d(?:[ T][\d:.]+)?)(Z|z|[+-]\d\d(?::?\d\d)?)?", re.ASCII)
_NUMBER = re.compile(r"-?(0|[1-9]\d*)?(\.\d*)?([eE][+-]?\d+)?", re.ASCII)


def holds(type_name: str, stored: Stored, kind: str, shown: str | None, *, rounds: bool = True) -> bool:
    """Whether a column of that type whose value is `shown` as text holds the stored value of that kind (typeof).

    `rounds` says that the scale of a numeric column may round: that column was there before.
    """
    if stored is None or shown is None:
        return stored is None and shown is None
    base = re.sub(r"\(.*?\)", "", type_name)
    judge = _as_number if base == "numeric" and not rounds else _JUDGES.get(base, _as_text)
    with suppress(ValueError, InvalidOperation):
        return judge(stored, kind, shown, type_name)
    return False


def _text(stored: Stored) -> str:
    assert isinstance(stored, bytes)
    return stored.decode()


def _as_text(stored: Stored, kind: str, shown: str, _: str) -> bool:
    if kind == "text":
        return _text(stored) == shown
    if isinstance(stored, float):
        return math.isfinite(float(shown)) and float(shown).hex() == stored.hex()
    return kind == "integer" and shown == str(stored)


def _as_integer(stored: Stored, kind: str, shown: str, _: str) -> bool:
    if kind == "text":
        return _text(stored) == shown
    return kind != "blob" and int(shown) == stored


def _as_double(stored: Stored, kind: str, shown: str, _: str) -> bool:
    if kind == "text":
        return _plain_number(_text(stored)) in (Decimal(f"{float(shown):.15g}"), Decimal(shown))
    if isinstance(stored, float):
        return float(shown).hex() == stored.hex()
    return kind == "integer" and int(float(shown)) == stored


def _as_single(stored: Stored, kind: str, shown: str, _: str) -> bool:
    """A number that 24 bits are, or that is what PostgreSQL prints of them."""
    if kind == "integer":
        return int(float(shown)) == stored
    if kind == "text":
        value = float(_plain_number(_text(stored)))
    elif isinstance(stored, float):
        value = stored
    else:
        return False
    (held,) = struct.unpack("f", struct.pack("f", float(shown)))
    return value in (held, float(shown))


def _as_numeric(stored: Stored, kind: str, shown: str, type_name: str) -> bool:
    """A real is told by any decimal that reads back to it."""
    scale = re.search(r"\(\d+,(-?\d+)\)", type_name)
    with localcontext(prec=2000):
        if isinstance(stored, float):
            value = Decimal(stored)
            if not scale:
                return float(shown) == stored
        elif kind == "blob":
            return False
        else:
            value = _plain_number(_text(stored)) if kind == "text" else Decimal(str(stored))
        unit = Decimal(1).scaleb(-int(scale.group(1))) if scale else Decimal(0)
        return abs(Decimal(shown) - value) <= unit * Decimal("0.500001")


def _as_number(stored: Stored, kind: str, shown: str, _: str) -> bool:
    if isinstance(stored, float):
        return float(shown) == stored
    return kind != "blob" and Decimal(shown) == (
        _plain_number(_text(stored)) if kind == "text" else Decimal(str(stored))
    )


def _plain_number(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text) or not re.search(r"\d", text):
        raise ValueError(text)
    return Decimal(text)


def _as_boolean(stored: Stored, kind: str, shown: str, _: str) -> bool:
    wanted: dict[Any, bool] = {0: False, 1: True, b"t": True, b"f": False, b"true": True, b"false": False}
    value = stored.lower() if isinstance(stored, bytes) else stored
    return kind in ("integer", "text") and wanted.get(value) is (shown == "true")


def _moment(text: str) -> str:
    """A date and time as PostgreSQL writes it."""
    found = _MOMENT.fullmatch(text)
    if not found:
        raise ValueError(text)
    year, month, day, hour, minute, second, fraction = found.groups(default="")
    datetime(int(year), int(month), int(day))
    fraction = fraction.rstrip("0")
    clock = f"{hour or '00'}:{minute or '00'}:{second or '00'}"
    return f"{year}-{month}-{day} {clock}{'.' if fraction else ''}{fraction}"


def _as_timestamp(stored: Stored, kind: str, shown: str, _: str) -> bool:
    return kind == "text" and _moment(_text(stored)) == shown


def _as_timestamptz(stored: Stored, kind: str, shown: str, _: str) -> bool:
    if kind != "text":
        return False
    found = _ZONED.fullmatch(_text(stored))
    if not found:
        return False
    local, zone = found.groups()
    offset = (zone or "+00:00").replace("Z", "+00:00").replace("z", "+00:00")
    whole, _, fraction = _moment(local).partition(".")
    moment = datetime.fromisoformat(f"{whole}.{fraction.ljust(6, '0')}{offset}")
    return len(fraction) <= 6 and moment.astimezone(UTC) == datetime.fromisoformat(shown)


def _as_date(stored: Stored, kind: str, shown: str, _: str) -> bool:
    return kind == "text" and _moment(_text(stored)) == f"{shown} 00:00:00"


def _as_time(stored: Stored, kind: str, shown: str, _: str) -> bool:
    return kind == "text" and _moment(f"2024-01-01 {_text(stored)}") == f"2024-01-01 {shown}"


def _as_bytes(stored: Stored, kind: str, shown: str, _: str) -> bool:
    return kind == "blob" and bytes.fromhex(shown.removeprefix("\\x")) == stored


def _as_uuid(stored: Stored, kind: str, shown: str, _: str) -> bool:
    return kind == "text" and _text(stored).lower() == shown


def _as_json(stored: Stored, kind: str, shown: str, _: str) -> bool:
    if isinstance(stored, float):
        return float(shown) == stored
    return kind != "blob" and bool(_parsed(_text(stored) if kind == "text" else str(stored)) == _parsed(shown))


def _parsed(text: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a key comes twice")
        return dict(pairs)

    def refused(constant: str) -> Any:
        raise ValueError(constant)

    return json.loads(text, object_pairs_hook=unique, parse_float=Decimal, parse_int=Decimal, parse_constant=refused)


_JUDGES: dict[str, Callable[[Stored, str, str, str], bool]] = {
    "smallint": _as_integer,
    "integer": _as_integer,
    "bigint": _as_integer,
    "real": _as_single,
    "double precision": _as_double,
    "numeric": _as_numeric,
    "boolean": _as_boolean,
    "date": _as_date,
    "timestamp without time zone": _as_timestamp,
    "timestamp with time zone": _as_timestamptz,
    "time without time zone": _as_time,
    "bytea": _as_bytes,
    "uuid": _as_uuid,
    "jsonb": _as_json,
}
