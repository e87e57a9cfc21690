"""The statement that merges rows into the target: it inserts what is new, and updates what differs."""

from psycopg import sql

from syncd.config import OnConflict
from syncd.plan import ColumnPlan, TablePlan


def names(plan: TablePlan) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(column.name) for column in plan.columns)


def upsert(schema: str, plan: TablePlan, source: sql.Composable, on_conflict: OnConflict) -> sql.Composed:
    return sql.SQL("INSERT INTO {} AS t ({}) OVERRIDING SYSTEM VALUE {}{}").format(
        sql.Identifier(schema, plan.target), names(plan), source, _conflict(plan, on_conflict)
    )


def _conflict(plan: TablePlan, on_conflict: OnConflict) -> sql.Composable:
    others = [column.name for column in plan.columns if column.name not in plan.key or _is_coarse(column)]
    if on_conflict is OnConflict.FAIL:
        return sql.SQL("")
    key = sql.SQL(", ").join(map(sql.Identifier, plan.key))
    if on_conflict is OnConflict.SKIP or not others:
        return sql.SQL(" ON CONFLICT ({}) DO NOTHING").format(key)
    values = sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in others)
    return sql.SQL(" ON CONFLICT ({}) DO UPDATE SET {} WHERE {}").format(key, values, differs(others, "t", "excluded"))


def _is_coarse(column: ColumnPlan) -> bool:
    """Whether PostgreSQL calls two values equal that are not the same: then a key, too, may have to be updated."""
    return column.type.exact is False or column.type.base in (
        "citext",
        "numeric",
        "double precision",
        "real",
        "character",
        "bpchar",
        "interval",
        "jsonb",
    )


def differs(names: list[str], one: str, other: str) -> sql.Composed:
    """True where the bytes differ: IS DISTINCT FROM takes citext 'a' for 'A' and 0 for -0, and fails on json."""
    rows = [sql.SQL(", ").join(sql.Identifier(side, name) for name in names) for side in (one, other)]
    return sql.SQL("ROW({})::record *<> ROW({})::record").format(*rows)
