"""How many rows a table has, and how far apart in time they are: a look at a few of them."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import apsw

from syncd.plan import TablePlan
from syncd.quoting import identifier
from syncd.source.database import query
from syncd.types import rendering

_SAMPLES = 200


@dataclass(frozen=True)
class SourceExtent:
    """`rows` is an estimate; `span` is in seconds, of an integer time column in its own unit."""

    rows: int
    span: float
    greatest: float


def extent(connection: apsw.Connection, plan: TablePlan, time: str) -> SourceExtent:
    """Look at rows that lie evenly between the first rowid and the last; at all where there are no rowids."""
    column = next(column for column in plan.columns if column.name == time)
    field = rendering(column.expression, column.affinity, column.type).field
    table = identifier(plan.source.name)
    if plan.source.rowid:
        least, most = query(connection, f"SELECT min({plan.source.rowid}), max({plan.source.rowid}) FROM {table}")[0]
        if least is None:
            return SourceExtent(0, 0, 0)
        step = max(1, (most - least) // _SAMPLES)
        picked = ",".join(str(rowid) for rowid in {*range(least, most, step), most})
        found = query(connection, f"SELECT {field} FROM {table} WHERE {plan.source.rowid} IN ({picked})")
        rows = most - least + 1
    else:
        found = query(connection, f"SELECT {field} FROM {table}")
        rows = len(found)
    times = [moment for (text,) in found if (moment := _seconds(text)) is not None]
    return SourceExtent(rows, max(times) - min(times), max(times)) if times else SourceExtent(rows, 0, 0)


def _seconds(text: object) -> float | None:
    """What a rendered field says: a number as it is, a moment in seconds since 1970."""
    if isinstance(text, int | float):
        return text
    written = str(text).strip("'")
    with suppress(ValueError):
        return float(written)
    with suppress(ValueError):
        moment = datetime.fromisoformat(written)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return None
