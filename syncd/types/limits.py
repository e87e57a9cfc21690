"""Values of the right form that PostgreSQL refuses all the same: out of range, no day of the calendar."""

from syncd.model import Affinity
from syncd.types.names import TargetType
from syncd.types.normal import key_rendering
from syncd.types.rendering import rendering

_RANGES = {"smallint": 2**15, "integer": 2**31}
_DAYS = ("date", "timestamp without time zone", "timestamp with time zone")


def refused(e: str, affinity: Affinity, target: TargetType, *, in_key: bool = False) -> str:
    """An SQLite condition that is true for the values of `e` that cannot land in a column of that type."""
    how = (key_rendering if in_key else rendering)(e, affinity, target)
    conditions = [f"({how.careful_suspect})"]
    if how.may_hold_text:
        conditions.append(f"(typeof({e})='text' AND instr({e},char(0)))")
    if beyond := _beyond(e, target):
        conditions.append(f"({beyond})")
    return " OR ".join(conditions)


def _beyond(e: str, target: TargetType) -> str:
    if target.origin not in ("", "iso"):
        return ""
    if limit := _RANGES.get(target.base):
        return f"CAST({e} AS NUMERIC) NOT BETWEEN -{limit} AND {limit - 1}"
    if target.base == "numeric" and target.modifiers:
        precision, scale = (*target.modifiers, 0)[:2]
        # Not abs(): SQLite ends the statement at the least integer.
        return f"CAST({e} AS NUMERIC)>=1e{precision - scale} OR CAST({e} AS NUMERIC)<=-1e{precision - scale}"
    if target.base in _DAYS:
        return f"date(substr({e},1,10)) IS NOT substr({e},1,10) OR substr({e},1,4)='0000'"
    if target.base == "jsonb":
        return f"NOT json_valid({e}) OR instr({e},'\\u0000')"
    return ""


def rounded(e: str, target: TargetType) -> str:
    """An SQLite condition that is true for the numbers that an existing column's own scale rounds; empty for none."""
    if not (target.scale_rounds and target.base == "numeric" and target.modifiers):
        return ""
    scale = (*target.modifiers, 0)[1]
    if scale < 0:
        steps = f"CAST({e} AS NUMERIC)/{10.0**-scale}"
        return f"CAST({steps} AS INTEGER)<>{steps}"
    decimals = f"instr({e},'.') AND rtrim(substr({e},instr({e},'.')+{scale + 1}),'0')<>''"
    return f"CASE typeof({e}) WHEN 'real' THEN round({e},{scale})<>{e} WHEN 'text' THEN {decimals} END"
