"""The unique indexes of the final form, built before the fence beside the constraints that serve until the promotion.

Behind the fence they only take those one's places: building one there takes 0.5 s for 900,000 rows, and minutes for a
large table, while writers wait. Until then a conflict ends a statement that a deferrable constraint would have let
through, and its rows come one by one, as into any table that has such an index of its own.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager

import psycopg
from psycopg import sql

from syncd.log import event
from syncd.plan import TablePlan
from syncd.target.database import Connection, translated
from syncd.target.ddl import BUILD_MEMORY
from syncd.target.deleting import takes_children_along
from syncd.target.stall import guard
from syncd.target.standing import Standing, constraints

_PATIENCE = "30s"
"""For sessions that have an older transaction open, which CREATE INDEX CONCURRENTLY waits for."""
_BRIEFLY = "500ms"


def build(connection: Connection, schema: str, plans: Iterable[TablePlan]) -> int:
    """Build what promotion will need; returns how many indexes stand ready.

    Others read and write the tables meanwhile. What cannot be built is left to the promotion, with a warning; where a
    session does not let us, all that is left, as it would not let us build the next one either. Call it outside any
    transaction. Raises RefusedError where a right is missing, which the promotion needs as well.
    """
    ready = 0
    for plan in plans:
        for standing, definition in _wanted(connection, schema, plan):
            built = standing.is_built or _build(connection, schema, plan, standing, definition)
            if built is None:
                return ready
            ready += built
    return ready


def left_to_promotion(connection: Connection, schema: str, plan: TablePlan) -> int:
    """How many unique indexes of a table the promotion has to build."""
    there = constraints(connection, schema, plan.target) if plan.created else {}
    return sum(one.awaits_index and not one.is_built for one in there.values())


def is_built_before(connection: Connection, schema: str, plan: TablePlan) -> bool:
    """Whether the unique indexes of a table may be built before the promotion.

    TimescaleDB: "hypertables do not support concurrent index creation". And where deleting a row would change rows that
    refer to it, two rows that swap unique values can only be moved while the constraint is one that waits.
    """
    return plan.created and plan.hypertable is None and not takes_children_along(connection, schema, plan.target)


def discard(connection: Connection, schema: str, tables: Collection[str]) -> None:
    """Remove what no promotion of these tables came for. What others keep from us stays until the next start.

    Nobody is to wait for it: an abort is under way. Call it outside any transaction.
    """
    with translated(), _settings(connection, {"lock_timeout": _BRIEFLY}):
        names = connection.execute(
            "SELECT i.relname FROM pg_index x"
            " JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid"
            " WHERE i.relnamespace = to_regnamespace(quote_ident(%s)) AND c.relname = ANY (%s)"
            " AND i.relname ~ '^syncd_final_[0-9]+$'",
            [schema, list(tables)],
        ).fetchall()
        for (name,) in names:
            try:
                _drop(connection, schema, name)
            except (psycopg.errors.LockNotAvailable, psycopg.errors.InsufficientPrivilege) as error:
                event("WARNING", "index_left", f"{name}: not removed: {' '.join(str(error).split())}")


def _wanted(connection: Connection, schema: str, plan: TablePlan) -> Iterator[tuple[Standing, sql.Composable]]:
    """Each constraint of a table that a unique index will replace, and what is in that."""
    if is_built_before(connection, schema, plan):
        there = constraints(connection, schema, plan.target)
        for name, definition in _definitions(plan):
            if (standing := there.get(name)) and standing.awaits_index:
                yield standing, definition


def _definitions(plan: TablePlan) -> Iterator[tuple[str, sql.Composable]]:
    for unique in plan.uniques:
        yield unique.name, sql.SQL(", ").join(map(sql.Identifier, unique.columns)) + sql.SQL(")")
    for index in plan.indexes:
        if index.unique:
            where = f" WHERE {index.where}" if index.where else ""
            yield index.name, sql.SQL(f"{', '.join(index.members)}){where}")


def _build(
    connection: Connection, schema: str, plan: TablePlan, standing: Standing, definition: sql.Composable
) -> bool | None:
    """Whether it could be built; None where another session did not let us."""
    name = sql.Identifier(standing.replacement)
    query = sql.SQL("CREATE UNIQUE INDEX CONCURRENTLY {} ON {} (").format(name, sql.Identifier(schema, plan.target))
    settings = {"lock_timeout": _PATIENCE, "maintenance_work_mem": BUILD_MEMORY}
    with translated(plan.name), guard(connection), _settings(connection, settings):
        try:
            if standing.is_built is not None:
                _drop(connection, schema, standing.replacement)
            connection.execute(query + definition)
        except psycopg.errors.InsufficientPrivilege:
            raise
        except psycopg.errors.LockNotAvailable:
            _left(plan, "a session in PostgreSQL keeps an older transaction open")
            return None
        except (psycopg.IntegrityError, psycopg.ProgrammingError) as error:
            _left(plan, " ".join(str(error).split()))
            return False
    return True


def _left(plan: TablePlan, why: str) -> None:
    event("WARNING", "index_left", f"{plan.name}: final indexes are left to the promotion: {why}", table=plan.name)


def _drop(connection: Connection, schema: str, name: str) -> None:
    connection.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(schema, name)))


@contextmanager
def _settings(connection: Connection, settings: Mapping[str, str]) -> Iterator[None]:
    """Settings of the session for the block, and those of before again behind it."""
    before = [(name, connection.execute("SELECT current_setting(%s)", [name]).fetchall()[0][0]) for name in settings]
    _set(connection, settings.items())
    try:
        yield
    finally:
        if not connection.broken and not connection.closed:
            _set(connection, before)


def _set(connection: Connection, settings: Iterable[tuple[str, str]]) -> None:
    for name, value in settings:
        connection.execute("SELECT set_config(%s, %s, false)", [name, value])
