"""Making a table a hypertable while it is empty: later its rows would have to move, under a lock."""

from syncd.engine.sides import Sides
from syncd.engine.timescale.planning import Ground, check_keys, proposed_interval
from syncd.errors import NotReadyError, SchemaError
from syncd.log import event
from syncd.plan import TablePlan
from syncd.plan.shape import epoch_unit
from syncd.source.database import Database
from syncd.source.extent import extent
from syncd.target import catalog
from syncd.target.database import transaction
from syncd.target.timescale import detection, facts, statements, tables
from syncd.target.timescale.statements import Shaping


def make_empty(sides: Sides, table: TablePlan, source: Database) -> None:
    """Make an empty table the hypertable that its plan wants; where TimescaleDB is not, say so and leave it plain.

    Raises SchemaError where TimescaleDB refuses.
    """
    plan = table.hypertable
    if plan is None or not catalog.is_empty(sides.control, sides.schema, table.target):
        return
    try:
        timescale = detection.required(sides.control, install=True)
    except NotReadyError as error:
        said = f"{table.name}: loaded as a plain table: {error.what}. {error.advice}; then syncd timescale"
        event("WARNING", "timescale_skipped", said, table=table.name)
        return
    if table.target in tables.hypertables(sides.control, sides.schema):
        return
    epoch = plan.epoch or "s"
    ground = Ground(sides.control, timescale, sides.schema, sides.config, {table.target: plan})
    try:
        check_keys(ground, Shaping(sides.schema, table.target, plan, epoch))
    except SchemaError as error:
        event("WARNING", "timescale_refused", f"loaded as a plain table: {error}", table=table.name)
        return
    with source.transaction() as connection:
        seen = extent(connection, table, plan.time_column)
    shaping = Shaping(sides.schema, table.target, plan, plan.epoch or epoch_unit(int(seen.greatest)))
    seconds = seen.span / (statements.PER_SECOND[shaping.epoch] if plan.is_integer else 1)
    interval = proposed_interval(sides.control, shaping, facts.Extent(seen.rows, 0, seconds, 0))
    with transaction(sides.control):
        for statement in statements.create_hypertable(timescale, shaping, interval.value, migrate=False):
            sides.control.execute(statement.encode())
    event("INFO", "hypertable", f"{table.name}: a hypertable, in chunks of {interval.value}", table=table.name)
