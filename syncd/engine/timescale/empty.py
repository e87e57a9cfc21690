"""Making a table a hypertable while it is empty: later its rows would have to move, under a lock."""

from syncd.engine.sides import Sides
from syncd.engine.timescale.planning import Ground, check_keys, proposed_interval
from syncd.errors import NotReadyError, RefusedError, SchemaError
from syncd.log import event
from syncd.plan import HypertablePlan, TablePlan
from syncd.plan.shape import epoch_unit
from syncd.source.database import Database, SourceConnection
from syncd.source.extent import extent
from syncd.target import catalog
from syncd.target.database import transaction
from syncd.target.timescale import detection, facts, statements, tables
from syncd.target.timescale.refusal import refusing
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


def planned(sides: Sides, table: TablePlan, connection: SourceConnection) -> tuple[str, ...]:
    """The statements by which a load would make a missing table a hypertable; none where that cannot be."""
    if table.hypertable is None:
        return ()
    found = detection.detect(sides.control)
    if isinstance(found, detection.Blocked):
        return ()
    timescale = detection.required(sides.control, install=False)
    install = ["CREATE EXTENSION IF NOT EXISTS timescaledb"] if isinstance(found, detection.Installable) else []
    shaping, interval = _shaping(sides, table, table.hypertable, connection)
    return (*install, *statements.create_hypertable(timescale, shaping, interval, migrate=False))


def _make(
    sides: Sides, table: TablePlan, plan: HypertablePlan, timescale: detection.Timescale, source: Database
) -> None:
    with source.transaction() as connection:
        shaping, interval = _shaping(sides, table, plan, connection)
    check_keys(Ground(sides.control, timescale, sides.schema, sides.config, {table.target: plan}), shaping)
    with transaction(sides.control), refusing(table.name, f"Correct [hypertable:{table.target}]"):
        for statement in statements.create_hypertable(timescale, shaping, interval, migrate=False):
            sides.control.execute(statement.encode())
    event("INFO", "hypertable", f"{table.name}: a hypertable, in chunks of {interval}", table=table.name)


def _shaping(sides: Sides, table: TablePlan, plan: HypertablePlan, connection: SourceConnection) -> tuple[Shaping, str]:
    """What the source's rows say of a hypertable: its unit of time, and the interval of its chunks."""
    seen = extent(connection, table, plan.time_column)
    shaping = Shaping(sides.schema, table.target, plan, plan.epoch or epoch_unit(int(seen.greatest)))
    seconds = seen.span / (statements.PER_SECOND[shaping.epoch] if plan.is_integer else 1)
    return shaping, proposed_interval(sides.control, shaping, facts.Extent(seen.rows, 0, seconds, 0)).value
