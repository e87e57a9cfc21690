"""What a hypertable asks of the tables that syncd creates: the time column in every key, and few foreign keys.

Facts: https://docs.tigerdata.com/use-timescale/latest/hypertables/hypertables-and-unique-indexes/
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from syncd.config import Config, HypertableConfig
from syncd.errors import SchemaError
from syncd.model import Skipped
from syncd.plan.blueprint import ColumnPlan, ForeignKeyPlan, HypertablePlan, TablePlan, TargetTable
from syncd.plan.names import same_name
from syncd.quoting import identifier

_TIMES = (
    "date",
    "timestamp without time zone",
    "timestamp with time zone",
    "smallint",
    "integer",
    "bigint",
)


def with_hypertable(plan: TablePlan, there: TargetTable | None, config: Config) -> TablePlan:
    """The plan with what the configuration says of a hypertable; the key of a created table gets the time column.

    A table that syncd made before, with another key, keeps that. Raises SchemaError with the line to change.
    """
    section = same_name(plan.target, config.hypertables)
    if section is None:
        return plan
    settings = config.hypertables[section]
    time = _time_column(plan, settings)
    _check_columns(plan, settings)
    wide = (*plan.key, time.name)
    if not plan.created or time.name in plan.key or (there and there.keys and set(there.keys[0]) != set(wide)):
        return replace(plan, hypertable=_hypertable(settings, time, ()))
    return replace(plan, key=wide, hypertable=_hypertable(settings, time, _identity(plan)))


def _hypertable(settings: HypertableConfig, time: ColumnPlan, identity: tuple[str, ...]) -> HypertablePlan:
    return HypertablePlan(
        time.name,
        time.type.base,
        settings.chunk_interval,
        settings.epoch,
        settings.segment_by,
        settings.order_by,
        settings.compress_after,
        settings.retain,
        identity,
    )


def _identity(plan: TablePlan) -> tuple[str, ...]:
    own = {expression.lower() for expression in plan.source_key}
    return plan.key if own == {column.expression.lower() for column in plan.key_columns} else ()


def _time_column(plan: TablePlan, settings: HypertableConfig) -> ColumnPlan:
    column = next((column for column in plan.columns if column.name == settings.time_column), None)
    line = f"[hypertable:{plan.target}] time_column"
    if column is None:
        raise SchemaError(
            f"{line} names {settings.time_column}, which the target's table does not have",
            where=plan.name,
            advice=f"Write one of: {', '.join(column.name for column in plan.columns)}",
        )
    if column.type.base not in _TIMES:
        how = (
            f"Write [table:{plan.name}] type.{column.name} = date, or timestamptz: rows whose text is none are rejected"
        )
        raise SchemaError(
            f"its time column {column.name} is {column.type.name}, which no hypertable can be cut by: {column.why}",
            where=plan.name,
            advice=how if plan.created else f"Change the column's type in the target, or {line}",
        )
    return column


def _check_columns(plan: TablePlan, settings: HypertableConfig) -> None:
    there = {column.name for column in plan.columns}
    for key, names in (("segment_by", settings.segment_by), ("order_by", [name for name, _ in settings.order_by])):
        if unknown := [name for name in names if name not in there]:
            raise SchemaError(
                f"[hypertable:{plan.target}] {key} names {', '.join(unknown)}, which the target's table does not have",
                where=plan.name,
                advice=f"It has: {', '.join(sorted(there))}",
            )
    if settings.time_column in settings.segment_by:
        raise SchemaError(
            f"[hypertable:{plan.target}] segment_by names the time column: each row would be a segment of its own",
            where=plan.name,
            advice="Take it out; order_by is its place",
        )


def within_hypertables(plans: Mapping[str, TablePlan]) -> dict[str, TablePlan]:
    """The plans without the constraints that hypertables cannot have; each left out is told, and why."""
    narrowed = {name: _with_time_in_uniques(plan) for name, plan in plans.items()}
    by_target = {plan.target: plan for plan in narrowed.values()}
    return {name: _with_possible_foreign_keys(plan, by_target) for name, plan in narrowed.items()}


def _with_time_in_uniques(plan: TablePlan) -> TablePlan:
    if plan.hypertable is None or not plan.created:
        return plan
    time = plan.hypertable.time_column
    left = [(unique.name, unique.columns) for unique in plan.uniques if time not in unique.columns]
    left += [(index.name, index.members) for index in plan.indexes if index.unique]
    names = {name for name, _ in left}
    reason = f"unique keys of a hypertable hold its time column, {time}"
    return replace(
        plan,
        uniques=tuple(unique for unique in plan.uniques if unique.name not in names),
        indexes=tuple(index for index in plan.indexes if index.name not in names),
        not_carried=(*plan.not_carried, *(_left(plan, name, reason, f"UNIQUE ({', '.join(m)})") for name, m in left)),
    )


def _left(plan: TablePlan, name: str, reason: str, sql: str) -> Skipped:
    return Skipped(f"{plan.name}.{name}", f"{reason}: {sql}")


def _with_possible_foreign_keys(plan: TablePlan, by_target: Mapping[str, TablePlan]) -> TablePlan:
    if not plan.created:
        return plan
    refused = dict(_impossible(plan, plan.foreign_keys, by_target))
    told = (
        _left(
            plan, key.name, reason, f"FOREIGN KEY ({', '.join(map(identifier, key.columns))}) REFERENCES {key.parent}"
        )
        for key, reason in refused.items()
    )
    return replace(
        plan,
        foreign_keys=tuple(key for key in plan.foreign_keys if key not in refused),
        not_carried=(*plan.not_carried, *told),
    )


def _impossible(
    plan: TablePlan, keys: Iterable[ForeignKeyPlan], by_target: Mapping[str, TablePlan]
) -> Iterator[tuple[ForeignKeyPlan, str]]:
    for key in keys:
        parent = by_target.get(key.parent)
        if parent is None or parent.hypertable is None:
            continue
        unique = [set(parent.key), *(set(one.columns) for one in parent.uniques)]
        if plan.hypertable:
            yield key, "TimescaleDB has no foreign keys between hypertables"
        elif parent.created and set(key.parent_columns) not in unique:
            yield key, f"{parent.target} is a hypertable, and this key of it lacks the time column"
