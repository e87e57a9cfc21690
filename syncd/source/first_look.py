"""A first look at the values: which columns need to be profiled before their types can be chosen."""

from collections.abc import Mapping, Sequence

import apsw

from syncd.model import Table
from syncd.plan.typing import Profiled
from syncd.quoting import identifier
from syncd.source.database import any_length, query
from syncd.source.joining import parted
from syncd.types import TargetType, limits

_ROWS = 100
"""Rows at each end of a table: a profile of 300 tables of 12 columns took 30 seconds, this look takes one."""


def doubtful(
    connection: apsw.Connection, table: Table, columns: Sequence[Profiled], types: Mapping[str, str], where: str
) -> frozenset[str]:
    """The columns of which a value does not fit the type that the declared one proposes, or fits a narrower one."""
    found: set[str] = set()
    inner = ",".join(f"{column.expression} AS x{n}" for n, column in enumerate(columns))
    rows = _rows(table, inner, where)
    conditions = [_condition(f"x{n}", column, types[column.name]) for n, column in enumerate(columns)]
    for part in parted(zip(columns, conditions, strict=True)):
        terms = ",".join(f"count(CASE WHEN {condition} THEN 1 END)" for _, condition in part)
        with any_length(connection):
            counts = query(connection, f"SELECT {terms} FROM ({rows})")[0]
        found |= {column.name for (column, _), count in zip(part, counts, strict=True) if count}
    return frozenset(found)


def _condition(value: str, column: Profiled, type_name: str) -> str:
    refused = limits.refused(value, column.affinity, TargetType(type_name))
    return f"{refused} OR {_narrower(value)}" if column.declared_type.upper() == "TEXT" else refused


def _narrower(value: str) -> str:
    """True for text that may be a date, a moment, JSON or a UUID."""
    return (
        f"{value} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-*' OR {value} GLOB '[[{{]*' "
        f"OR {value} GLOB '????????-????-????-????-????????????'"
    )


def _rows(table: Table, inner: str, where: str) -> str:
    of = identifier(table.name)
    if table.rowid is None:
        return f"SELECT {inner} FROM {of} WHERE {where} LIMIT {2 * _ROWS}"
    first, last = (
        f"SELECT * FROM (SELECT {inner} FROM {of} WHERE {where} ORDER BY {table.rowid} {direction} LIMIT {_ROWS})"
        for direction in ("", "DESC")
    )
    return f"{first} UNION ALL {last}"
