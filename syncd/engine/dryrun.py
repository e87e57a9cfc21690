"""The dry run: every row read, converted and offered to the target in transactions that are rolled back."""

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace

from syncd.config import Config, ForeignKeys
from syncd.engine import doubles
from syncd.engine.crew import Job, run_crew
from syncd.engine.parts import ROWS_WORTH_A_PART
from syncd.engine.preview import NOTHING_THERE
from syncd.engine.progress import Progress
from syncd.engine.sides import Sides, plan_sides, source_path
from syncd.engine.trying import Cause, Part, Try, Worker
from syncd.model import Refusal
from syncd.plan import Plan, TablePlan
from syncd.source import catalog, duplicates, orphans, ranges
from syncd.source.database import Database
from syncd.target.text_stage import duplicate_key

LOAD_FOR_TRYING = 1.4
"""Seconds of a load for each second of a dry run with the target: 1.0 to 1.7 for 926,325 rows on 2 busy cores.

A load also writes PostgreSQL's log and builds the keys.
"""
LOAD_FOR_RENDERING = 1.7
"""Seconds of a load for each second of rendering alone in one thread: 926,325 rows, 2 cores, PostgreSQL beside it."""


@dataclass(frozen=True)
class DryRunTable:
    """What a dry run found in one table; `error` says why a load would stop it, empty where it would not."""

    table: str
    rows: int
    bytes: int
    seconds: float
    causes: tuple[Cause, ...] = ()
    error: str = ""

    @property
    def refused(self) -> int:
        """Rows that would be rejected; one that is an orphan beside another fault counts twice."""
        return sum(cause.rows for cause in self.causes if not cause.lands)


@dataclass(frozen=True)
class DryRunReport:
    """`with_target` is false where only the source was asked. The estimate is made from this run's own reading."""

    tables: tuple[DryRunTable, ...]
    seconds: float
    estimated_load_seconds: float
    with_target: bool = True

    @property
    def stopped(self) -> tuple[DryRunTable, ...]:
        return tuple(table for table in self.tables if table.error)


def dry_run(sides: Sides, progress: Progress) -> DryRunReport:
    """Try every planned table on both sides. The source is read live, a batch a transaction; nothing is kept.

    Raises StopError, and RetryError when the target goes away.
    """
    there = sides.look_at_target()
    with sides.source.transaction() as connection:
        plan = sides.plan(connection, there)

    def worker() -> Worker:
        return Worker(sides.source, sides.schema, sides.connect())

    def find(table: TablePlan) -> doubles.Pairs:
        return doubles.find(sides.control, sides.schema, sides.source, table)

    found, seconds = _try_all(sides.source, plan, worker, find, sides.config.sync.workers, progress)
    return DryRunReport(found, seconds, seconds * LOAD_FOR_TRYING)


def dry_run_of_source(config: Config, progress: Progress) -> DryRunReport:
    """The same without a target: what SQLite's values tell of the types of an empty one."""
    with closing(Database(source_path(config))) as source:
        with source.transaction() as connection:
            plan = plan_sides(connection, NOTHING_THERE, config, str(source.path))

        def find(table: TablePlan) -> doubles.Pairs:
            with source.transaction() as connection:
                return duplicates.find(connection, table)

        found, seconds = _try_all(source, plan, lambda: Worker(source, config.target.schema_), find, 1, progress)
    return DryRunReport(found, seconds, seconds * LOAD_FOR_RENDERING, with_target=False)


def _try_all(
    source: Database,
    plan: Plan,
    new_worker: Callable[[], Worker],
    find: Callable[[TablePlan], doubles.Pairs],
    count: int,
    progress: Progress,
) -> tuple[tuple[DryRunTable, ...], float]:
    """What was found in each table, and the seconds that reading and offering the rows took."""
    tries = {table.name: _begin(source, table, find(table), progress) for table in plan.tables}
    jobs = {name: Job(frozenset(), _parts(source, one, count)) for name, one in tries.items()}

    def finish(_: Worker, table: str) -> None:
        tries[table].end()

    began = time.monotonic()
    with ExitStack() as opened:
        workers = [opened.enter_context(closing(new_worker())) for _ in range(count)]
        run_crew(workers, jobs, lambda worker, part: worker.read(tries[part.table], part.rows), finish)
    seconds = time.monotonic() - began
    refused = tuple(DryRunTable(error.where, 0, 0, 0.0, error=str(error)) for error in plan.refused)
    return refused + tuple(_told(one, _orphans(source, plan, one.plan)) for one in tries.values()), seconds


def _begin(source: Database, plan: TablePlan, pairs: doubles.Pairs, progress: Progress) -> Try:
    """Count a table's rows, and refuse those that give way to another with the same key in the target."""
    with source.transaction() as connection:
        progress.table_started(plan.name, catalog.row_count(connection, plan.name, plan.where))
    losers = [duplicate_key(key, winner) for key, winner in pairs]
    begun = Try(plan, frozenset(loser.source_key for loser in losers), progress)
    begun.add(len(losers), 0, losers)
    return begun


def _parts(source: Database, one: Try, workers: int) -> tuple[Part, ...]:
    """The parts of a load; of a table with keys a single one, as a trial knows no rows but its own."""
    plan = one.plan
    with source.transaction() as connection:
        spans = ranges.spans(connection, plan, workers if plan.created else 1, ROWS_WORTH_A_PART)
    return tuple(
        Part(plan.name, ranges.without(ranges.whole(plan, until, after), plan, one.left_out)) for after, until in spans
    )


def _told(one: Try, lost: tuple[Cause, ...]) -> DryRunTable:
    done = DryRunTable(one.plan.name, one.rows, one.bytes, one.seconds, one.causes + lost, one.error)
    ratio = one.plan.max_reject_ratio
    if done.error or done.refused <= ratio * done.rows:
        return done
    error = f"{done.refused} of {done.rows} rows would be rejected, more than max_reject_ratio = {ratio:g} allows"
    return replace(done, error=error)


def _orphans(source: Database, plan: Plan, table: TablePlan) -> tuple[Cause, ...]:
    """The rows without a parent, by foreign key; where the source does not know the parents they are not counted."""
    by_target = {other.target: other for other in plan.tables}
    with source.transaction() as connection:
        found = [
            orphans.find(connection, table, key, parent)
            for key in table.foreign_keys
            if (parent := by_target.get(key.parent)) and orphans.is_countable(table, key, parent)
        ]
    lands = table.created and plan.foreign_keys is not ForeignKeys.ENFORCE
    return tuple(
        Cause(
            "orphan",
            ", ".join(one.key.columns),
            one.count,
            tuple(Refusal(key, "orphan", f"{values} is in no row of {one.key.parent}") for key, values in one.examples),
            lands,
        )
        for one in found
        if one.count
    )
