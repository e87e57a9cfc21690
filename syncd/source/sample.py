"""Chosen rows of a table, for looking at them closely: random ones, and their values as SQLite holds them."""

import random
from collections.abc import Mapping, Sequence

import apsw

from syncd.plan import TablePlan
from syncd.quoting import identifier
from syncd.source import ranges
from syncd.source.database import query

Values = tuple[str | bytes | int | float | None, ...]


def keys(connection: apsw.Connection, plan: TablePlan, rows: int) -> list[str]:
    """The source keys of up to `rows` random rows; of a table with few rows all of them.

    By rowid: the row at or after a random rowid, a search each, so rows behind a gap come more often. Without rowids
    SQLite sorts the whole table by a random number.
    """
    if not plan.by_rowid:
        return _shuffled(connection, plan, rows)
    rowid, of = plan.source_key[0], identifier(plan.source.name)
    first, last = query(connection, f"SELECT (SELECT min({rowid}) FROM {of}), (SELECT max({rowid}) FROM {of})")[0]
    if first is None:
        return []
    if last - first < rows * 2:
        return [str(key) for (key,) in query(connection, f"SELECT {rowid} FROM {of} LIMIT {rows}")]
    at_or_after = f"SELECT {rowid} FROM {of} WHERE {rowid} >= ? ORDER BY {rowid} LIMIT 1"
    # Not a secret: which rows are looked at need only be fair.
    picked = {query(connection, at_or_after, (random.randint(first, last),))[0][0] for _ in range(rows)}  # noqa: S311
    return [str(key) for key in sorted(picked)]


def _shuffled(connection: apsw.Connection, plan: TablePlan, rows: int) -> list[str]:
    statement = f"SELECT {ranges.source_key(plan)} FROM {identifier(plan.source.name)} ORDER BY random() LIMIT {rows}"
    return [key for (key,) in query(connection, statement)]


def values(connection: apsw.Connection, plan: TablePlan, keys: Sequence[str]) -> Mapping[str, Values]:
    """What SQLite itself yields for the columns of these rows, unrendered, by source key; expressions are computed.

    Ask for rows that were rendered: text that is no UTF-8 raises UnicodeDecodeError.
    """
    shown = ", ".join(column.expression for column in plan.columns)
    rows = ranges.of_keys(plan, keys)
    statement = f"SELECT {ranges.source_key(plan)}, {shown} FROM {identifier(plan.source.name)} WHERE {rows.where}"
    return {key: tuple(found) for key, *found in query(connection, statement, rows.parameters)}
