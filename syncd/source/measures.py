"""What is measured of one column: the values to compute for each row, the aggregates over them, and what they tell."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from syncd.plan.typing import ColumnProfile, Profiled, ValueKind, precision_and_scale
from syncd.source.kinds import kind_of
from syncd.types import TargetType, rendering

_NUMBERS = frozenset({"integer", "real"})
_SCALE_BY_DIVISION = 9
"""Up to this scale the guard of a numeric type takes less time than writing the number."""

_EXPONENT = "CAST(substr({q},instr({q},'e')+1) AS INTEGER)"
_MANTISSA_DECIMALS = "length(rtrim(substr({q},1,instr({q},'e')-1),'0'))-instr({q},'.')"
_DECIMALS = (
    f"CASE WHEN instr({{q}},'e') THEN max(0,{_MANTISSA_DECIMALS}-{_EXPONENT}) "
    "WHEN {q} GLOB '*.0' OR NOT instr({q},'.') THEN 0 ELSE length({q})-instr({q},'.') END"
)


@dataclass
class Measures:
    """The measures of one column; `values` are SQLite expressions with their names, aggregates stand over those.

    `known` is what a part of the rows told: only kinds of its storage classes are counted.
    """

    known: ColumnProfile
    kinds: tuple[ValueKind, ...]
    values: list[str]
    counts: list[str]
    extremes: dict[str, str] = field(default_factory=dict)

    @property
    def terms(self) -> tuple[str, ...]:
        return (*self.counts, *self.extremes.values())

    def told(self, results: Sequence[Any]) -> ColumnProfile:
        """The profile that the results of the terms tell, in their order. Kinds that are not counted are left out."""
        counted = zip(self.kinds, results, strict=False)
        found = dict(zip(self.extremes, results[len(self.kinds) :], strict=True))
        # Text that nobody expected is greater than any number; its column is looked at again.
        ends = [end for end in (found.get("least"), found.get("greatest")) if isinstance(end, int | float)]
        ends = [end for end in (*ends, self.known.least, self.known.greatest) if end is not None]
        return ColumnProfile(
            self.known.name,
            {kind: int(count) for kind, count in counted if count},
            max(self.known.longest_characters, int(found.get("longest_characters") or 0)),
            max(self.known.longest_bytes, int(found.get("longest_bytes") or 0)),
            min(ends, default=None),
            max(ends, default=None),
            max(self.known.decimals, int(found.get("decimals") or 0)),
            int(found.get("misfits") or 0),
        )


def all_measures(column: Profiled, position: int) -> Measures:
    """What to measure where nothing is known of a column; `position` tells it from the others of the statement."""
    return likely_measures(column, position, ColumnProfile(column.name, dict.fromkeys(ValueKind, 1)))


def likely_measures(column: Profiled, position: int, known: ColumnProfile) -> Measures:
    """What to measure where a part of the rows told what the others are likely to hold.

    The part spares most of the time: each kind that is counted costs 10 ns a row, each number that is written 400, and
    extremes look only at values beyond those that are known.
    """
    classes = {kind.storage_class for kind in known.counts} - {"null"}
    kinds = _expected(known)
    k, v, q = (f"{letter}{position}" for letter in "kvq")
    e = column.expression
    counts = [f"count(*) FILTER (WHERE {k}={kind:d})" for kind in kinds]
    wanted = Measures(known, kinds, [f"{kind_of(e, column.affinity)} AS {k}"], counts)
    if classes - {"blob"}:
        # typeof() reads no content: what lies on overflow pages of a blob stays there.
        wanted.values.append(f"iif(typeof({e})='blob',NULL,{e}) AS {v}" if "blob" in classes else f"{e} AS {v}")
    if classes & {"integer", "real"}:
        is_finite = f"{k}<{ValueKind.DATE:d} AND {k}<>{ValueKind.INFINITE:d}"
        number = v if classes <= _NUMBERS and ValueKind.INFINITE not in kinds else f"iif({is_finite},{v},NULL)"
        below = "" if known.least is None else f" FILTER (WHERE {number}<{known.least!r})"
        above = "" if known.greatest is None else f" FILTER (WHERE {number}>{known.greatest!r})"
        wanted.extremes |= {"least": f"min({number}){below}", "greatest": f"max({number}){above}"}
    if "text" in classes:
        text = v if classes == {"text"} else f"iif({k} BETWEEN {ValueKind.DATE:d} AND {ValueKind.TEXT:d},{v},NULL)"
        size = f"octet_length({text})"
        longer = f"max(length({text})) FILTER (WHERE {size}>{known.longest_characters})"
        larger = f"max({size}) FILTER (WHERE {size}>{known.longest_bytes})"
        wanted.extremes |= {"longest_characters": longer, "longest_bytes": larger}
    if "real" in classes or ValueKind.DECIMAL in kinds:
        wanted.values.append(f"{_finer(e, known.decimals, only_numbers=classes <= _NUMBERS)} AS {q}")
        has_decimals = f"({k} BETWEEN {ValueKind.JULIAN:d} AND {ValueKind.FRACTION:d} OR {k}={ValueKind.DECIMAL:d})"
        decimals = f"CASE WHEN {q} IS NULL THEN NULL WHEN {has_decimals} THEN {_DECIMALS.format(q=q)} END"
        wanted.extremes["decimals"] = f"max({decimals})"
    if (limits := precision_and_scale(column.declared_type)) and classes & _NUMBERS:
        limit = f"1e{limits[0] - limits[1]}"
        too_fine = f"WHEN {decimals}>{limits[1]} THEN 1" if "real" in classes else ""
        misfit = f"CASE WHEN {k}>={ValueKind.DATE:d} THEN NULL WHEN {v}>={limit} OR {v}<=-{limit} THEN 1 {too_fine} END"
        wanted.extremes["misfits"] = f"count({misfit})"
    return wanted


def _expected(known: ColumnProfile) -> tuple[ValueKind, ...]:
    """The kinds to count: what a column holds beyond them needs another look, as its extremes would be wrong too."""
    expected = {ValueKind.NULL, *known.counts}
    if known.stored_as("integer", "real"):
        expected |= {ValueKind.BIT, ValueKind.INTEGER}
    if known.stored_as("real"):
        expected |= {ValueKind.WHOLE, ValueKind.FRACTION}
    if known.stored_as("text"):
        expected |= {ValueKind.EMPTY, ValueKind.TEXT}
    return tuple(sorted(expected))


def _finer(e: str, decimals: int, *, only_numbers: bool) -> str:
    """A real as it is written if it may have more than so many decimals, else NULL. Text is given as it is."""
    fine = rendering(e, "REAL", TargetType(f"numeric(400,{decimals})")).suspect
    written = f"CASE WHEN {fine} THEN quote({e}) END" if decimals <= _SCALE_BY_DIVISION else f"quote({e})"
    return written if only_numbers else f"CASE typeof({e}) WHEN 'real' THEN {written} WHEN 'text' THEN {e} END"
