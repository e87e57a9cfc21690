"""Moments that the source keeps as numbers: Unix seconds, milliseconds, microseconds, or Julian days."""

from syncd.types.names import Rendering, TargetType

MOMENTS = ("date", "timestamp without time zone", "timestamp with time zone")
"""The types that such a number can become."""

_UNITS = {"epoch_s": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000}
_SECONDS_A_DAY = 86_400


def from_number(e: str, target: TargetType) -> Rendering:
    """Render the number as ISO text in UTC; what is no such number, or not exactly a moment, is suspect."""
    written, suspect = _julian(e, target) if target.origin == "julian" else _epoch(e, target)
    if target.modifiers:
        # Of `2024-01-01 23:59:59.123` what is beyond the type's own precision.
        suspect = f"{suspect} OR rtrim(substr({written},{21 + target.modifiers[0]}),'0')<>''"
    zone = "||'+00'" if target.base == "timestamp with time zone" else ""
    field = f"ifnull({written}{zone},'NULL')"
    suspect = f"({e} IS NOT NULL AND ({suspect} OR {written} IS NULL))"
    return Rendering(field, suspect, field, suspect, may_hold_text=False)


def _epoch(e: str, target: TargetType) -> tuple[str, str]:
    """SQLite's `%` has the sign of its left side, so moments before 1970 need the remainder to be turned around."""
    unit = _UNITS[target.origin]
    whole = f"CAST({e} AS INTEGER)"
    part = f"(({whole}%{unit}+{unit})%{unit})"
    seconds = f"(({whole}-{part})/{unit})"
    suspect = (
        f"CASE typeof({e}) WHEN 'integer' THEN 0 WHEN 'real' THEN {_odd_real(e, whole, unit)} "
        f"WHEN 'text' THEN CAST({whole} AS TEXT)<>+{e} COLLATE BINARY ELSE 1 END"
    )
    if target.base == "date":
        late = f"({seconds}%{_SECONDS_A_DAY}<>0 OR {part}<>0 OR (typeof({e})='real' AND {whole}<>{e}))"
        return f"strftime('%Y-%m-%d',{seconds},'unixepoch')", f"({suspect} OR {late})"
    fraction = f"iif(typeof({e})='real' AND {whole}<>{e},substr(format('%.6f',{e}-{whole}),2),'')"
    if unit > 1:
        fraction = f"format('.%0{len(str(unit)) - 1}d',{part})"
    return f"strftime('%Y-%m-%d %H:%M:%S',{seconds},'unixepoch')||{fraction}", suspect


def _odd_real(e: str, whole: str, unit: int) -> str:
    """True for a real number that is not whole; of seconds since 1970 up to six decimals are a moment, too."""
    return f"{whole}<>{e}" if unit > 1 else f"({whole}<>{e} AND ({e}<0 OR round({e},6)<>{e}))"


def _julian(e: str, target: TargetType) -> tuple[str, str]:
    """SQLite keeps a Julian day in whole milliseconds: https://sqlite.org/lang_datefunc.html#internal_operation."""
    form = "%Y-%m-%d" if target.base == "date" else "%Y-%m-%d %H:%M:%f"
    written = f"strftime('{form}',{e})"
    odd = f"typeof({e}) NOT IN ('integer','real') OR julianday({written})<>{e}"
    return written, f"({odd})"
