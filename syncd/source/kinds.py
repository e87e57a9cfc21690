"""Of which kind a value is: an SQLite expression that tells every kind from every other."""

from typing import Any

import apsw

from syncd.model import Affinity
from syncd.plan.typing import ValueKind as Kind
from syncd.types import TargetType, rendering

_IS_TEXT = "syncd_is_text"
_ENCODINGS = {"UTF-8": "utf-8", "UTF-16le": "utf-16-le", "UTF-16be": "utf-16-be"}

# From 1990-01-01 to the end of 2099. The ranges of the four units have no number in common.
_SECONDS = "631152000 AND 4102444799"
_MILLISECONDS = "631152000000 AND 4102444799999"
_MICROSECONDS = "631152000000000 AND 4102444799999999"
_DAYS = "2447892.5 AND 2488069.49999999"
_SMALL = "-2447892 AND 2447892"
_IS_WHOLE = "CAST({e} AS INTEGER)={e}"
_LARGEST_DOUBLE = "1.7976931348623157e308"
_LARGEST_EXACT = 2**53

_DATE = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
# PostgreSQL knows zones less than 16 hours away.
_FAR_ZONE = "???????????*[+-]1[6-9]"
_UUID = "-".join("[0-9a-fA-F]" * digits for digits in (8, 4, 4, 4, 12))
_BEGINS_JSON = '[[{" \t\r\n]*'
_BEGINS_FORM = '[-tTfF[{" \t\r\n]*'
_HIGH, _LOW = "\\u[dD][89abAB]", "\\u[dD][c-fC-F]"
# jsonb takes neither \u0000 nor half of a surrogate pair: one without a low half after it, or a high half before it.
_ODD_ESCAPES = (
    "*\\u0000*",
    *(f"*{_HIGH}??{rest}*" for rest in ("[^\\]", "\\[^u]", "\\u[^dD]", "\\u[dD][^c-fC-F]")),
    *(f"*{before}{_LOW}*" for before in ("[^89abAB]??", "[^dD]???", "[^u]????", "[^\\]?????")),
    f"??{_LOW}*",
)
# Nor a number outside of numeric's range; this asks for less.
_LARGE_EXPONENT = "*[0-9.][eE]*[0-9][0-9][0-9]*"
_LONGEST_DECIMAL = 1_000


def prepare(connection: apsw.Connection) -> None:
    """Give the connection what `kind_of` and `is_invalid` call beyond SQLite's own functions.

    SQLite has no function that tells valid text: its own decoder takes `e9 80` for U+0240. Python's decoder is asked
    about text that is not all printable ASCII, and about nothing else.
    """
    encoding = _ENCODINGS[str(connection.pragma("encoding"))]

    def is_text(*values: Any) -> bool:
        try:
            values[0].decode(encoding)
        except UnicodeDecodeError:
            return False
        return True

    connection.create_scalar_function(_IS_TEXT, is_text, 1, deterministic=True)


def kind_of(e: str, affinity: Affinity) -> str:
    """An SQLite expression for the ValueKind of `e`, as its number.

    Forms of text ask the guards of `syncd.types`, so that a form is what its type takes. What SQLite writes back
    unchanged is tried first; a CASE is jumped through, where OR and AND would be computed.
    """
    # A column of a number's affinity would turn the text that it is compared with into a number.
    text = e if affinity in ("TEXT", "BLOB") else f"+{e}"
    whens = [f"WHEN 'real' THEN {_real(e)}", f"WHEN 'integer' THEN {_integer(e)}", f"WHEN 'text' THEN {_text(text)}"]
    likely = reversed(whens) if affinity in ("TEXT", "BLOB") else whens
    return f"CASE typeof({e}) {' '.join(likely)} WHEN 'blob' THEN {Kind.BLOB:d} ELSE {Kind.NULL:d} END"


def _integer(e: str) -> str:
    return (
        f"CASE WHEN {e} BETWEEN {_SMALL} THEN iif({e} BETWEEN 0 AND 1,{Kind.BIT:d},{Kind.INTEGER:d}) "
        f"WHEN {e} BETWEEN {_SECONDS} THEN {Kind.SECONDS:d} "
        f"WHEN {e} BETWEEN {_DAYS} THEN {Kind.DAYS:d} "
        f"WHEN {e} BETWEEN {_MILLISECONDS} THEN {Kind.MILLISECONDS:d} "
        f"WHEN {e} BETWEEN {_MICROSECONDS} THEN {Kind.MICROSECONDS:d} "
        f"WHEN {e} NOT BETWEEN -{_LARGEST_EXACT} AND {_LARGEST_EXACT} THEN {Kind.WIDE:d} ELSE {Kind.INTEGER:d} END"
    )


def _real(e: str) -> str:
    return (
        f"CASE WHEN {e} BETWEEN {_SMALL} THEN iif({_IS_WHOLE.format(e=e)},{Kind.WHOLE:d},{Kind.FRACTION:d}) "
        f"WHEN {e} BETWEEN {_DAYS} THEN {Kind.JULIAN:d} "
        f"WHEN {e} BETWEEN {_SECONDS} THEN {Kind.REAL_SECONDS:d} "
        f"WHEN {e} BETWEEN {_MILLISECONDS} THEN {Kind.REAL_MILLISECONDS:d} "
        f"WHEN {_IS_WHOLE.format(e=e)} THEN {Kind.WHOLE:d} "
        f"WHEN {e} NOT BETWEEN -{_LARGEST_DOUBLE} AND {_LARGEST_DOUBLE} THEN {Kind.INFINITE:d} "
        f"ELSE {Kind.FRACTION:d} END"
    )


def _text(e: str) -> str:
    """What begins with a digit apart from what does not: neither pays for the forms of the other."""
    return f"CASE WHEN {e} GLOB '[0-9]*' THEN {_with_digit(e)} ELSE {_without_digit(e)} END"


def _with_digit(e: str) -> str:
    day = f"substr({e},1,10)"
    no_time = _misfit(e, "time without time zone")
    return (
        # Only a date of the calendar comes back from date() as it was; PostgreSQL has no year 0.
        f"CASE WHEN length({e})=10 AND date({e}) IS {e} AND {e}>='0001' THEN {Kind.DATE:d} "
        f"WHEN datetime({e}) IS {e} AND {e}>='0001' "
        f"THEN iif({e} GLOB '?????????? 00:00:00',{Kind.MIDNIGHT:d},{Kind.MOMENT:d}) {_unsound(e)} "
        f"WHEN {_is_decimal(e)} THEN {Kind.DECIMAL:d} "
        f"WHEN {e} GLOB '{_DATE}*' AND date({day}) IS {day} AND {e}>='0001' THEN {_moment(e)} "
        f"WHEN {e} GLOB '[0-9][0-9]:*' AND NOT {no_time} THEN {Kind.TIME:d} {_uuid(e)} ELSE {Kind.TEXT:d} END"
    )


def _without_digit(e: str) -> str:
    return (
        f"CASE WHEN octet_length({e})=0 THEN {Kind.EMPTY:d} {_unsound(e)} {_uuid(e)} "
        f"WHEN {e} NOT GLOB '{_BEGINS_FORM}' THEN {Kind.TEXT:d} "
        f"WHEN lower({e}) IN ('t','f','true','false') THEN {Kind.WORD:d} "
        f"WHEN {e} GLOB '{_BEGINS_JSON}' THEN {_json(e)} "
        f"WHEN {_is_decimal(e)} THEN {Kind.DECIMAL:d} ELSE {Kind.TEXT:d} END"
    )


def _unsound(e: str) -> str:
    return f"WHEN instr({e},char(0)) THEN {Kind.NUL:d} WHEN {is_invalid(e)} THEN {Kind.INVALID:d}"


def is_invalid(e: str) -> str:
    """An SQLite condition that is true for text whose bytes are none in the database's encoding; see `prepare`."""
    return f"({e} GLOB '*[^ -~]*' AND NOT {_IS_TEXT}(CAST({e} AS BLOB)))"


def _uuid(e: str) -> str:
    return f"WHEN length({e})=36 AND {e} GLOB '{_UUID}' THEN iif({e} GLOB '*[A-F]*',{Kind.UPPER_UUID:d},{Kind.UUID:d})"


def _is_decimal(e: str) -> str:
    return f"{e} NOT GLOB '*[^-.0-9]*' AND {e} GLOB '*[0-9]' AND length({e})<{_LONGEST_DECIMAL} AND json_valid({e})"


def _moment(e: str) -> str:
    return (
        f"CASE WHEN {e} GLOB '{_DATE}[ T]00:00:00' OR {e} GLOB '{_DATE}[ T]00:00' THEN {Kind.MIDNIGHT:d} "
        f"WHEN NOT {_misfit(e, 'timestamp without time zone')} "
        f"THEN iif({e} GLOB '*.*',{Kind.FINE_MOMENT:d},{Kind.MOMENT:d}) "
        f"WHEN {e} GLOB '{_FAR_ZONE}' OR {e} GLOB '{_FAR_ZONE}:[0-5][0-9]' THEN {Kind.TEXT:d} "
        f"WHEN NOT {_misfit(e, 'timestamp with time zone')} THEN {Kind.ZONED_MOMENT:d} ELSE {Kind.TEXT:d} END"
    )


def _json(e: str) -> str:
    odd = " OR ".join(f"{e} GLOB '{pattern}'" for pattern in _ODD_ESCAPES)
    return (
        f"CASE WHEN NOT json_valid({e}) OR {e} GLOB '{_LARGE_EXPONENT}' THEN {Kind.TEXT:d} "
        f"WHEN instr({e},'\\u') AND ({odd}) THEN {Kind.TEXT:d} "
        f"WHEN {_misfit(e, 'jsonb')} THEN {Kind.TEXT:d} "
        f"WHEN json_type({e}) IN ('object','array') THEN {Kind.JSON:d} ELSE {Kind.JSON_STRING:d} END"
    )


def _misfit(e: str, type_name: str) -> str:
    return f"({rendering(e, 'TEXT', TargetType(type_name)).careful_suspect})"
