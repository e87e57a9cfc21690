"""Source rows that have one key in the target: the one with the highest rowid wins."""

import apsw

from syncd.plan import ROWID_KEY, TablePlan
from syncd.quoting import identifier
from syncd.source import ranges
from syncd.source.database import query


def find(connection: apsw.Connection, plan: TablePlan) -> list[tuple[str, str]]:
    """The source keys of the rows that give way, each with the winner's. Empty, unread, where the source forbids it."""
    if _is_unique_in_source(plan):
        return []
    fields = ", ".join(f"quote({column.expression})" for column in plan.key_columns)
    order = ", ".join(f"{key} DESC" for key in plan.source_key)
    key = ranges.source_key(plan)
    ranked = (
        f"SELECT {key} AS k, row_number() OVER latest AS n, first_value({key}) OVER latest AS winner "
        f"FROM {identifier(plan.source.name)} WINDOW latest AS (PARTITION BY {fields} ORDER BY {order})"
    )
    return query(connection, f"SELECT k, winner FROM ({ranked}) WHERE n > 1")


def _is_unique_in_source(plan: TablePlan) -> bool:
    members = {column.expression.lower() for column in plan.key_columns}
    if plan.key == (ROWID_KEY,) or (plan.source.rowid or "").lower() in members:
        return True
    unique = [plan.source.primary_key] if plan.source.primary_key else []
    unique += [
        tuple(n for n in i.columns if n) for i in plan.source.indexes if i.unique and not i.partial and all(i.columns)
    ]
    return any({identifier(name).lower() for name in names} <= members for names in unique)
