"""Texts of which PostgreSQL would make another value of the type without a word: rounded, cut, or read by the clock.

These are types that PostgreSQL judges by itself; what is no value of them at all it refuses.
"""

from collections.abc import Callable
from dataclasses import replace

from syncd.types.names import TargetType

Suspect = Callable[[str, TargetType], str]
"""The SQLite condition for a text that cannot land exactly in a column of that type; empty where any can."""

_RANGES = {
    "int4": "integer",
    "int8": "bigint",
    "num": "numeric",
    "date": "date",
    "ts": "timestamp without time zone",
    "tstz": "timestamp with time zone",
}
_BOUNDS = {f"{name}{kind}": bound for name, bound in _RANGES.items() for kind in ("range", "multirange")}
_CHARACTERS = ("character varying", "character", "bpchar")
_SECONDS = ("", "s", "sec", "secs", "second", "seconds", "s ago", "sec ago", "secs ago", "second ago", "seconds ago")
_CUT = {
    "year": ("y", "year", "years"),
    "month": ("mon", "mons", "month", "months"),
    "day": ("d", "day", "days"),
    "hour": ("h", "hour", "hours"),
    "minute": ("m", "min", "mins", "minute", "minutes"),
}
"""The words for the last field of an interval that holds no smaller one."""


def changed(e: str, target: TargetType, suspect: Suspect) -> str:
    """An SQLite condition that is true for text which PostgreSQL would change; empty where it changes none.

    `suspect` tells it of an element of an array, or of a bound of a range.
    """
    if target.base.endswith("[]"):
        return _array(e, target, suspect)
    if bound := _BOUNDS.get(target.base):
        return _any_part(e, '[](){}"', suspect("part.text", TargetType(bound)), ("", "EMPTY", "INFINITY", "-INFINITY"))
    if target.base.startswith("interval"):
        return _interval(e, target)
    return ""


def _array(e: str, target: TargetType, suspect: Suspect) -> str:
    element = replace(target, name=target.name.replace("[]", ""), scale_rounds=False)
    if element.base in _CHARACTERS:
        # Blanks at an element's end, which quotes or a backslash keep there, are what assignment to a length cuts.
        return f"({e} GLOB '* \"*' OR instr({e},'\\'))" if element.modifiers or element.base != _CHARACTERS[0] else ""
    condition = suspect("part.text", element)
    return _any_part(e, '{}"', condition, ("", "NULL")) if condition else ""


def _any_part(e: str, marks: str, condition: str, passed: tuple[str, ...]) -> str:
    """True where the condition holds for a part of the list: what is between commas, without those marks.

    Such parts hold neither. A subquery names the value, as a column may be called like one of json_each's.
    """
    bare = "syncd_list"
    for mark in marks:
        bare = f"replace({bare},'{mark}','')"
    listed = f"'[\"'||replace({bare},',','\",\"')||'\"]'"
    parts = (
        f"SELECT trim(one.value) AS text FROM (SELECT {e} AS syncd_list),"
        f" json_each(iif(json_valid({listed}),{listed},'[\"?\"]')) AS one"
    )
    known = ",".join(f"'{word}'" for word in passed)
    found = f"EXISTS (SELECT 1 FROM ({parts}) AS part WHERE upper(part.text) NOT IN ({known}) AND ({condition}))"
    return f"({e} IS NOT NULL AND {found})"


def _interval(e: str, target: TargetType) -> str:
    last = target.base.split()[-1]
    if last in _CUT:
        words = ",".join(f"'{word}'" for word in _CUT[last])
        return f"trim(lower(ltrim({e},'+-0123456789 '))) NOT IN ({words})"
    # The fraction of a year or a week is rounded to months or days.
    digits = f"substr({e},instr({e},'.')+1)"
    unit = f"ltrim({digits},'0123456789')"
    fraction = f"substr({digits},1,length({digits})-length({unit}))"
    exact = target.modifiers[0] if target.modifiers else 6
    words = ",".join(f"'{word}'" for word in _SECONDS)
    return (
        f"(instr({e},'.') AND (rtrim(substr({fraction},{exact + 1}),'0')<>'' OR length({fraction})>6"
        f" OR trim(lower({unit})) NOT IN ({words})))"
    )
