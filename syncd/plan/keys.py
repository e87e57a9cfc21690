"""Why a table has the key that it has."""

from syncd.plan.blueprint import ROWID_KEY, TablePlan
from syncd.quoting import identifier


def why_key(plan: TablePlan) -> str:
    """Where the key of the target's table comes from."""
    if plan.key == (ROWID_KEY,):
        return "the rowid, as the source's table has no key that could be carried"
    if not plan.created:
        return "a key of the target's table"
    by_expression = {column.expression: column.name for column in plan.columns}

    def carried(names: tuple[str | None, ...]) -> tuple[str | None, ...]:
        return tuple(by_expression.get(identifier(name)) if name else None for name in names)

    if plan.key == carried(plan.source.primary_key):
        return "the source's primary key"
    if any(index.unique and not index.partial and carried(index.columns) == plan.key for index in plan.source.indexes):
        return "a unique index of the source"
    return "set in the configuration"
