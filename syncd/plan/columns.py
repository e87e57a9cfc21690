"""Which columns a table gets, which of them are its key, and which mark finds its new rows."""

import re
from collections.abc import Callable

from syncd.config import TableConfig, WatermarkKind
from syncd.errors import SchemaError
from syncd.model import Index, Table
from syncd.plan.blueprint import ROWID_KEY, ColumnPlan, MarkPlan, TargetTable
from syncd.plan.names import cut_name, same_name
from syncd.quoting import identifier
from syncd.types import TargetType, created_type

_DATE_MARK = re.compile(
    r"(last_?)?(updated?|modified|modification|changed?)(_?(at|on|date|time|timestamp|ts))?|mtime|date_?(updated|modified)",
    re.IGNORECASE,
)


def created_columns(table: Table) -> tuple[ColumnPlan, ...]:
    return tuple(
        ColumnPlan(
            cut_name(column.name),
            identifier(column.name),
            column.affinity,
            TargetType(created_type(column.declared_type)),
            not_null=column.not_null,
            identity=identifier(column.name) == table.rowid,
        )
        for column in table.columns
    )


def matched_columns(table: Table, existing: TargetTable) -> tuple[ColumnPlan, ...]:
    there = {column.name: column for column in existing.columns}
    matched, missing = [], []
    for column in table.columns:
        name = same_name(cut_name(column.name), there)
        if name is None:
            missing.append(column.name)
        elif not there[name].generated:
            type_ = TargetType(there[name].type, scale_rounds=True)
            matched.append(ColumnPlan(name, identifier(column.name), column.affinity, type_, there[name].not_null))
    if missing:
        raise SchemaError(
            f"the target's table lacks the source's columns {', '.join(missing)}",
            where=table.name,
            advice="Add them to the target's table",
        )
    if ROWID_KEY in there and table.rowid:
        matched.insert(0, ColumnPlan(ROWID_KEY, table.rowid, "INTEGER", TargetType("bigint"), not_null=True))
    return tuple(matched)


def created_key(table: Table, settings: TableConfig, columns: tuple[ColumnPlan, ...]) -> tuple[str, ...]:
    if settings.key:
        return _configured_key(table, settings, columns)
    if table.primary_key:
        return tuple(cut_name(name) for name in table.primary_key)
    for index in table.indexes:
        if _is_not_null_key(table, index):
            return tuple(cut_name(name) for name in index.columns if name)
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
    members = [table.column(name) for name in index.columns if name]
    return (
        index.unique
        and not index.partial
        and len(members) == len(index.columns)
        and all(member is not None and member.not_null for member in members)
    )


def existing_key(
    table: Table, existing: TargetTable, columns: tuple[ColumnPlan, ...], settings: TableConfig
) -> tuple[str, ...]:
    mapped = {column.name for column in columns}
    usable = [key for key in existing.keys if set(key) <= mapped]
    if settings.key:
        usable = [key for key in existing.keys if set(key) == set(settings.key)]
    if not usable:
        raise SchemaError(
            "the target's table has no primary key or NOT NULL unique key whose columns the source has",
            where=table.name,
            advice="Add a primary key to it, or drop the table and let syncd create it",
        )
    return usable[0]


def mark(table: Table, settings: TableConfig, usable_date: Callable[[Table, str], bool]) -> MarkPlan:
    kind, named = settings.watermark.kind, settings.watermark.column
    rowid = table.rowid
    if kind is WatermarkKind.NONE:
        return MarkPlan(why="set in the configuration")
    if kind is WatermarkKind.DATE:
        column = table.column(named or "")
        if column is None:
            raise SchemaError(f"watermark names the column {named}, which the source does not have", where=table.name)
        return MarkPlan(rowid, column.name, settings.lookback, "set in the configuration")
    if kind is WatermarkKind.ROWID:
        if rowid is None:
            raise SchemaError(
                "watermark = rowid, but the table is WITHOUT ROWID", where=table.name, advice="Use date:COLUMN or none"
            )
        return MarkPlan(rowid, why="set in the configuration")
    for column in table.columns:
        if column.not_null and _DATE_MARK.fullmatch(column.name) and usable_date(table, column.name):
            return MarkPlan(rowid, column.name, settings.lookback, "a NOT NULL date that tells when a row changed")
    return MarkPlan(rowid, why="the rowid tells new rows" if rowid else "no rowid and no date that tells changes")
