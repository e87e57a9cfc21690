"""Which mark finds a table's new rows."""

import re
from collections.abc import Callable

from syncd.config import TableConfig, WatermarkKind
from syncd.errors import SchemaError
from syncd.model import Column, Table
from syncd.plan.blueprint import MarkPlan

_DATE_MARK = re.compile(
    r"(last_?)?(updated?|modified|modification|changed?)(_?(at|on|date|time|timestamp|ts))?|mtime|date_?(updated|modified)",
    re.IGNORECASE,
)


def mark(table: Table, settings: TableConfig, usable_date: Callable[[Table, str], bool]) -> MarkPlan:
    kind, named = settings.watermark.kind, settings.watermark.column
    rowid = table.rowid
    if kind is WatermarkKind.NONE:
        return MarkPlan(why="set in the configuration")
    if kind is WatermarkKind.DATE:
        column = table.column(named) if named else None
        if column is None:
            raise SchemaError(f"watermark names the column {named}, which the source does not have", where=table.name)
        return MarkPlan(rowid, column.name, settings.lookback, "set in the configuration")
    if kind is WatermarkKind.ROWID:
        if rowid is None:
            raise SchemaError(
                "watermark = rowid, but the table is WITHOUT ROWID", where=table.name, advice="Use date:COLUMN or none"
            )
        return MarkPlan(rowid, why="set in the configuration")
    for column in likely_marks(table):
        if usable_date(table, column.name):
            return MarkPlan(rowid, column.name, settings.lookback, "a NOT NULL date that tells when a row changed")
    return MarkPlan(rowid, why="the rowid tells new rows" if rowid else "no rowid and no date that tells changes")


def likely_marks(table: Table) -> tuple[Column, ...]:
    """The NOT NULL columns whose names say that they tell when a row changed."""
    return tuple(column for column in table.columns if column.not_null and _DATE_MARK.fullmatch(column.name))
