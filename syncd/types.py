"""Types: which PostgreSQL type a declared type becomes, and how SQLite renders a value for it.

SQLite writes the CSV field itself (`field`); `suspect` is an SQLite condition that is true for every value which the
shortcut or PostgreSQL's lenient input would change. A batch without a suspect is exact. In the careful path
`careful_field` and `careful_suspect` decide row by row; what is suspect there is rejected.
"""

import re
from dataclasses import dataclass

from syncd.model import Affinity

LARGEST_DOUBLE = "1.7976931348623157e308"
EXACT_DOUBLE = 2**53
_SCALE_BY_DIVISION = 9

_DATE = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
_MINUTE = "[0-2][0-9]:[0-5][0-9]"
_SECOND = _MINUTE + ":[0-5][0-9]"


@dataclass(frozen=True)
class TargetType:
    """A PostgreSQL type: `name` as `format_type` writes it, e.g. `numeric(10,2)`.

    `scale_rounds` is true for a column that was there before syncd: its own scale rounds, by the one exception of the
    rule "exact or rejected".
    """

    name: str
    scale_rounds: bool = False

    @property
    def base(self) -> str:
        return re.sub(r"\(.*?\)", "", self.name).strip().lower()

    @property
    def modifiers(self) -> tuple[int, ...]:
        found = re.search(r"\(([\d,\s-]+)\)", self.name)
        return tuple(int(part) for part in found.group(1).split(",")) if found else ()


@dataclass(frozen=True)
class Rendering:
    """How one SQLite expression is rendered for one type; all members are SQLite expressions.

    `may_hold_text` asks for the check for an embedded NUL, at which `quote()` and GLOB stop reading.
    """

    field: str
    suspect: str
    careful_field: str
    careful_suspect: str
    may_hold_text: bool


def created_type(declared: str) -> str:
    """The PostgreSQL type for a column that syncd creates, from its declared type in SQLite."""
    words = declared.upper().strip()
    arguments = re.search(r"\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)", words)
    for pattern, name in _DECLARED:
        if re.search(pattern, words):
            return _numeric(arguments) if name == "numeric" else name
    return "text"


_DECLARED = (
    (r"BOOL", "boolean"),
    (r"TIMESTAMPTZ|WITH TIME ?ZONE", "timestamp with time zone"),
    (r"DATETIME|TIMESTAMP", "timestamp without time zone"),
    (r"\bDATE\b", "date"),
    (r"\bTIME\b", "time without time zone"),
    (r"JSON", "jsonb"),
    (r"UUID|GUID", "uuid"),
    (r"INT", "bigint"),
    (r"CHAR|CLOB|TEXT|STRING", "text"),
    (r"BLOB|BINARY|BYTEA|IMAGE", "bytea"),
    (r"REAL|FLOA|DOUB", "double precision"),
    (r"NUMERIC|DECIMAL|\bDEC\b|NUMBER|MONEY", "numeric"),
)


def _numeric(arguments: re.Match[str] | None) -> str:
    if not arguments:
        return "numeric"
    precision, scale = int(arguments.group(1)), int(arguments.group(2) or 0)
    return f"numeric({precision},{scale})" if 0 < precision <= 1000 and scale <= precision else "numeric"


def rendering(expression: str, affinity: Affinity, target: TargetType) -> Rendering:
    """How `expression` is rendered for a target type; an unknown type gets its text and PostgreSQL's own judgement."""
    return _RENDERERS.get(target.base, _other)(expression, affinity, target)


def _quoted(expression: str, suspect: str, *, may_hold_text: bool = False) -> Rendering:
    field = f"quote({expression})"
    return Rendering(field, suspect, field, suspect, may_hold_text)


def _plain(expression: str) -> str:
    """The field of a value that holds no quote, comma or line end unless it is suspect: a third of the bytes' cost."""
    return f"ifnull({expression},'NULL')"


def _other(e: str, affinity: Affinity, _: TargetType) -> Rendering:
    return _quoted(e, _blob_or_infinite(e, affinity), may_hold_text=True)


def _blob_or_infinite(e: str, affinity: Affinity) -> str:
    """Blobs sort after every text, so one comparison finds them; a column of TEXT affinity holds no number."""
    blob = f"{e}>=x''"
    return blob if affinity == "TEXT" else f"({blob} OR (typeof({e})='real' AND NOT {_finite(e)}))"


def _finite(e: str) -> str:
    return f"(+{e} BETWEEN -{LARGEST_DOUBLE} AND {LARGEST_DOUBLE})"


def _text(e: str, affinity: Affinity, target: TargetType) -> Rendering:
    suspect = _blob_or_infinite(e, affinity)
    if target.modifiers:
        suspect = f"({suspect} OR length({e})>{target.modifiers[0]})"
    if target.base in ("character", "bpchar"):
        suspect = f"({suspect} OR rtrim({e},' ')<>{e})"
    return _quoted(e, suspect, may_hold_text=True)


def _integer(e: str, affinity: Affinity, _: TargetType) -> Rendering:
    canonical = f"(typeof({e})='text' AND {e} IS CAST(CAST({e} AS INTEGER) AS TEXT))"
    exact = f"(typeof({e})<>'integer' AND {e} IS NOT NULL AND NOT {canonical})"
    if affinity != "INTEGER":
        return _quoted(e, exact)
    # Where no number is kept as text, comparing takes a third of the time of two calls of a function.
    return Rendering(_plain(e), f"CAST({e} AS INTEGER)<>{e}", f"quote({e})", exact, may_hold_text=False)


def _number(e: str, affinity: Affinity, further: str, text_further: str) -> tuple[str, bool]:
    """The condition for a value that is no finite plain number, and whether text can pass it."""
    number = f"({_finite(e)} IS 0{further})"
    if affinity not in ("TEXT", "BLOB"):
        return number, False
    text = f"({e}='' OR {e} GLOB '*[^0-9.eE+-]*' OR {e} GLOB '0[0-9]*' OR {e} GLOB '-0[0-9]*'{text_further})"
    return f"CASE typeof({e}) WHEN 'text' THEN {text} ELSE {number} END", True


def _double(e: str, affinity: Affinity, _: TargetType) -> Rendering:
    wide = "" if affinity == "REAL" else f" OR (typeof({e})='integer' AND abs({e}/2)>{EXACT_DOUBLE // 2})"
    suspect, text = _number(e, affinity, wide, f" OR length({e})>17")
    infinite = f"(typeof({e})='real' AND NOT {_finite(e)})"
    field = f"CASE WHEN {infinite} THEN iif({e}>0,'Infinity','-Infinity') ELSE quote({e}) END"
    return Rendering(f"quote({e})", suspect, field, f"({suspect} AND NOT {infinite})", text)


def _decimal(e: str, affinity: Affinity, target: TargetType) -> Rendering:
    if target.scale_rounds or not target.modifiers:
        suspect, text = _number(e, affinity, "", "")
        return _quoted(e, suspect, may_hold_text=text)
    scale = target.modifiers[1] if len(target.modifiers) > 1 else 0
    further = f" OR (typeof({e})='real' AND round({e},{scale})<>{e})"
    digits = f" OR (instr({e},'.') AND length({e})-instr({e},'.')>{scale}) OR {e} GLOB '*[eE]*'"
    exact, text = _number(e, affinity, further, digits)
    if text or scale > _SCALE_BY_DIVISION:
        return _quoted(e, exact, may_hold_text=text)
    return Rendering(f"quote({e})", _not_a_decimal(e, scale), f"quote({e})", exact, may_hold_text=False)


def _not_a_decimal(e: str, scale: int) -> str:
    """True for all but a number with at most `scale` decimals, and for some large ones; half the time of `round()`.

    An integer below 2**53 divided by a power of ten up to 10**22 is the double nearest to that decimal, which is what
    reading the decimal yields: https://www.exploringbinary.com/fast-path-decimal-to-floating-point-conversion/
    """
    power = f"1{'0' * scale}.0"
    return f"CAST({e}*{power}+0.5-({e}<0) AS INTEGER)/{power}<>{e}"


def _boolean(e: str, _: Affinity, __: TargetType) -> Rendering:
    words = f"(typeof({e})='text' AND lower({e}) IN ('t','f','true','false'))"
    return _quoted(e, f"(typeof({e}) IN ('real','blob') OR (+{e} NOT IN (0,1) AND NOT {words}))", may_hold_text=True)


def _date(e: str, _: Affinity, __: TargetType) -> Rendering:
    midnight = f"({e} GLOB '{_DATE}[ T]00:00:00' OR {e} GLOB '{_DATE}[ T]00:00')"
    suspect = f"({e} NOT GLOB '{_DATE}')"
    field = f"quote(iif({midnight},substr({e},1,10),{e}))"
    return Rendering(_plain(e), suspect, field, f"({suspect} AND NOT {midnight})", may_hold_text=True)


def _fraction(e: str, start: int) -> str:
    """True where from character `start` on there is nothing, or a point and one to six digits."""
    rest = f"substr({e},{start})"
    digits = f"{rest} GLOB '.[0-9]*' AND substr({rest},2) NOT GLOB '*[^0-9]*'"
    return f"(length({e})<{start} OR ({digits} AND length({e})<={start + 6}))"


def _moment_forms(e: str) -> str:
    """True for an ISO date with an optional time of day: hours up to 23, seconds up to 59, at most microseconds."""
    time_of_day = f"({e} GLOB '{_DATE}[ T]{_SECOND}*' AND {_fraction(e, 20)})"
    return f"(({time_of_day} OR {e} GLOB '{_DATE}[ T]{_MINUTE}') AND substr({e},12,2)<'24' OR {e} GLOB '{_DATE}')"


def _timestamp(e: str, _: Affinity, __: TargetType) -> Rendering:
    suspect = f"NOT ({_common_moment(e)} OR {_moment_forms(e)})"
    return Rendering(_plain(e), suspect, f"quote({e})", suspect, may_hold_text=True)


def _common_moment(e: str) -> str:
    """The form that most values have, tried first: `2024-01-01 23:59:59`, before 20 o'clock and after."""
    rest = ":[0-5][0-9]:[0-5][0-9]"
    return f"{e} GLOB '{_DATE} [01][0-9]{rest}' OR {e} GLOB '{_DATE} 2[0-3]{rest}'"


def _timestamptz(e: str, _: Affinity, __: TargetType) -> Rendering:
    offset = f"substr({e},-6) GLOB '[+-][0-1][0-9]:[0-5][0-9]'"
    hours = f"substr({e},-3) GLOB '[+-][0-1][0-9]' AND length({e})>16"
    local = (
        f"CASE WHEN substr({e},-1) IN ('Z','z') THEN substr({e},1,length({e})-1) "
        f"WHEN {offset} THEN substr({e},1,length({e})-6) WHEN {hours} THEN substr({e},1,length({e})-3) ELSE {e} END"
    )
    suspect = f"NOT ({_common_moment(e)} OR {_moment_forms(f'({local})')})"
    return Rendering(_plain(e), suspect, f"quote({e})", suspect, may_hold_text=True)


def _time(e: str, _: Affinity, __: TargetType) -> Rendering:
    good = f"(({e} GLOB '{_SECOND}*' AND {_fraction(e, 9)}) OR {e} GLOB '{_MINUTE}') AND substr({e},1,2)<'24'"
    return _quoted(e, f"(NOT ({good}))", may_hold_text=True)


def _bytes(e: str, _: Affinity, __: TargetType) -> Rendering:
    field = f"iif({e} IS NULL,'NULL','''\\x'||hex({e})||'''')"
    suspect = f"(typeof({e}) NOT IN ('blob','null'))"
    return Rendering(field, suspect, field, suspect, may_hold_text=False)


def _uuid(e: str, _: Affinity, __: TargetType) -> Rendering:
    return _quoted(e, f"(typeof({e}) NOT IN ('text','null') OR length({e})<>36)", may_hold_text=True)


_RENDERERS = {
    "text": _text,
    "character varying": _text,
    "character": _text,
    "bpchar": _text,
    "citext": _text,
    "smallint": _integer,
    "integer": _integer,
    "bigint": _integer,
    "double precision": _double,
    "real": _double,
    "numeric": _decimal,
    "boolean": _boolean,
    "date": _date,
    "timestamp without time zone": _timestamp,
    "timestamp with time zone": _timestamptz,
    "time without time zone": _time,
    "bytea": _bytes,
    "uuid": _uuid,
}
