"""How SQLite renders a value for a PostgreSQL type.

SQLite writes the CSV field itself (`field`); `suspect` is an SQLite condition that is true for every value which the
shortcut or PostgreSQL's lenient input would change. A batch without a suspect is exact. In the careful path
`careful_field` and `careful_suspect` decide row by row; what is suspect there is rejected.
"""

from collections.abc import Callable
from dataclasses import replace

from syncd.model import Affinity
from syncd.types.lenient import changed
from syncd.types.moments import from_number
from syncd.types.names import ISO_DATE, Rendering, TargetType

LARGEST_DOUBLE = "1.7976931348623157e308"
_SCALE_BY_DIVISION = 9
_DIGITS_OF_ANY_DOUBLE = 15

_KEPT = ("text", "citext", "json", "jsonb", "bytea", "name", '"char"')
"""Types of which PostgreSQL keeps an element as it is, or which a list of parts cannot be taken apart into."""

_MINUTE = "[0-2][0-9]:[0-5][0-9]"
_SECOND = _MINUTE + ":[0-5][0-9]"


def rendering(expression: str, affinity: Affinity, target: TargetType) -> Rendering:
    """How `expression` is rendered for a target type; an unknown type gets its text and PostgreSQL's own judgement."""
    if target.origin not in ("", "iso"):
        return from_number(expression, target)
    return _RENDERERS.get(target.base, _other)(expression, affinity, target)


def is_left_to_postgresql(target: TargetType) -> bool:
    """Whether PostgreSQL alone can tell which texts are values of the type."""
    return target.origin in ("", "iso") and target.base not in _RENDERERS


def _quoted(expression: str, suspect: str, *, may_hold_text: bool = False) -> Rendering:
    field = f"quote({expression})"
    return Rendering(field, suspect, field, suspect, may_hold_text)


def _plain(expression: str) -> str:
    """The field of a value that holds no quote, comma or line end unless it is suspect: a third of the bytes' cost."""
    return f"ifnull({expression},'NULL')"


def _other(e: str, affinity: Affinity, target: TargetType) -> Rendering:
    suspect = _blob_or_infinite(e, affinity)
    if condition := changed(e, target, _suspect_part):
        suspect = f"({suspect} OR {condition})"
    return _as_text(e, affinity, suspect)


def _suspect_part(e: str, target: TargetType) -> str:
    """Of a part of a value: what `careful_suspect` is for a whole one; empty where PostgreSQL changes none."""
    if target.base in _KEPT or (is_left_to_postgresql(target) and not changed(e, target, _suspect_part)):
        return ""
    return rendering(e, "TEXT", target).careful_suspect


def _as_text(e: str, affinity: Affinity, suspect: str) -> Rendering:
    """A field that is the value's text; `quote()` loses the sign of a negative zero."""
    if affinity == "TEXT":
        return replace(_quoted(e, suspect, may_hold_text=True), text=e)
    if affinity != "BLOB":
        return _quoted(e, suspect, may_hold_text=True)
    zero = _negative_zero(e)
    return Rendering(
        f"quote({e})", f"({suspect} OR {zero})", f"iif({zero},'-0.0',quote({e}))", suspect, may_hold_text=True
    )


def _negative_zero(e: str) -> str:
    """True for -0.0, which only columns without a declared type hold: others store it as 0.0 or 0."""
    return f"CASE WHEN {e}=0 AND typeof({e})='real' THEN atan2({e},-1)<0 ELSE 0 END"


def _is_text_or_blob(e: str) -> str:
    """By storage class alone: without the plus SQLite compares text that looks like a number as that number."""
    return f"+{e}>=''"


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
        suspect = f"({suspect} OR rtrim({e},' ')<>{e} COLLATE BINARY)"
    return _as_text(e, affinity, suspect)


def _short_name(e: str, affinity: Affinity, target: TargetType) -> Rendering:
    """PostgreSQL cuts what is too long for these types of its own catalogue."""
    most = 63 if target.base == "name" else 1
    return _as_text(e, affinity, f"({_blob_or_infinite(e, affinity)} OR length(CAST({e} AS BLOB))>{most})")


def _json(e: str, affinity: Affinity, _: TargetType) -> Rendering:
    """jsonb keeps the last of two members with one key, so an object may not have them."""
    # A subquery names the value, as a column may be called like one of json_tree's.
    tree = f"(SELECT {e} AS syncd_json), json_tree(syncd_json) AS node"
    twice = f"SELECT 1 FROM {tree} WHERE typeof(node.key)='text' GROUP BY node.parent, node.key HAVING count(*)>1"
    doubled = f"CASE WHEN {e} GLOB '*:*:*' THEN iif(json_valid({e}),EXISTS ({twice}),1) ELSE 0 END"
    return _as_text(e, affinity, f"({_blob_or_infinite(e, affinity)} OR {doubled})")


def _integer(e: str, affinity: Affinity, _: TargetType) -> Rendering:
    whole = f"CAST({e} AS INTEGER)"
    if affinity in ("INTEGER", "REAL"):
        # Where no number is kept as text, comparing takes a third of the time of two calls of a function.
        suspect = f"({whole}<>{e} OR {_is_text_or_blob(e)})"
        careful = f"({suspect} AND NOT {_canonical_integer(e)})"
        return Rendering(
            _plain(whole), suspect, f"quote(iif(typeof({e})='text',{e},{whole}))", careful, may_hold_text=False
        )
    suspect = (
        f"CASE typeof({e}) WHEN 'integer' THEN 0 WHEN 'null' THEN 0 WHEN 'real' THEN {whole}<>{e} "
        f"ELSE NOT {_canonical_integer(e)} END"
    )
    return _quoted(f"iif(typeof({e})='real',{whole},{e})", suspect)


def _unsigned(e: str, affinity: Affinity, target: TargetType) -> Rendering:
    """PostgreSQL takes -1 for the largest of these numbers."""
    how = _integer(e, affinity, target)
    beyond = f"CAST({e} AS INTEGER) NOT BETWEEN 0 AND {2**32 - 1}"
    return replace(how, suspect=f"({how.suspect} OR {beyond})", careful_suspect=f"({how.careful_suspect} OR {beyond})")


def _canonical_integer(e: str) -> str:
    """True for text that is an integer as SQLite would write it."""
    return f"(typeof({e})='text' AND CAST(CAST({e} AS INTEGER) AS TEXT)=+{e} COLLATE BINARY)"


def _number(e: str, affinity: Affinity, further: str, text_further: str) -> tuple[str, bool]:
    """The condition for a value that is no finite plain number, and whether text can pass it."""
    number = f"({_finite(e)} IS 0{further})"
    if affinity not in ("TEXT", "BLOB"):
        return number, False
    odd = (f"{e} GLOB '{pattern}'" for pattern in ("*[^0-9.eE+-]*", "+*", "0[0-9]*", "-0[0-9]*"))
    text = f"({e}='' OR {' OR '.join(odd)}{text_further})"
    return f"CASE typeof({e}) WHEN 'text' THEN {text} ELSE {number} END", True


def _double(e: str, affinity: Affinity, _: TargetType) -> Rendering:
    return _floating(e, affinity, integers=2**53, digits=15)


def _single(e: str, affinity: Affinity, _: TargetType) -> Rendering:
    return _floating(e, affinity, integers=2**24, digits=6, is_odd=_no_single)


def _no_single(e: str) -> str:
    """True for a double that no float of 24 bits is, nor is printed as: in the fewest digits that read back to it.

    Below the smallest normal float there are fewer bits; above the largest PostgreSQL refuses it.
    """
    near = _nearest_single(e)
    decimals = {digits: f"CAST(format('%.{digits}g',{near}) AS REAL)" for digits in (6, 7, 8, 9)}
    tries = " ".join(f"WHEN {_nearest_single(d)}={near} THEN {d}" for d in decimals.values())
    small = f"({e}<>0 AND {e} BETWEEN -1.1754943e-38 AND 1.1754943e-38)"
    return f"(({near}<>{e} AND {decimals[6]}<>{e} AND CASE {tries} END IS NOT {e}) OR {small})"


def _nearest_single(e: str) -> str:
    """Rounds a double to the upper 24 of its 53 bits: https://doi.org/10.1007/BF01397083 (Dekker 1971, 5.6)."""
    scaled = f"{e}*{2.0**29 + 1}"
    return f"({scaled}-({scaled}-{e}))"


def _floating(
    e: str, affinity: Affinity, *, integers: int, digits: int, is_odd: Callable[[str], str] = lambda _: "0"
) -> Rendering:
    """Exact are integers up to `integers` and text of up to `digits` digits, for any sign, point and small exponent.

    Longer text is, where it is how the double that it means is written. `is_odd` finds doubles that do not fit.
    """
    wide = "" if affinity == "REAL" else f" OR (typeof({e})='integer' AND {e} NOT BETWEEN -{integers} AND {integers})"
    number = f"CAST({e} AS REAL)"
    shortest = f"{e}={_shortest(number)} AND NOT {is_odd(number)}"
    long = f" OR (length({e})>{digits} AND NOT ({shortest})) OR {e} GLOB '*[eE]*[0-9][0-9][0-9]*'"
    odd = is_odd(e)
    suspect, text = _number(e, affinity, wide if odd == "0" else f"{wide} OR (typeof({e})='real' AND {odd})", long)
    infinite = f"(typeof({e})='real' AND NOT {_finite(e)})"
    zero = _negative_zero(e) if affinity == "BLOB" else "0"
    field = f"CASE WHEN {infinite} THEN iif({e}>0,'Infinity','-Infinity') WHEN {zero} THEN '-0.0' ELSE quote({e}) END"
    any_zero = f"({suspect} OR {zero})" if affinity == "BLOB" else suspect
    fast = f"quote({e})" if text else _plain(e)
    return Rendering(fast, any_zero, field, f"({suspect} AND NOT {infinite})", text)


def _decimal(e: str, affinity: Affinity, target: TargetType) -> Rendering:
    if target.scale_rounds or not target.modifiers:
        suspect, text = _number(e, affinity, "", "")
        field = _shortest(e)
        return Rendering(field, suspect, field, suspect, text)
    precision, scale = (*target.modifiers, 0)[:2]
    field = _shortest(e)
    further = f" OR (typeof({e})='real' AND (round({e},{scale})<>{e} OR {_is_finer(field, scale)}))"
    digits = f" OR (instr({e},'.') AND length({e})-instr({e},'.')>{scale}) OR {e} GLOB '*[eE]*'"
    exact, text = _number(e, affinity, further, digits)
    if text or scale > _SCALE_BY_DIVISION:
        return Rendering(field, exact, field, exact, text)
    suspect = f"({_not_a_decimal(e, scale, precision)} OR {_is_text_or_blob(e)})"
    return Rendering(_plain(e), suspect, field, exact, may_hold_text=False)


def _money(e: str, affinity: Affinity, _: TargetType) -> Rendering:
    """Plain numbers alone: signs and separators mean what the server's locale says, and what is finer is rounded."""
    return _decimal(e, affinity, TargetType("numeric(19,2)"))


def _shortest(e: str) -> str:
    """The decimal as a person wrote it: `quote()` gives 17 digits, 150832691705.88001 for 150832691705.88."""
    tries = " ".join(
        f"WHEN CAST(format('%!.{digits}g',{e}) AS REAL)={e} THEN format('%!.{digits}g',{e})" for digits in (15, 16)
    )
    return f"CASE WHEN typeof({e})<>'real' THEN quote({e}) {tries} ELSE quote({e}) END"


def _is_finer(written: str, scale: int) -> str:
    """True for the text of a number with more decimals than that, which PostgreSQL would round."""
    return (
        f"({written} NOT GLOB '*e*' AND instr({written},'.')"
        f" AND length(rtrim({written},'0'))-instr({written},'.')>{scale})"
    )


def _not_a_decimal(e: str, scale: int, precision: int) -> str:
    """True for all but a number with at most `scale` decimals, and for some large ones; a third of `round()`'s time.

    An integer below 2**53 divided by a power of ten up to 10**22 is the double nearest to that decimal, which is what
    reading the decimal yields: https://www.exploringbinary.com/fast-path-decimal-to-floating-point-conversion/
    Where a double is 2**52 or more it holds no fraction: adding that much rounds, for either sign.

    From 2**50 units of the last decimal on, the 17 digits that SQLite writes are not sure to be rounded back to it:
    5465313337994.856 is written as 5465313337994.8565. Of up to 15 digits PostgreSQL lets none become so large.
    """
    power, rounding = f"1{'0' * scale}.0", 3 * 2**51
    decimal = f"(CAST({e}*{power}+{rounding}.0 AS INTEGER)-{rounding})/{power}<>{e}"
    if precision <= _DIGITS_OF_ANY_DOUBLE:
        return decimal
    largest = f"{2**50}.0/{power}"
    return f"({decimal} OR {e} NOT BETWEEN -{largest} AND {largest})"


def _boolean(e: str, _: Affinity, __: TargetType) -> Rendering:
    words = f"(typeof({e})='text' AND lower({e}) IN ('t','f','true','false'))"
    return _quoted(e, f"(typeof({e}) IN ('real','blob') OR (+{e} NOT IN (0,1) AND NOT {words}))", may_hold_text=True)


def _date(e: str, _: Affinity, __: TargetType) -> Rendering:
    midnight = f"({e} GLOB '{ISO_DATE}[ T]00:00:00' OR {e} GLOB '{ISO_DATE}[ T]00:00')"
    suspect = f"({e} NOT GLOB '{ISO_DATE}' OR {e}>=x'')"
    field = f"quote(iif({midnight},substr({e},1,10),{e}))"
    return Rendering(_plain(e), suspect, field, f"({suspect} AND NOT {midnight})", may_hold_text=True)


def _fraction(e: str, start: int, target: TargetType) -> str:
    """True where from character `start` on there is nothing, or a point and up to six digits, as many as the type has.

    Zeros may follow these.
    """
    rest = f"substr({e},{start})"
    digits = f"{rest} GLOB '.[0-9]*' AND substr({rest},2) NOT GLOB '*[^0-9]*'"
    beyond = f" AND rtrim(substr({e},{start + 1 + target.modifiers[0]}),'0')=''" if target.modifiers else ""
    return f"(length({e})<{start} OR ({digits} AND length({e})<={start + 6}{beyond}))"


def _moment_forms(e: str, target: TargetType) -> str:
    """True for an ISO date with an optional time of day: hours up to 23, seconds up to 59, at most microseconds."""
    time_of_day = f"({e} GLOB '{ISO_DATE}[ T]{_SECOND}*' AND {_fraction(e, 20, target)})"
    return f"(({time_of_day} OR {e} GLOB '{ISO_DATE}[ T]{_MINUTE}') AND substr({e},12,2)<'24' OR {e} GLOB '{ISO_DATE}')"


def _timestamp(e: str, _: Affinity, target: TargetType) -> Rendering:
    return _moment(e, _moment_forms(e, target))


def _timestamptz(e: str, _: Affinity, target: TargetType) -> Rendering:
    return _moment(e, _moment_forms(f"({_local(e, hours_from=17)})", target))


def _local(e: str, *, hours_from: int) -> str:
    """The text without its time zone; one of hours alone is looked for in texts of so many characters."""
    offset = f"(substr({e},-6) GLOB '[+-]0[0-9]:[0-5][0-9]' OR substr({e},-6) GLOB '[+-]1[0-5]:[0-5][0-9]')"
    hours = f"(substr({e},-3) GLOB '[+-]0[0-9]' OR substr({e},-3) GLOB '[+-]1[0-5]') AND length({e})>={hours_from}"
    return (
        f"CASE WHEN substr({e},-1) IN ('Z','z') THEN substr({e},1,length({e})-1) "
        f"WHEN {offset} THEN substr({e},1,length({e})-6) WHEN {hours} THEN substr({e},1,length({e})-3) ELSE {e} END"
    )


def _moment(e: str, good: str) -> Rendering:
    """What SQLite writes back unchanged is tried first: `2024-01-01 23:59:59`, in half the time of GLOB."""
    common = f"(datetime({e}) IS {e} AND {e}>='0')"
    careful = f"({e}>=x'' OR NOT ({common} OR {good}))"
    suspect = f"NOT ({common} OR ({good} AND NOT instr({e},char(0)) AND {e}<x''))"
    return Rendering(_plain(e), suspect, f"quote({e})", careful, may_hold_text=True, sees_nul=True)


def _time(e: str, _: Affinity, target: TargetType) -> Rendering:
    return _quoted(e, f"({e}>=x'' OR NOT ({_time_forms(e, target)}))", may_hold_text=True)


def _time_forms(e: str, target: TargetType) -> str:
    seconds = f"({e} GLOB '{_SECOND}*' AND {_fraction(e, 9, target)})"
    return f"({seconds} OR {e} GLOB '{_MINUTE}') AND substr({e},1,2)<'24'"


def _timetz(e: str, _: Affinity, target: TargetType) -> Rendering:
    """Without an offset it would get the one that the session's time zone has on the day of the load."""
    local = f"({_local(e, hours_from=8)})"
    good = f"{_time_forms(local, target)} AND {local}<>{e}"
    return _quoted(e, f"({e}>=x'' OR NOT ({good}))", may_hold_text=True)


def _bytes(e: str, _: Affinity, __: TargetType) -> Rendering:
    field = f"iif({e} IS NULL,'NULL','''\\x'||hex({e})||'''')"
    suspect = f"(typeof({e}) NOT IN ('blob','null'))"
    return Rendering(field, suspect, field, suspect, may_hold_text=False)


def _uuid(e: str, _: Affinity, __: TargetType) -> Rendering:
    form = "-".join("[0-9a-fA-F]" * digits for digits in (8, 4, 4, 4, 12))
    return _quoted(e, f"({e}>=x'' OR {e} NOT GLOB '{form}')", may_hold_text=True)


_RENDERERS = {
    "text": _text,
    "character varying": _text,
    "character": _text,
    "bpchar": _text,
    "citext": _text,
    "name": _short_name,
    '"char"': _short_name,
    "jsonb": _json,
    "smallint": _integer,
    "integer": _integer,
    "bigint": _integer,
    "oid": _unsigned,
    "xid": _unsigned,
    "cid": _unsigned,
    "money": _money,
    "double precision": _double,
    "real": _single,
    "numeric": _decimal,
    "boolean": _boolean,
    "date": _date,
    "timestamp without time zone": _timestamp,
    "timestamp with time zone": _timestamptz,
    "time without time zone": _time,
    "time with time zone": _timetz,
    "bytea": _bytes,
    "uuid": _uuid,
}
