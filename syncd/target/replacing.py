"""The unique indexes of the final form, built before the fence beside the constraints that serve until the promotion.

Behind the fence they only take those one's places: building one there takes 0.5 s for 900,000 rows, and minutes for a
large table, while writers wait. Until then a conflict ends a statement that a deferrable constraint would have let
through, and its rows come one by one, as into any table that has such an index of its own.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import psycopg
from psycopg import sql

from syncd.log import event
from syncd.plan import TablePlan
from syncd.target.database import Connection, translated
from syncd.target.ddl import BUILD_MEMORY
from syncd.target.stall import guard
from syncd.target.standing import Standing, constraints

_PATIENCE = "60s"
"""For each session that has an older transaction open, which CREATE INDEX CONCURRENTLY waits for."""
_BRIEFLY = "500ms"
_CANNOT_BE = (psycopg.errors.LockNotAvailable, psycopg.IntegrityError, psycopg.ProgrammingError)


def build(connection: Connection, schema: str, plans: Iterable[TablePlan]) -> int:
    """Build what promotion will need; returns how many indexes stand ready.

    Others read and write the tables meanwhile. One that cannot be built in time is left to the promotion, with a
    warning. Call it outside any transaction.
    """
    ready = 0
    for plan in plans:
        # TimescaleDB: "hypertables do not support concurrent index creation".
        if plan.created and plan.hypertable is None:
            there = constraints(connection, schema, plan.target)
            for name, definition in _wanted(plan):
                if (standing := there.get(name)) and standing.awaits_index:
                    ready += bool(standing.is_built) or _build(connection, schema, plan, standing, definition)
    return ready


def discard(connection: Connection, schema: str) -> None:
    """Remove what no promotion came for. What another session keeps from us stays until the next start or cutover.

    Nobody is to wait for it: an abort is under way. Call it outside any transaction.
    """
    with translated(), _settings(connection, {"lock_timeout": _BRIEFLY}):
        names = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(%s)) AND relkind = 'i'"
            " AND relname ~ '^syncd_final_[0-9]+$'",
            [schema],
        ).fetchall()
        for (name,) in names:
            try:
                _drop(connection, schema, name)
            except psycopg.errors.LockNotAvailable as error:
                event("WARNING", "index_left", f"{name}: not removed: {' '.join(str(error).split())}")


def _wanted(plan: TablePlan) -> Iterator[tuple[str, sql.Composable]]:
    """The name of each constraint that a unique index replaces, and what is in that."""
    for unique in plan.uniques:
        yield unique.name, sql.SQL(", ").join(map(sql.Identifier, unique.columns)) + sql.SQL(")")
    for index in plan.indexes:
        if index.unique:
            where = f" WHERE {index.where}" if index.where else ""
            yield index.name, sql.SQL(f"{', '.join(index.members)}){where}")


def _build(
    connection: Connection, schema: str, plan: TablePlan, standing: Standing, definition: sql.Composable
) -> bool:
    name = sql.Identifier(standing.replacement)
    query = sql.SQL("CREATE UNIQUE INDEX CONCURRENTLY {} ON {} (").format(name, sql.Identifier(schema, plan.target))
    settings = {"lock_timeout": _PATIENCE, "maintenance_work_mem": BUILD_MEMORY}
    with translated(plan.name), guard(connection), _settings(connection, settings):
        try:
            if standing.is_built is not None:
                _drop(connection, schema, standing.replacement)
            connection.execute(query + definition)
        except _CANNOT_BE as error:
            said = f"an index is left to the promotion: {' '.join(str(error).split())}"
            event("WARNING", "index_left", f"{plan.name}: {said}", table=plan.name)
            return False
    return True


def _drop(connection: Connection, schema: str, name: str) -> None:
    connection.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(schema, name)))


@contextmanager
def _settings(connection: Connection, settings: Mapping[str, str]) -> Iterator[None]:
    """Settings of the session for the block."""
    for name, value in settings.items():
        connection.execute("SELECT set_config(%s, %s, false)", [name, value])
    try:
        yield
    finally:
        if not connection.broken and not connection.closed:
            for name in settings:
                connection.execute(sql.SQL("RESET {}").format(sql.Identifier(name)))
