"""The plan: which tables, in what order, with which key, mark, columns and constraints; and why."""

from syncd.plan.blueprint import (
    ROWID_KEY,
    CheckPlan,
    ColumnPlan,
    ForeignKeyPlan,
    HypertablePlan,
    IndexPlan,
    MarkPlan,
    Plan,
    RowCheck,
    TablePlan,
    TargetColumn,
    TargetTable,
    UniquePlan,
)
from syncd.plan.columns import Typing
from syncd.plan.making import Facts, by_declared_type, make, targets_of
from syncd.plan.mapping import Carried, carried
from syncd.plan.names import cut_name
from syncd.plan.order import parents_first

AUTO_DATE_ROWS = 100_000
"""Rows from which on a date column without an index is no automatic mark: every pass would scan the table."""

__all__ = [
    "AUTO_DATE_ROWS",
    "ROWID_KEY",
    "Carried",
    "CheckPlan",
    "ColumnPlan",
    "Facts",
    "ForeignKeyPlan",
    "HypertablePlan",
    "IndexPlan",
    "MarkPlan",
    "Plan",
    "RowCheck",
    "TablePlan",
    "TargetColumn",
    "TargetTable",
    "Typing",
    "UniquePlan",
    "by_declared_type",
    "carried",
    "cut_name",
    "make",
    "parents_first",
    "targets_of",
]
