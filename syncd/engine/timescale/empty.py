"""Making a table a hypertable while it is empty: later its rows would have to move, under a lock."""

from syncd.engine.sides import Sides
from syncd.engine.timescale.planning import Ground, check_keys, proposed_interval
from syncd.errors import NotReadyError, RefusedError, SchemaError
from syncd.log import event
from syncd.plan import HypertablePlan, TablePlan
from syncd.plan.shape import epoch_unit
from syncd.source.database import Database
from syncd.source.extent import extent
from syncd.target import catalog
from syncd.target.database import transaction, translated
from syncd.target.timescale import detection, facts, statements, tables
from syncd.target.timescale.statements import Shaping


def make_empty(sides: Sides, table: TablePlan, source: Database) -> None:
    """Make an empty table the hypertable that its plan wants. Where that cannot be it says why, and leaves it plain."""
    plan = table.hypertable
    if plan is None or not catalog.is_empty(sides.control, sides.schema, table.target):
        return
    try:
        timescale = detection.required(sides.control, install=True)
        if table.target not in tables.hypertables(sides.control, sides.schema):
            _make(sides, table, plan, timescale, source)
    except NotReadyError as error:
        said = f"{table.name}: loaded as a plain table: {error.what}. {error.advice}; then syncd timescale"
        event("WARNING", "timescale_skipped", said, table=table.name)
    except (SchemaError, RefusedError) as error:
        event("WARNING", "timescale_refused", f"loaded as a plain table: {error}", table=table.name)


def _make(
    sides: Sides, table: TablePlan, plan: HypertablePlan, timescale: detection.Timescale, source: Database
) -> None:
    with source.transaction() as connection:
        seen = extent(connection, table, plan.time_column)
    shaping = Shaping(sides.schema, table.target, plan, plan.epoch or epoch_unit(int(seen.greatest)))
    check_keys(Ground(sides.control, timescale, sides.schema, sides.config, {table.target: plan}), shaping)
    seconds = seen.span / (statements.PER_SECOND[shaping.epoch] if plan.is_integer else 1)
    interval = proposed_interval(sides.control, shaping, facts.Extent(seen.rows, 0, seconds, 0))
    with translated(table.name), transaction(sides.control):
        for statement in statements.create_hypertable(timescale, shaping, interval.value, migrate=False):
            sides.control.execute(statement.encode())
    event("INFO", "hypertable", f"{table.name}: a hypertable, in chunks of {interval.value}", table=table.name)
