"""The plan: which tables, in what order, with which key, mark, columns and constraints; and why."""

from syncd.plan.blueprint import (
    ROWID_KEY,
    ColumnPlan,
    ForeignKeyPlan,
    IndexPlan,
    MarkPlan,
    Plan,
    RowCheck,
    TablePlan,
    TargetColumn,
    TargetTable,
    UniquePlan,
)
from syncd.plan.making import make
from syncd.plan.names import cut_name
from syncd.plan.order import parents_first

AUTO_DATE_ROWS = 100_000
"""Rows from which on a date column without an index is no automatic mark: every pass would scan the table."""

__all__ = [
    "AUTO_DATE_ROWS",
    "ROWID_KEY",
    "ColumnPlan",
    "ForeignKeyPlan",
    "IndexPlan",
    "MarkPlan",
    "Plan",
    "RowCheck",
    "TablePlan",
    "TargetColumn",
    "TargetTable",
    "UniquePlan",
    "cut_name",
    "make",
    "parents_first",
]
