"""Source rows that have one key in the target: the one with the highest rowid wins.

Where SQLite cannot tell (`is_told`), PostgreSQL is asked about the rows of `keys`.
"""

from dataclasses import replace

import apsw

from syncd.model import Range
from syncd.plan import ROWID_KEY, TablePlan
from syncd.quoting import identifier
from syncd.source import ranges
from syncd.source.database import query
from syncd.types import another_form, has_one_form, normal


def find(connection: apsw.Connection, plan: TablePlan) -> list[tuple[str, str]]:
    """The source keys of the rows that give way, each with the winner's. Empty, unread, where the source forbids it."""
    if not is_possible(connection, plan):
        return []
    return query(connection, _giving_way(plan, _keys(plan, plan.where)))


def among(connection: apsw.Connection, plan: TablePlan, rows: Range) -> list[tuple[str, str]]:
    """As `find`, for the keys of the rows of a range alone; those that give way may lie outside of it.

    Ask `is_possible` first: without an index on the key this reads the whole table once.
    """
    same = " AND ".join(f"w.f{n} IS m.f{n} AND quote(w.f{n}) = quote(m.f{n})" for n in range(len(plan.key)))
    mine = _keys(plan, ranges.condition(rows))
    sharing = f"SELECT DISTINCT w.* FROM ({mine}) m JOIN ({_keys(plan, plan.where)}) w ON {same}"
    return query(connection, _giving_way(plan, sharing), rows.parameters)


def is_told(plan: TablePlan) -> bool:
    """Whether SQLite can tell which rows share a key in the target."""
    return all(has_one_form(column.affinity, column.type) for column in plan.key_columns)


def keys(plan: TablePlan) -> TablePlan:
    """The table with nothing but its key in the target."""
    return replace(plan, columns=plan.key_columns, checks=())


def is_possible(connection: apsw.Connection, plan: TablePlan) -> bool:
    """Whether two rows of the table may share a key in the target.

    The source may forbid it; but two values that are different to SQLite may be one to PostgreSQL, as the texts
    `2024-01-01 00:00:00` and `2024-01-01T00:00:00` are one timestamp.
    """
    return not _is_unique_in_source(plan) or has_other_forms(connection, plan, ranges.whole(plan))


def has_other_forms(connection: apsw.Connection, plan: TablePlan, rows: Range) -> bool:
    """Whether a key among these rows may be equal to one that is written otherwise."""
    other = [form for c in plan.key_columns if (form := another_form(c.expression, c.affinity, c.type))]
    if not other:
        return False
    condition = f"{ranges.condition(rows)} AND ({' OR '.join(other)})"
    statement = f"SELECT 1 FROM {identifier(plan.source.name)} WHERE {condition} LIMIT 1"
    return bool(query(connection, statement, rows.parameters))


def would_share(connection: apsw.Connection, plan: TablePlan, name: str, filling: str) -> bool:
    """Whether a row without a value in that column of the key would, so filled, have the key of another row."""
    gap = next(f"{column.expression} IS NULL" for column in plan.key_columns if column.name == name)
    others = ",".join(column.expression for column in plan.key_columns if column.name != name)
    of = identifier(plan.source.name)
    beside = f"({others}) IN (SELECT {others} FROM {of} WHERE {plan.where} AND {gap})" if others else "1"
    columns = tuple(replace(c, expression=filling) if c.name == name else c for c in plan.columns)
    members = ", ".join(f"quote({field})" for field in _fields(replace(plan, columns=columns)))
    sharing = f"GROUP BY {members} HAVING count(*)>1 AND max({gap})"
    return bool(query(connection, f"SELECT 1 FROM {of} WHERE {plan.where} AND {beside} {sharing} LIMIT 1"))


def _fields(plan: TablePlan) -> list[str]:
    """The members of the target key, each in its one form."""
    return [normal(c.expression, c.affinity, c.type) or c.expression for c in plan.key_columns]


def _keys(plan: TablePlan, condition: str) -> str:
    """A query for some rows' source key `k`, the members of their target key `f0`..., and their place `p0`..."""
    fields = [f"{field} AS f{n}" for n, field in enumerate(_fields(plan))]
    places = [f"{expression} AS p{n}" for n, expression in enumerate(plan.source_key)]
    shown = ", ".join([f"{ranges.source_key(plan)} AS k", *fields, *places])
    return f"SELECT {shown} FROM {identifier(plan.source.name)} WHERE {condition}"


def _giving_way(plan: TablePlan, rows: str) -> str:
    """A query for the rows of such a query that are not the last of their target key, and for the last one.

    A key that lacks a member is nobody's: its row is refused for that.
    """
    given = " AND ".join(f"f{n} IS NOT NULL" for n in range(len(plan.key)))
    same = ", ".join(f"quote(f{n})" for n in range(len(plan.key)))
    order = ", ".join(f"p{n} DESC" for n in range(len(plan.source_key)))
    ranked = (
        f"SELECT k, row_number() OVER latest AS n, first_value(k) OVER latest AS winner "
        f"FROM ({rows}) WHERE {given} WINDOW latest AS (PARTITION BY {same} ORDER BY {order})"
    )
    return f"SELECT k, winner FROM ({ranked}) WHERE n > 1"


def _is_unique_in_source(plan: TablePlan) -> bool:
    members = {column.expression.lower() for column in plan.key_columns}
    if plan.key == (ROWID_KEY,) or (plan.source.rowid or "").lower() in members:
        return True
    unique = [plan.source.primary_key] if plan.source.primary_key else []
    unique += [
        tuple(n for n in i.columns if n) for i in plan.source.indexes if i.unique and not i.partial and all(i.columns)
    ]
    return any({identifier(name).lower() for name in names} <= members for names in unique)
