"""The full comparison: every row of the image against one frozen state of the target, both ways.

Rows are staged range by range, so the temporary space that it needs does not grow with the table.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack

from syncd.engine import doubles
from syncd.engine.crew import Job, run_crew
from syncd.engine.progress import Progress
from syncd.engine.sides import Sides
from syncd.engine.verify.findings import Findings
from syncd.engine.verify.image import Image
from syncd.engine.verify.look import AT_ONCE, second_opinion
from syncd.model import Batch, Range
from syncd.plan import TablePlan
from syncd.source import catalog as source_catalog
from syncd.source import duplicates, ranges, sample
from syncd.source.database import Database
from syncd.source.render import Renderer
from syncd.target import catalog as target_catalog
from syncd.target.compare import Comparison, frozen

ROWS_AT_ONCE = 50_000
ROWS_OF_HYPERTABLE = 200_000
"""Its compressed chunks are read whole for each stage."""
BYTES_AT_ONCE = 64 * 2**20
_DUPLICATE = "cannot land: a row with a higher rowid has the same key in the target"

Part = tuple[str, Range]


def scan(
    sides: Sides,
    image: Image,
    tables: Sequence[TablePlan],
    rejected: Mapping[str, frozenset[str]],
    progress: Progress,
    *,
    paranoid: bool = False,
) -> dict[str, Findings]:
    """Compare every row of these tables; returns what was found, by table. `paranoid` asks for a second opinion."""
    with ExitStack() as stack:
        first = _Worker(sides, image, "", progress, paranoid=paranoid)
        stack.callback(first.close)
        workers = [first]
        for _ in range(sides.config.sync.workers - 1):
            workers.append(_Worker(sides, image, first.snapshot, progress, paranoid=paranoid))
            stack.callback(workers[-1].close)
        found = {plan.name: first.begin(plan, rejected.get(plan.name, frozenset())) for plan in tables}
        jobs = {name: Job(frozenset(), first.parts(one.plan)) for name, one in found.items()}
        run_crew(
            workers,
            jobs,
            lambda worker, part: worker.compare(found[part[0]], part[1]),
            lambda worker, name: worker.finish(found[name]),
        )
    return found


def still_extra(sides: Sides, image: Image, plan: TablePlan, keys: Iterable[str]) -> list[str]:
    """Those of the target's keys that the target still holds, and no row of the image has."""
    worker = _Worker(sides, image, "", None, paranoid=False)
    try:
        return list(worker.unmatched(plan, keys))
    finally:
        worker.close()


class _Worker:
    """One thread's connections: to the image, and to the target in a transaction that sees one state of it."""

    def __init__(self, sides: Sides, image: Image, of: str, progress: Progress | None, *, paranoid: bool) -> None:
        self._sides = sides
        self._progress = progress
        self._paranoid = paranoid
        self._stack = ExitStack()
        self._source: Database = image.open()
        self._stack.callback(self._source.close)
        self._connection = sides.connect()
        self._stack.callback(self._connection.close)
        self.snapshot = self._stack.enter_context(frozen(self._connection, sides.schema, of))

    def close(self) -> None:
        self._stack.close()

    def begin(self, plan: TablePlan, rejected: frozenset[str]) -> Findings:
        with self._source.reading() as connection:
            rows = source_catalog.row_count(connection, plan.name, plan.where)
        pairs = doubles.find_within(self._connection, self._sides.schema, self._source, plan)
        if self._progress:
            self._progress.table_started(plan.name, rows)
        return Findings(plan, rows, rejected, frozenset(loser for loser, _ in pairs))

    def parts(self, plan: TablePlan) -> tuple[Part, ...]:
        """Ranges for the crew: as many as workers, where the table has rowids and is large enough."""
        with self._source.reading() as connection:
            spans = ranges.spans(connection, plan, self._sides.config.sync.workers, ROWS_AT_ONCE)
        return tuple((plan.name, ranges.whole(plan, until, after)) for after, until in spans)

    def compare(self, found: Findings, rows: Range) -> None:
        """Compare a range, one stage after the other."""
        comparison = Comparison(self._connection, self._sides.schema, found.plan)
        read = staged = size = 0
        most = ROWS_OF_HYPERTABLE if found.plan.hypertable else ROWS_AT_ONCE
        for batch in self._batches(found.plan, rows):
            found.refuse({r.source_key: f"cannot land: {r.message}" for r in batch.refusals})
            if batch.rows:
                filled = comparison.fill(batch.payload, batch.rows, found.rejected)
                found.refuse(filled.refused)
                staged += filled.rows
            read, size = read + batch.read, size + len(batch.payload)
            if staged >= most or size >= BYTES_AT_ONCE:
                self._compare_staged(comparison, found, read, staged)
                read = staged = size = 0
        self._compare_staged(comparison, found, read, staged)

    def _batches(self, plan: TablePlan, rows: Range) -> Iterator[Batch]:
        """Keyed batches; of a live file each in a transaction of its own."""
        renderer = Renderer(self._source.connection, plan)
        while True:
            with self._source.reading():
                batch = renderer.next(rows, keyed=True)
            if batch is None:
                return
            yield batch
            if batch.final:
                return
            rows = ranges.after(rows, batch.last)

    def _compare_staged(self, comparison: Comparison, found: Findings, read: int, staged: int) -> None:
        if found.losers:
            dropped = comparison.drop(found.losers)
            found.refuse(dict.fromkeys(dropped, _DUPLICATE))
            staged -= len(dropped)
        unequal = comparison.unequal() if staged else []
        if shown := found.to_show(unequal):
            found.values |= comparison.values(shown)
        if self._paranoid:
            second_opinion(comparison, found, lambda keys: self._raw(found.plan, list(keys)), self._timezone)
        comparison.empty()
        found.add(read, staged, unequal)
        if self._progress:
            self._progress.advanced(found.plan.name, read)

    def _raw(self, plan: TablePlan, keys: Sequence[str]) -> Mapping[str, sample.Values]:
        with self._source.reading() as connection:
            return sample.values(connection, plan, keys)

    @property
    def _timezone(self) -> str:
        return self._sides.target.timezone

    def finish(self, found: Findings) -> None:
        """Every staged row has a target row of its own: where the target has no more than those, none is extra.

        Where deletes are not carried over, rows that the source has no longer are no difference.
        """
        found.target_rows = target_catalog.row_count(self._connection, self._sides.schema, found.plan.target)
        found.check_matched()
        if found.plan.deletes and found.matched != found.target_rows:
            found.add_extra(self.unmatched(found.plan))
        found.older = self._older(found.plan, sorted(found.rejected - found.losers))
        if self._progress:
            self._progress.table_finished(found.plan.name)

    def _older(self, plan: TablePlan, rejected: Sequence[str]) -> int:
        """How many of these rows, which cannot land as they are, the target holds all the same."""
        keys = duplicates.keys(plan)
        held = 0
        for start in range(0, len(rejected), AT_ONCE):
            comparison = Comparison(self._connection, self._sides.schema, keys)
            for batch in self._batches(keys, ranges.of_keys(keys, rejected[start : start + AT_ONCE])):
                if batch.rows:
                    held += comparison.fill(batch.payload, batch.rows).rows
            held -= sum(row.missing for row in comparison.unequal())
        return held

    def unmatched(self, plan: TablePlan, among: Iterable[str] | None = None) -> Iterator[str]:
        """The keys that the target holds and the image does not; `among` limits them to such CSV lines.

        The keys of all rows are staged, also of those whose other values cannot land.
        """
        keys = duplicates.keys(plan)
        comparison = Comparison(self._connection, self._sides.schema, keys)
        for batch in self._batches(keys, ranges.whole(keys)):
            if batch.rows:
                comparison.fill(batch.payload, batch.rows)
        yield from comparison.unstaged(among)
        comparison.empty()
