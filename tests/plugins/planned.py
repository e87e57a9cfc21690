"""A plan of one table by itself, for tests of what reads the source."""

from dataclasses import replace
from typing import Any

import apsw

from syncd.plan import Carried, ColumnPlan, MarkPlan, TablePlan, by_declared_type
from syncd.quoting import identifier
from syncd.source import catalog


def planned(connection: apsw.Connection, name: str, **changes: Any) -> TablePlan:
    """Every column of the table under its own name, keyed by its first column unless `changes` say otherwise."""
    table = catalog.read(connection).table(name)
    assert table is not None
    columns = tuple(
        ColumnPlan(
            c.name,
            identifier(c.name),
            c.affinity,
            by_declared_type(Carried(c.name, identifier(c.name), c.affinity, c))[0],
        )
        for c in table.columns
    )
    source_key = (table.rowid,) if table.rowid else tuple(map(identifier, table.primary_key))
    plan = TablePlan(
        source=table,
        target=name,
        columns=columns,
        key=table.primary_key or (columns[0].name,),
        source_key=source_key,
        mark=MarkPlan(table.rowid),
        batch_rows=5000,
        max_reject_ratio=1.0,
        created=True,
    )
    return replace(plan, **changes)
