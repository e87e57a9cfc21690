"""Which unique constraints, indexes and foreign keys the tables get that syncd creates."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from syncd.model import Index, Skipped
from syncd.plan.blueprint import ForeignKeyPlan, IndexPlan, TablePlan, UniquePlan
from syncd.plan.names import cut_name
from syncd.quoting import identifier


def _target_columns(plan: TablePlan, source_names: Iterable[str | None]) -> tuple[str, ...] | None:
    """The target's columns that carry these source columns unchanged; None where one is not carried."""
    carried = {column.expression.lower(): column.name for column in plan.columns}
    found = [carried.get(identifier(name).lower()) if name else None for name in source_names]
    return None if None in found else tuple(name for name in found if name)


def with_constraints(plan: TablePlan, planned: Mapping[str, TablePlan]) -> TablePlan:
    if not plan.created:
        return plan
    uniques, indexes, not_carried = [], [], []
    for index in plan.source.indexes:
        columns = _target_columns(plan, index.columns)
        if columns is None or index.partial:
            kind = "a partial index" if index.partial else "an index over an expression"
            not_carried.append(Skipped(f"{plan.name}.{index.name}", f"{kind}: {index.sql}"))
        elif index.unique and set(columns) != set(plan.key):
            uniques.append(UniquePlan(cut_name(_constraint_name(plan, index, columns)), columns, deferrable=True))
        elif not index.unique:
            indexes.append(IndexPlan(cut_name(index.name), columns, index.descending))
    keys, further = _foreign_keys(plan, planned)
    return replace(
        plan,
        uniques=tuple(uniques),
        indexes=tuple(indexes),
        foreign_keys=tuple(keys),
        not_carried=(*not_carried, *further),
    )


def _constraint_name(plan: TablePlan, index: Index, columns: tuple[str, ...]) -> str:
    return f"{plan.target}_{'_'.join(columns)}_key" if index.origin == "u" else index.name


def _foreign_keys(plan: TablePlan, planned: Mapping[str, TablePlan]) -> tuple[list[ForeignKeyPlan], list[Skipped]]:
    by_name = {name.lower(): parent for name, parent in planned.items()}
    keys, not_carried = [], []
    for key in plan.source.foreign_keys:
        title = f"{plan.name} ({', '.join(key.columns)}) references {key.parent}"
        parent = by_name.get(key.parent.lower())
        columns = _target_columns(plan, key.columns)
        if parent is None:
            not_carried.append(Skipped(title, "the parent table is not carried"))
            continue
        parent_columns = _target_columns(parent, key.parent_columns or parent.source.primary_key)
        if columns is None or parent_columns is None or len(columns) != len(parent_columns):
            not_carried.append(Skipped(title, "it names columns that are not there"))
            continue
        name = cut_name(f"{plan.target}_{'_'.join(columns)}_fkey")
        keys.append(ForeignKeyPlan(name, columns, parent.target, parent_columns))
    return keys, not_carried


def with_unique_parents(plan: TablePlan, everyone: Iterable[TablePlan]) -> TablePlan:
    """Make those unique constraints not deferrable that a foreign key names: PostgreSQL demands it."""
    named = {
        frozenset(key.parent_columns) for child in everyone for key in child.foreign_keys if key.parent == plan.target
    }
    uniques = tuple(replace(u, deferrable=frozenset(u.columns) not in named) for u in plan.uniques)
    return replace(plan, uniques=uniques)
