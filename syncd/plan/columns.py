"""Which columns a table gets in the target, and which of them are its key."""

from collections.abc import Callable, Iterable

from syncd.config import TableConfig, TypeOverride
from syncd.errors import SchemaError
from syncd.model import Index, Table
from syncd.plan.blueprint import ROWID_KEY, ColumnPlan, TargetColumn, TargetTable
from syncd.plan.mapping import Carried
from syncd.plan.names import same_name
from syncd.plan.suggesting import FindTable, check_counterparts
from syncd.quoting import identifier
from syncd.types import MOMENTS, TargetType, canonical

Typing = Callable[[Carried], tuple[TargetType, str]]
"""Chooses the type of a created column, and says why."""

ROWID_COLUMN = "a number for each row, as the table has no key of its own; dropped at promotion"


def created_columns(
    table: Table, values: Iterable[Carried], settings: TableConfig, choose: Typing
) -> tuple[ColumnPlan, ...]:
    """The columns of a table that syncd creates. Raises SchemaError where `type.NAME` names none of them."""
    values = tuple(values)
    _check_types(table, settings, {value.name for value in values})
    return tuple(_created(table, value, settings, choose) for value in values)


def _created(table: Table, value: Carried, settings: TableConfig, choose: Typing) -> ColumnPlan:
    override = settings.types.get(value.name)
    if override:
        type_, why = _overriding(table, value.name, override), "set in the configuration"
    else:
        type_, why = choose(value)
    return ColumnPlan(
        value.name,
        value.expression,
        value.affinity,
        type_,
        not_null=bool(value.column and value.column.not_null),
        identity=value.expression == table.rowid and type_.name == "bigint",
        why=why,
    )


def _overriding(table: Table, name: str, override: TypeOverride) -> TargetType:
    type_ = TargetType(canonical(override.name), origin=override.origin)
    if override.origin and type_.base not in MOMENTS:
        raise SchemaError(
            f"type.{name} reads moments from {override.origin}, but {override.name} holds no moments",
            where=table.name,
            advice="Use date, timestamp or timestamptz",
        )
    return type_


def _check_types(table: Table, settings: TableConfig, names: set[str]) -> None:
    if unknown := [name for name in settings.types if name not in names]:
        raise SchemaError(
            f"type.{unknown[0]} names a column that the target's table will not have",
            where=table.name,
            advice=f"It has: {', '.join(sorted(names))}",
        )


def matched_columns(
    table: Table, existing: TargetTable, values: Iterable[Carried], settings: TableConfig, find: FindTable
) -> tuple[ColumnPlan, ...]:
    """The values matched with the columns of a table that is there; its types decide what becomes of them.

    `find` gives the source's table of a target's. Raises MappingError that names every column which has no
    counterpart, and what to write to settle it.
    """
    there = {column.name: column for column in existing.columns}
    matched, missing, given = [], [], {}
    for value in values:
        name = same_name(value.name, there)
        if name is None:
            missing.append(value)
        elif not there[name].generated:
            matched.append(_matched(table, value, there[name], settings))
            given[name] = value
    if ROWID_KEY in there and table.rowid and not any(column.name == ROWID_KEY for column in matched):
        matched.insert(0, rowid_column(table.rowid))
        given[ROWID_KEY] = Carried(ROWID_KEY, table.rowid, "INTEGER")
    check_counterparts(table, existing, settings, missing, given, find)
    return tuple(matched)


def rowid_column(rowid: str) -> ColumnPlan:
    return ColumnPlan(ROWID_KEY, rowid, "INTEGER", TargetType("bigint"), not_null=True, why=ROWID_COLUMN)


def _matched(table: Table, value: Carried, column: TargetColumn, settings: TableConfig) -> ColumnPlan:
    override = settings.types.get(column.name) or settings.types.get(value.name)
    if override and canonical(override.name) != column.type:
        raise SchemaError(
            f"type.{value.name} says {canonical(override.name)}, but the target's column is {column.type}",
            where=table.name,
            advice="A table that is there keeps its types: write the type that it has, or leave the key out",
        )
    origin = _overriding(table, value.name, override).origin if override else ""
    type_ = TargetType(column.type, scale_rounds=True, origin=origin, exact=column.exact)
    return ColumnPlan(column.name, value.expression, value.affinity, type_, column.not_null, why="the target's own")


def created_key(table: Table, settings: TableConfig, columns: tuple[ColumnPlan, ...]) -> tuple[str, ...]:
    """The configured key, else the source's primary key, else a NOT NULL unique index, else a column for the rowid."""
    if settings.key:
        return _configured_key(table, settings, columns)
    by_expression = {column.expression: column.name for column in columns}
    candidates = [table.primary_key] if table.primary_key else []
    candidates += [tuple(n for n in i.columns if n is not None) for i in table.indexes if _is_not_null_key(table, i)]
    for candidate in candidates:
        names = [by_expression.get(identifier(name)) for name in candidate]
        if None not in names:
            return tuple(name for name in names if name is not None)
    return (ROWID_KEY,)


def _configured_key(table: Table, settings: TableConfig, columns: tuple[ColumnPlan, ...]) -> tuple[str, ...]:
    names = {column.name for column in columns}
    unknown = [name for name in settings.key if name not in names]
    if unknown:
        raise SchemaError(
            f"key names {', '.join(unknown)}, which the target's table does not have",
            where=table.name,
            advice=f"It has: {', '.join(sorted(names))}",
        )
    return settings.key


def _is_not_null_key(table: Table, index: Index) -> bool:
    members = [table.column(name) for name in index.columns if name is not None]
    return (
        index.unique
        and not index.partial
        and len(members) == len(index.columns)
        and all(member is not None and member.not_null for member in members)
    )


def existing_key(
    table: Table, existing: TargetTable, columns: tuple[ColumnPlan, ...], settings: TableConfig
) -> tuple[str, ...]:
    """A primary key or NOT NULL unique key of the target's table, all of whose columns get values."""
    mapped = {column.name for column in columns}
    usable = [key for key in existing.keys if set(key) <= mapped]
    if settings.key:
        usable = [key for key in usable if set(key) == set(settings.key)]
    if not usable and existing.keys:
        raise SchemaError(
            f"not every column of the target's key ({', '.join(existing.keys[0])}) gets a value",
            where=table.name,
            advice=f"Write into [table:{table.name}] for each: column.NAME = an SQLite expression",
        )
    if not usable:
        raise SchemaError(
            "the target's table has no primary key or NOT NULL unique key",
            where=table.name,
            advice="Add a primary key to it, or drop the table and let syncd create it",
        )
    return usable[0]
