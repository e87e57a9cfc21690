"""Counting, before anything moves, the rows of a table that will not land as they are."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import apsw

from syncd.plan import ColumnPlan, TablePlan
from syncd.quoting import identifier
from syncd.source.database import any_length, query
from syncd.source.joining import parted
from syncd.source.kinds import is_invalid, prepare
from syncd.source.ranges import safe_literal
from syncd.source.relation import Relation
from syncd.types import TargetType, limits, rendering

_SAMPLED = 2_000
_SHOWN_CHARACTERS = 40
_EXAMPLES = 3


@dataclass(frozen=True)
class Example:
    """A row by its source key, and the value in question as SQLite writes it; text is cut after 40 characters."""

    source_key: str
    value: str


@dataclass(frozen=True)
class Fault:
    """Rows with one cause. `kind`: value, null, check or rounded; `name` is the target's column or the check."""

    kind: str
    name: str
    count: int
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True)
class Faults:
    """What was found in `rows` rows of a table; `refused` of them cannot land. `complete` where every row was read."""

    rows: int
    refused: int
    complete: bool
    found: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class _Cause:
    kind: str
    name: str
    value: str
    condition: str


def find(connection: apsw.Connection, plan: TablePlan, *, sample: bool = False) -> Faults:
    """Count the rows that cannot land, by cause; of a sample the first and the last 2,000 rows alone."""
    prepare(connection)
    with any_length(connection):
        return _found(connection, plan, sample=sample)


def _found(connection: apsw.Connection, plan: TablePlan, *, sample: bool) -> Faults:
    relation = Relation(plan)
    causes = tuple(_causes(plan, relation))
    scopes, complete = sampled(connection, plan) if sample else ([plan.where], True)
    rows, refused, counts = 0, 0, [0] * len(causes)
    for scope in scopes:
        read, bad, of_scope = _count(connection, relation, causes, scope)
        rows, refused = rows + read, refused + bad
        counts = [one + other for one, other in zip(counts, of_scope, strict=True)]
    found = tuple(
        Fault(cause.kind, cause.name, count, _examples(connection, relation, cause, scopes))
        for cause, count in zip(causes, counts, strict=True)
        if count
    )
    return Faults(rows, refused, complete, found)


def _causes(plan: TablePlan, relation: Relation) -> Iterator[_Cause]:
    for column, value in zip(plan.columns, relation.values, strict=True):
        if column.not_null or column.name in plan.key:
            yield _Cause("null", column.name, value, f"{value} IS NULL")
        yield _Cause("value", column.name, value, _refused(value, column, in_key=column.name in plan.key))
        if condition := limits.rounded(value, column.type):
            yield _Cause("rounded", column.name, value, condition)
    for check, broken in zip(plan.checks, relation.broken, strict=True):
        yield _Cause("check", check.name, broken, broken)


def _refused(value: str, column: ColumnPlan, *, in_key: bool) -> str:
    """The condition for values that cannot land; text is held against the encoding where the type lets it through."""
    refused = limits.refused(value, column.affinity, column.type, in_key=in_key)
    if not rendering(value, column.affinity, column.type).may_hold_text:
        return refused
    return f"{refused} OR (typeof({value})='text' AND {is_invalid(value)})"


def holding(connection: apsw.Connection, plan: TablePlan, name: str, types: Iterable[str], *, sample: bool) -> str:
    """The first of the types that holds every value of a column, of a sample as `find` has it; text where none does."""
    relation = Relation(plan)
    scopes, _ = sampled(connection, plan) if sample else ([plan.where], True)
    column, value = next(found for found in zip(plan.columns, relation.values, strict=True) if found[0].name == name)

    def holds(type_: str) -> bool:
        refused = limits.refused(value, column.affinity, TargetType(type_))
        return not any(query(connection, f"SELECT 1 FROM {relation.where(s, refused)} LIMIT 1") for s in scopes)

    with any_length(connection):
        return next((type_ for type_ in types if holds(type_)), "text")


def sampled(connection: apsw.Connection, plan: TablePlan) -> tuple[list[str], bool]:
    """The conditions of a sample, the first and the last 2,000 rows, no row in two; whether they are all the rows."""
    of = identifier(plan.source.name)
    if not plan.by_rowid:
        key = ",".join(plan.source_key)
        first = f"({key}) IN (SELECT {key} FROM {of} ORDER BY {key} LIMIT {_SAMPLED})"
        return [f"{first} AND {plan.where}"], not query(connection, f"SELECT 1 FROM {of} LIMIT 1 OFFSET {_SAMPLED}")
    rowid = plan.source_key[0]
    low, high = query(connection, f"SELECT (SELECT min({rowid}) FROM {of}), (SELECT max({rowid}) FROM {of})")[0]
    if low is None or high - low < 2 * _SAMPLED:
        return [plan.where], True
    # Rowids may be far apart, so the two ends are found by walking along them.
    walk = f"SELECT {rowid} FROM {of} ORDER BY {rowid} {{}} LIMIT 1 OFFSET {_SAMPLED - 1}"
    ends = [query(connection, walk.format(direction)) for direction in ("", "DESC")]
    if not all(ends) or ends[0][0][0] >= ends[1][0][0]:
        return [plan.where], True
    first, last = ends[0][0][0], ends[1][0][0]
    return [f"{rowid} <= {first} AND {plan.where}", f"{rowid} >= {last} AND {plan.where}"], False


def _count(
    connection: apsw.Connection, relation: Relation, causes: Sequence[_Cause], scope: str
) -> tuple[int, int, list[int]]:
    """Rows, rows that cannot land, and rows of each cause."""
    refusing = [
        " OR ".join(f"({c})" for c in part) for part in parted(c.condition for c in causes if c.kind != "rounded")
    ]
    any_of = f"CASE WHEN ({') OR ('.join(refusing)}) THEN 1 END" if refusing else "NULL"
    rows, refused = query(connection, f"SELECT count(*), count({any_of}) FROM {relation.where(scope)}")[0]
    counts: list[int] = []
    if refused or any(cause.kind == "rounded" for cause in causes):
        for part in parted(cause.condition for cause in causes):
            terms = ",".join(f"count(CASE WHEN {condition} THEN 1 END)" for condition in part)
            counts += query(connection, f"SELECT {terms} FROM {relation.where(scope)}")[0]
    return rows, refused, counts or [0] * len(causes)


def _examples(
    connection: apsw.Connection, relation: Relation, cause: _Cause, scopes: Sequence[str]
) -> tuple[Example, ...]:
    start = f"substr({cause.value},1,{_SHOWN_CHARACTERS})"
    shown = f"iif(typeof({cause.value}) IN ('text','blob'),{safe_literal(start)},quote({cause.value}))"
    found: list[Example] = []
    for scope in scopes:
        statement = f"SELECT {relation.source_key}, {shown} FROM {relation.where(scope, cause.condition)} LIMIT ?"
        found += [Example(str(k), str(v)) for k, v in query(connection, statement, (_EXAMPLES - len(found),))]
    return tuple(found)
