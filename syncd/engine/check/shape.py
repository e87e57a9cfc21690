"""Findings about TimescaleDB: a load goes on without what it cannot have, so none of them blocks."""

from collections.abc import Iterable, Iterator

from syncd.config import Config
from syncd.engine.check.findings import Finding, Gravity
from syncd.engine.timescale import planning
from syncd.engine.timescale.planning import Ground
from syncd.engine.timescale.steps import Kind
from syncd.errors import NotReadyError, SchemaError
from syncd.plan import Plan
from syncd.target import promotion
from syncd.target.database import Connection
from syncd.target.timescale import detection
from syncd.target.timescale.detection import Timescale


def of_shape(
    connection: Connection, schema: str, config: Config, plan: Plan, there: Iterable[str], *, quick: bool
) -> Iterator[Finding]:
    """What hinders the shape that the configuration wants; `there` are the tables of the target.

    The complete check looks as well at those that are to become hypertables with the rows that they have.
    """
    is_wanted = bool(config.hypertables or config.aggregates)
    if not (is_wanted or detection.is_installed(connection)):
        return
    try:
        timescale = detection.required(connection, install=False)
    except NotReadyError as error:
        yield _warning(f"{error.what}; tables are loaded as plain ones", error.advice)
        return
    if said := detection.warning(timescale, connection):
        yield _warning(said)
    yield from _of_licence(timescale, config)
    if not quick:
        wanted = {t.target: t.hypertable for t in plan.tables if t.hypertable}
        yield from _of_tables(Ground(connection, timescale, schema, config, wanted), wanted.keys() & set(there))


def _of_licence(timescale: Timescale, config: Config) -> Iterator[Finding]:
    tables = config.hypertables.values()
    if config.aggregates or any(table.compress_after or table.retain for table in tables):
        try:
            timescale.check_community("")
        except NotReadyError as error:
            yield _warning(error.what, error.advice)


def _of_tables(ground: Ground, tables: Iterable[str]) -> Iterator[Finding]:
    """What keeps tables that are there from being hypertables."""
    plain = sorted(set(tables) - ground.there().keys())
    foreign = promotion.not_owned(ground.connection, ground.schema, plain)
    for table in plain:
        if table in foreign:
            said = "it stays a plain table: the role of the target does not own it"
            yield _warning(said, f"As its owner: ALTER TABLE ... OWNER TO; or leave out [hypertable:{table}]", table)
            continue
        try:
            planning.steps(ground, table, Kind.HYPERTABLE)
        except SchemaError as error:
            yield _warning(f"it stays a plain table: {error.what}", error.advice, table)


def _warning(what: str, advice: str = "", table: str = "") -> Finding:
    return Finding(Gravity.WARNING, what, table, advice=advice)
