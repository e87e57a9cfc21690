"""The dry run: renders every row as a load would, writes nothing, and says how long the load will take."""

import time
from dataclasses import dataclass

from syncd.config import Config
from syncd.engine.progress import Progress
from syncd.engine.sides import TargetSide, plan_sides, source_path
from syncd.model import Refusal
from syncd.plan import TablePlan
from syncd.source import catalog, ranges
from syncd.source.database import Database
from syncd.source.render import Renderer

LOAD_FOR_RENDERING = 1.7
"""Seconds of a load for each second of rendering alone in one thread: 926,325 rows, 2 cores, PostgreSQL beside it."""


@dataclass(frozen=True)
class DryRunTable:
    """What a dry run read of one table; `refused` counts the rows that could not land, and examples say why."""

    table: str
    rows: int
    bytes: int
    refused: int
    seconds: float
    examples: tuple[Refusal, ...] = ()


@dataclass(frozen=True)
class DryRunReport:
    tables: tuple[DryRunTable, ...]
    seconds: float
    estimated_load_seconds: float


def dry_run(config: Config, progress: Progress) -> DryRunReport:
    """Render every planned table from the live file, a batch a transaction. The target is not asked."""
    began = time.monotonic()
    source = Database(source_path(config))
    try:
        with source.transaction() as connection:
            plan = plan_sides(connection, TargetSide({}, {}), config, str(source.path))
        tables = tuple(_render(source, table, progress) for table in plan.tables)
    finally:
        source.close()
    seconds = time.monotonic() - began
    return DryRunReport(tables, seconds, seconds * LOAD_FOR_RENDERING)


def _render(source: Database, plan: TablePlan, progress: Progress) -> DryRunTable:
    began = time.monotonic()
    renderer = Renderer(source.connection, plan)
    rows = ranges.whole(plan)
    done = DryRunTable(plan.name, 0, 0, 0, 0.0)
    with source.transaction() as connection:
        progress.table_started(plan.name, catalog.row_count(connection, plan.name, plan.where))
    while True:
        with source.transaction():
            batch = renderer.next(rows, keyed=False)
        if batch is None:
            break
        rows = ranges.after(rows, batch.last)
        done = DryRunTable(
            plan.name,
            done.rows + batch.read,
            done.bytes + len(batch.payload),
            done.refused + len(batch.refusals),
            time.monotonic() - began,
            (done.examples + batch.refusals)[:3],
        )
        progress.advanced(plan.name, batch.read)
    progress.table_finished(plan.name)
    return done
