"""Values of a column that are none of the labels which the target's type has."""

from collections.abc import Sequence
from dataclasses import dataclass

import apsw

from syncd.plan import ColumnPlan, TablePlan
from syncd.quoting import literal
from syncd.source.database import any_length, query
from syncd.source.relation import Relation

_EXAMPLES = 3
_DISTINCT = 20
_SHOWN_CHARACTERS = 64
"""A label of PostgreSQL has at most 63 bytes: https://www.postgresql.org/docs/current/datatype-enum.html"""


@dataclass(frozen=True)
class Unlabelled:
    """How many rows; examples as source key and value; at most 20 distinct values; text is cut after 64 letters."""

    count: int
    examples: tuple[tuple[str, str], ...]
    values: tuple[str, ...]


def find(connection: apsw.Connection, plan: TablePlan, name: str, labels: Sequence[str]) -> Unlabelled:
    """Count the rows whose value for the target's column `name` is no label. Reads the whole table."""
    with any_length(connection):
        return _found(connection, plan, name, labels)


def _found(connection: apsw.Connection, plan: TablePlan, name: str, labels: Sequence[str]) -> Unlabelled:
    relation = Relation(plan)
    value = dict(zip((column.name for column in plan.columns), relation.values, strict=True))[name]
    rows = relation.where(plan.where, _is_none_of(value, labels))
    (count,) = query(connection, f"SELECT count(*) FROM {rows}")[0]
    if not count:
        return Unlabelled(0, (), ())
    text = f"substr(CAST({value} AS TEXT),1,{_SHOWN_CHARACTERS})"
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
