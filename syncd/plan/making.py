"""Making a plan from the two catalogues and the configuration alone."""

from collections.abc import Callable, Mapping

from syncd.config import Config
from syncd.errors import ConfigError, SchemaError
from syncd.model import Catalog, Skipped, Table
from syncd.plan import columns
from syncd.plan.blueprint import ROWID_KEY, ColumnPlan, Plan, TablePlan, TargetTable
from syncd.plan.constraints import with_constraints, with_unique_parents
from syncd.plan.names import cut_name, same_name
from syncd.plan.order import parents_first
from syncd.quoting import identifier
from syncd.types import TargetType


def make(
    catalog: Catalog,
    targets: Mapping[str, TargetTable],
    config: Config,
    usable_date: Callable[[Table, str], bool],
    ours: frozenset[str] = frozenset(),
) -> Plan:
    """Plan every selected table.

    `usable_date` tells whether a date column can be an automatic mark; `ours` names the source's tables for which
    syncd made the target's table.

    Raises ConfigError where the configuration names a table or column that the source does not have.
    """
    chosen, left_out = _chosen(catalog, config)
    planned: dict[str, TablePlan] = {}
    refused = []
    for table in chosen:
        try:
            existing = None if table.name in ours else _existing(table, targets)
            planned[table.name] = _plan_table(table, existing, config, usable_date)
        except SchemaError as error:
            refused.append(error)
    linked = {name: with_constraints(plan, planned) for name, plan in planned.items()}
    linked = {name: with_unique_parents(plan, linked.values()) for name, plan in linked.items()}
    ordered = tuple(linked[name] for name in parents_first({n: p.parents for n, p in linked.items()}))
    return Plan(ordered, catalog.skipped + left_out, tuple(refused), config.target.foreign_keys)


def _chosen(catalog: Catalog, config: Config) -> tuple[list[Table], tuple[Skipped, ...]]:
    wanted, unwanted = config.sync.tables, config.sync.skip
    unknown = [name for name in (*wanted, *unwanted) if catalog.table(name) is None]
    unknown += [name for name in config.tables if name not in {table.name for table in catalog.tables}]
    if unknown:
        skipped = {s.name.lower(): s.reason for s in catalog.skipped}
        reasons = [f"{name}: {skipped.get(name.lower(), 'the source has no such table')}" for name in unknown]
        there = ", ".join(table.name for table in catalog.tables)
        raise ConfigError("; ".join(reasons), where="tables", advice=f"The source has: {there}")
    lower_wanted, lower_unwanted = {n.lower() for n in wanted}, {n.lower() for n in unwanted}
    chosen = [
        t
        for t in catalog.tables
        if (not wanted or t.name.lower() in lower_wanted) and t.name.lower() not in lower_unwanted
    ]
    left_out = [t for t in catalog.tables if t not in chosen]
    return chosen, tuple(Skipped(t.name, "left out by the configuration") for t in left_out)


def _existing(table: Table, targets: Mapping[str, TargetTable]) -> TargetTable | None:
    name = same_name(cut_name(table.name), targets)
    return targets[name] if name is not None else None


def _plan_table(
    table: Table, existing: TargetTable | None, config: Config, usable_date: Callable[[Table, str], bool]
) -> TablePlan:
    settings = config.table(table.name)
    if existing is None and not config.target.create_tables:
        raise SchemaError(
            "the target has no such table", where=table.name, advice="Create it, or set create_tables = yes"
        )
    found = columns.matched_columns(table, existing) if existing else columns.created_columns(table)
    key = (
        columns.existing_key(table, existing, found, settings)
        if existing
        else columns.created_key(table, settings, found)
    )
    if key == (ROWID_KEY,) and table.rowid and not existing:
        found = (ColumnPlan(ROWID_KEY, table.rowid, "INTEGER", TargetType("bigint"), not_null=True), *found)
    source_key = (table.rowid,) if table.rowid else tuple(identifier(name) for name in table.primary_key)
    return TablePlan(
        source=table,
        target=existing.name if existing else cut_name(table.name),
        columns=found,
        key=key,
        source_key=source_key,
        mark=columns.mark(table, settings, usable_date),
        batch_rows=config.batch_rows(table.name),
        max_reject_ratio=config.max_reject_ratio(table.name),
        created=existing is None,
        on_conflict=config.target.on_conflict,
        parents=tuple(key.parent for key in table.foreign_keys) + (existing.parents if existing else ()),
    )
