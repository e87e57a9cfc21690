"""Values of a column that are none of the labels which the target's type has."""

from collections.abc import Sequence
from dataclasses import dataclass

import apsw

from syncd.plan import ColumnPlan, TablePlan
from syncd.quoting import literal
from syncd.source.database import query
from syncd.source.relation import Relation

_EXAMPLES = 3
_DISTINCT = 20


@dataclass(frozen=True)
class Unlabelled:
    """How many rows; examples as source key and value; the distinct values, at most 20 of them."""

    count: int
    examples: tuple[tuple[str, str], ...]
    values: tuple[str, ...]


def find(connection: apsw.Connection, plan: TablePlan, name: str, labels: Sequence[str]) -> Unlabelled:
    """Count the rows whose value for the target's column `name` is no label. Reads the whole table."""
    relation = Relation(plan)
    value = dict(zip((column.name for column in plan.columns), relation.values, strict=True))[name]
    rows = relation.where(plan.where, _is_none_of(value, labels))
    (count,) = query(connection, f"SELECT count(*) FROM {rows}")[0]
    if not count:
        return Unlabelled(0, (), ())
    text = f"CAST({value} AS TEXT)"
    examples = query(connection, f"SELECT {relation.source_key}, quote({text}) FROM {rows} LIMIT {_EXAMPLES}")
    values = query(connection, f"SELECT DISTINCT {text} FROM {rows} LIMIT {_DISTINCT}")
    return Unlabelled(count, tuple((str(k), str(v)) for k, v in examples), tuple(str(v) for (v,) in values))


def labelled(column: ColumnPlan, labels: Sequence[str]) -> str:
    """The condition for the rows whose value is a label, is NULL, or is nothing that could be one."""
    return f"({_is_none_of(column.expression, labels)}) IS NOT TRUE"


def _is_none_of(value: str, labels: Sequence[str]) -> str:
    """Exact in case and blanks, whatever the column's collation; a blob is refused before it comes to labels."""
    known = ",".join(map(literal, labels))
    return f"typeof({value})<>'blob' AND (CAST({value} AS TEXT) COLLATE BINARY) NOT IN ({known})"
