"""Where a sweep has no base: every row of the source beside the target, both ways, in PostgreSQL's own types.

Rows are staged range by range, so that neither memory nor temporary space grow with the rows; the keys of all rows are
staged once at the end where the target may hold more than the source.
"""

from collections.abc import Iterator
from contextlib import closing

from syncd.engine.pending import Pending
from syncd.engine.sides import Sides
from syncd.model import Batch
from syncd.plan import TablePlan
from syncd.source import duplicates, ranges
from syncd.source.database import Database
from syncd.source.render import Renderer
from syncd.target.catalog import row_count
from syncd.target.compare import Comparison, frozen

ROWS_AT_ONCE = 50_000
BYTES_AT_ONCE = 64 * 2**20


def compare(sides: Sides, image: Database, plan: TablePlan, pending: Pending) -> None:
    """Add to `pending` the keys of all rows that the two sides do not have alike."""
    with closing(sides.connect()) as connection, frozen(connection, sides.schema):
        matched = _compare_rows(Comparison(connection, sides.schema, plan), image, pending)
        if plan.deletes and matched != row_count(connection, sides.schema, plan.target):
            keys = duplicates.keys(plan)
            comparison = Comparison(connection, sides.schema, keys)
            for batch in batches(image, keys):
                if batch.rows:
                    comparison.fill(batch.payload, batch.rows)
            for key in comparison.unstaged():
                pending.add("", [key])


def _compare_rows(comparison: Comparison, image: Database, pending: Pending) -> int:
    """Stage and compare all rows; returns how many of them the target has, alike or not."""
    matched = rows = size = 0
    for batch in batches(image, comparison.plan):
        for refusal in batch.refusals:
            pending.add(refusal.source_key, ())
        if batch.rows:
            filled = comparison.fill(batch.payload, batch.rows)
            for key in filled.refused:
                pending.add(key, ())
            rows, size = rows + filled.rows, size + len(batch.payload)
        if rows >= ROWS_AT_ONCE or size >= BYTES_AT_ONCE:
            matched += rows - _settle(comparison, pending)
            rows = size = 0
    return matched + rows - _settle(comparison, pending)


def _settle(comparison: Comparison, pending: Pending) -> int:
    """Compare what is staged; returns how many rows the target lacks."""
    unequal = comparison.unequal()
    for row in unequal:
        pending.add(row.source_key, ())
    comparison.empty()
    return sum(row.missing for row in unequal)


def batches(image: Database, plan: TablePlan, *, normal_keys: bool = True) -> Iterator[Batch]:
    """All rows of the table; of a live file each batch in a transaction of its own."""
    renderer, rows = Renderer(image.connection, plan, normal_keys=normal_keys), ranges.whole(plan)
    while True:
        with image.reading():
            batch = renderer.next(rows, keyed=True)
        if batch is None:
            return
        yield batch
        if batch.final:
            return
        rows = ranges.after(rows, batch.last)
