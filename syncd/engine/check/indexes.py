"""Findings about configured indexes: those of tables and columns that will not be there."""

from collections.abc import Iterator, Mapping

from syncd.config import Config
from syncd.engine.check.findings import Finding, Gravity
from syncd.errors import SchemaError
from syncd.plan import Plan, TargetTable
from syncd.plan.named import confirm_index
from syncd.plan.names import same_name


def of_indexes(config: Config, plan: Plan, there: Mapping[str, TargetTable]) -> Iterator[Finding]:
    """Indexes that could not be created after a load; nothing is known of tables that are refused or left out."""
    columns = {name: {column.name for column in table.columns} for name, table in there.items()}
    columns |= {t.target: {c.name for c in t.columns} | columns.get(t.target, set()) for t in plan.tables}
    source = {table.target: table.name for table in plan.tables}
    for name, index in config.indexes.items():
        if same_name(index.table, columns) is None:
            continue
        try:
            confirm_index(config, name, columns)
        except SchemaError as error:
            yield Finding(Gravity.BLOCKER, error.what, source.get(index.table, ""), advice=error.advice)
