"""Defaults: constants that fit the column's type, and the present moment in each of SQLite's spellings."""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from uuid import UUID

from sqlglot import exp

from syncd.plan.translate.comparison import is_moment
from syncd.plan.translate.terms import Kind, Untranslatable
from syncd.plan.translate.walking import parse, refused
from syncd.quoting import literal
from syncd.types import TargetType

_NOW = "CURRENT_TIMESTAMP AT TIME ZONE 'UTC'"
_EPOCH = "floor(extract(epoch FROM CURRENT_TIMESTAMP))"
_MOMENT, _DAY, _CLOCK, _SECONDS = "%Y-%m-%d %H:%M:%S", "%Y-%m-%d", "%H:%M:%S", "%s"
_FIELDS = {"Y": "YYYY", "m": "MM", "d": "DD", "H": "HH24", "M": "MI", "S": "SS", "f": "SS.MS", "j": "DDD"}
_RANGES = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
_LARGEST_DOUBLE = Decimal("1.7976931348623157e308")


def default(sql: str, type_: TargetType) -> str | None:
    """The PostgreSQL expression for a column's default; None where it is NULL.

    Raises Untranslatable where it does not fit the type or is no constant and not the present moment.
    """
    node = parse(sql)
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Null):
        return None
    if type_.origin:
        raise Untranslatable(f"a default beside moments that are read from {type_.origin}")
    written = _form_of_now(node)
    found = _now(written, type_) if written else _constant(_value(node), type_)
    if found is None:
        raise Untranslatable(
            f"it does not fit {type_.name}" if written is None else f"the present moment as {type_.name}"
        )
    return found


def _value(node: exp.Expr) -> str | bytes:
    """The text or bytes of a constant; a number as SQLite would write it."""
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal) and not node.this.is_string:
        return f"-{_value(node.this)!s}"
    if isinstance(node, exp.Literal):
        return node.name if node.is_string or node.name.isdigit() else repr(float(node.name))
    if isinstance(node, exp.Boolean):
        return "1" if node.this else "0"
    if isinstance(node, exp.HexString):
        return bytes.fromhex(node.name)
    if isinstance(node, exp.Column) and not node.table:
        # A bare or double-quoted word: https://sqlite.org/lang_createtable.html#the_default_clause
        return node.name
    raise refused(node)


def _constant(value: str | bytes, type_: TargetType) -> str | None:
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'" if type_.base == "bytea" else None
    fitting = _FITTING.get(type_.base)
    return fitting(value, type_) if fitting else None


def _integer(value: str, type_: TargetType) -> str | None:
    found = _decimal(value)
    most = _RANGES[type_.base]
    return str(int(found)) if found is not None and found == int(found) and -most <= found < most else None


def _numeric(value: str, type_: TargetType) -> str | None:
    found = _decimal(value)
    if found is None or not type_.modifiers:
        return None if found is None else f"{found:f}"
    precision, scale = type_.modifiers[0], (*type_.modifiers, 0)[1]
    fits = found == round(found, scale) and abs(found) < Decimal(10) ** (precision - scale)
    return f"{found:f}" if fits else None


def _double(value: str, _: TargetType) -> str | None:
    found = _decimal(value)
    return value if found is not None and abs(found) <= _LARGEST_DOUBLE else None


def _decimal(value: str) -> Decimal | None:
    """A plain number of no more digits than anybody writes."""
    plain = re.fullmatch(r"-?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,2})?", value)
    with suppress(InvalidOperation):
        return Decimal(value) if plain else None
    return None


def _boolean(value: str, _: TargetType) -> str | None:
    return {"0": "false", "1": "true", "f": "false", "t": "true", "false": "false", "true": "true"}.get(value.lower())


def _text(value: str, type_: TargetType) -> str | None:
    fits = not type_.modifiers or len(value) <= type_.modifiers[0]
    return literal(value) if fits and "\0" not in value else None


def _moment(kind: Kind) -> Callable[[str, TargetType], str | None]:
    return lambda value, _: literal(value) if is_moment(kind, value) else None


def _json(value: str, _: TargetType) -> str | None:
    with suppress(ValueError):
        json.loads(value, parse_constant=lambda _: json.loads(""))
        return literal(value) if "\\u" not in value else None
    return None


def _uuid(value: str, _: TargetType) -> str | None:
    with suppress(ValueError):
        return literal(value) if str(UUID(value)) == value.lower() else None
    return None


_FITTING: Mapping[str, Callable[[str, TargetType], str | None]] = {
    **dict.fromkeys(_RANGES, _integer),
    "numeric": _numeric,
    "double precision": _double,
    "boolean": _boolean,
    "text": _text,
    "character varying": _text,
    "citext": _text,
    "date": _moment(Kind.DATE),
    "timestamp without time zone": _moment(Kind.TIMESTAMP),
    "time without time zone": _moment(Kind.TIME),
    "jsonb": _json,
    "uuid": _uuid,
}


def _form_of_now(node: exp.Expr) -> str | None:
    """How SQLite writes the present moment where the expression asks for it, as a format of strftime()."""
    if isinstance(node, exp.Cast) and node.to.is_type("int", "bigint"):
        inner = node.this.this if isinstance(node.this, exp.Paren) else node.this
        return _SECONDS if _form_of_now(inner) == _SECONDS else None
    if isinstance(node, exp.CurrentTimestamp):
        return _MOMENT
    if isinstance(node, exp.CurrentDate):
        return _DAY
    if isinstance(node, exp.CurrentTime):
        return _CLOCK
    if isinstance(node, exp.TimeToStr):
        return node.args["format"].name if _is_now([node.this.this]) and len(node.args) == 2 else None
    if isinstance(node, exp.Date):
        return _DAY if _is_now([node.this, *node.expressions]) and not node.args.get("zone") else None
    if isinstance(node, exp.Anonymous):
        form = {"datetime": _MOMENT, "time": _CLOCK, "unixepoch": _SECONDS}.get(node.name.lower())
        return form if not node.expressions or _is_now(node.expressions) else None
    return None


def _is_now(arguments: list[exp.Expr]) -> bool:
    return len(arguments) == 1 and isinstance(arguments[0], exp.Literal) and arguments[0].name.lower() == "now"


def _now(form: str, type_: TargetType) -> str | None:
    """The present moment, in UTC as SQLite tells it, for a type that can hold what SQLite would write."""
    if type_.base == "text":
        return f"({_EPOCH}::bigint::text)" if form == _SECONDS else _written(form)
    known = {
        ("timestamp without time zone", _MOMENT): f"({_NOW})",
        ("timestamp without time zone", _DAY): f"date_trunc('day', {_NOW})",
        ("timestamp with time zone", _MOMENT): "CURRENT_TIMESTAMP",
        ("date", _DAY): f"(({_NOW})::date)",
        ("time without time zone", _CLOCK): f"(({_NOW})::time)",
        ("bigint", _SECONDS): f"({_EPOCH}::bigint)",
        ("numeric", _SECONDS): f"({_EPOCH}::bigint)",
        ("double precision", _SECONDS): f"({_EPOCH}::bigint)",
    }
    return known.get((type_.base, form.replace("T", " ").removesuffix("Z").replace("%f", "%S")))


def _written(form: str) -> str | None:
    """The present moment as text; what stands between the fields is quoted, lest to_char() take it for a field."""
    pieces = re.findall(r"%(.)|([^%A-Za-z]+)|([A-Za-z]+)", form)
    if any(field and field not in _FIELDS for field, _, _ in pieces):
        return None
    pattern = "".join(_FIELDS[field] if field else mark or f'"{word}"' for field, mark, word in pieces)
    return None if '"' in form else f"to_char({_NOW}, {literal(pattern)})"
