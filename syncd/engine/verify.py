"""Verify: are both sides equal? Counted, or counted and compared in random rows, in the target's own types.

The source's side is read in the transaction of a pass, after its rows, and the pass is applied before anything is
compared: so what is compared is one state of the source, and rows that are written meanwhile are no differences.
"""

import time
from dataclasses import dataclass, field

import apsw

from syncd.engine.catchup import Catchup
from syncd.engine.sides import Sides
from syncd.errors import ConfigError
from syncd.log import event
from syncd.model import Batch, Difference, TableVerdict, VerifyReport
from syncd.plan import Plan, TablePlan
from syncd.source import catalog as source_catalog
from syncd.source import ranges, sample
from syncd.source.render import Renderer
from syncd.target import catalog as target_catalog
from syncd.target import reject
from syncd.target.database import Connection, transaction
from syncd.target.stage import Stage

SAMPLE_ROWS = 1000
_AT_ONCE = 500


@dataclass
class _Image:
    """The source's side: row counts and rendered rows of one state of it."""

    sample_rows: int
    wanted: tuple[str, ...]
    plans: list[TablePlan] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    batches: dict[str, list[Batch]] = field(default_factory=dict)

    def take(self, connection: apsw.Connection, plan: Plan) -> None:
        names = {table.name.lower() for table in plan.tables}
        unknown = [name for name in self.wanted if name.lower() not in names]
        if unknown:
            raise ConfigError(f"no such table: {', '.join(unknown)}", where="--tables")
        chosen = {name.lower() for name in self.wanted} or names
        self.plans = [table for table in plan.tables if table.name.lower() in chosen]
        for table in self.plans:
            self.counts[table.name] = source_catalog.row_count(connection, table.name, table.where)
            self.batches[table.name] = list(self._sample(connection, table))

    def _sample(self, connection: apsw.Connection, table: TablePlan) -> list[Batch]:
        keys = sample.keys(connection, table, self.sample_rows) if self.sample_rows else []
        renderer = Renderer(connection, table)
        parts = [keys[start : start + _AT_ONCE] for start in range(0, len(keys), _AT_ONCE)]
        return [b for part in parts for b in renderer.batches(ranges.of_keys(table, part), keyed=True)]


def verify(
    sides: Sides, mode: str, tables: tuple[str, ...] = (), *, sync: bool = True, rows: int = SAMPLE_ROWS
) -> VerifyReport:
    """Compare both sides; `mode` is counts or sample, `rows` how many of each table are sampled.

    `sync = False` compares without a pass before it: what the source has and the target has not yet are differences.
    """
    began = time.monotonic()
    image = _Image(rows if mode == "sample" else 0, tables)
    catchup = Catchup(sides)
    try:
        if sync:
            catchup.run(observe=image.take)
        else:
            there = sides.look_at_target()
            with sides.source.transaction() as connection:
                image.take(connection, sides.plan(connection, there))
        orphans = _orphans(catchup.connection, sides.schema)
        verdicts = tuple(_compare(sides, catchup.stage, image, plan, orphans) for plan in image.plans)
    finally:
        catchup.close()
    report = VerifyReport(mode, verdicts, time.monotonic() - began)
    found = len(report.differences)
    event("WARNING" if found else "INFO", "verified", f"verified by {mode}: {found} differences", differences=found)
    return report


def _orphans(connection: Connection, schema: str) -> dict[str, list[Difference]]:
    """Rows of the target that violate one of its foreign keys, by table."""
    found: dict[str, list[Difference]] = {}
    for key in target_catalog.foreign_keys(connection, schema):
        if count := target_catalog.orphan_count(connection, schema, key):
            detail = f"{count} rows have no parent in {key.parent}"
            found.setdefault(key.table, []).append(Difference(key.table, "foreign key", key.name, detail))
    return found


def _compare(
    sides: Sides, stage: Stage, image: _Image, plan: TablePlan, orphans: dict[str, list[Difference]]
) -> TableVerdict:
    name, connection = sides.state.source_name, stage.connection
    rejected = frozenset(reject.keys(connection, name).get(plan.name, ()))
    in_source, in_target = image.counts[plan.name], target_catalog.row_count(connection, sides.schema, plan.target)
    differences = list(orphans.get(plan.target, []))
    # Of a rejected row the target may hold an older version, or none.
    if not in_source - len(rejected) <= in_target <= in_source:
        said = f"{in_source} rows in the source, {len(rejected)} of them rejected, {in_target} in the target"
        differences.append(Difference(plan.name, "count", "", said))
    stage.prepare(plan)
    for batch in image.batches[plan.name]:
        differences += _differing(stage, plan, batch, rejected)
    compared = sum(batch.read for batch in image.batches[plan.name])
    return TableVerdict(plan.name, in_source, in_target, len(rejected), compared, tuple(differences))


def _differing(stage: Stage, plan: TablePlan, batch: Batch, rejected: frozenset[str]) -> list[Difference]:
    refused = [r for r in batch.refusals if r.source_key not in rejected]
    unexpected = [Difference(plan.name, "missing", r.source_key, f"cannot land: {r.message}") for r in refused]
    if not batch.rows:
        return unexpected
    with transaction(stage.connection):
        stage.begin()
        stage.fill(plan, batch.payload)
        rows = stage.differing(plan)
    return unexpected + [
        Difference(plan.name, "different" if columns else "missing", key, ", ".join(columns))
        for key, _, columns in rows
        if key not in rejected
    ]
