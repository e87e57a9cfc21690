"""What only promotion may do to the tables that syncd created: the form that they keep.

Foreign keys get the source's actions and are checked at once, secondary unique constraints too, unique indexes take the
place of the exclusion constraints that stood for them, and the column `_syncd_rowid` goes. All of it runs in the
transaction of the caller, which commits it together with the state `promoted`, or not at all.
"""

from collections.abc import Callable, Iterable, Mapping

from psycopg import sql

from syncd.plan import ROWID_KEY, ForeignKeyPlan, IndexPlan, TablePlan, UniquePlan
from syncd.target import exclusive
from syncd.target.database import Connection, translated
from syncd.target.ddl import BUILD_MEMORY
from syncd.target.sql import statement
from syncd.target.standing import Standing, constraints

_STALE_SHARE = 0.01
"""Statistics that speak of more changes than this share of the rows are made anew."""


def finalise(
    connection: Connection, schema: str, plans: Iterable[TablePlan], waiting: Callable[[str], None]
) -> tuple[str, ...]:
    """Give the created tables their final form; returns the statements that it took, none where it was given before.

    While other sessions keep one of them, `waiting` is called as `exclusive.take` does. Raises psycopg's IntegrityError
    where the rows do not permit the form, TargetUnavailableError where a table is kept for a minute.
    """
    queries: list[sql.Composed] = []
    tables: set[str] = set()
    with translated():
        # Nobody waits for this transaction but the application's readers, and the whole server is at its disposal.
        connection.execute("SELECT set_config('maintenance_work_mem', %s, true)", [BUILD_MEMORY])
        for plan in plans:
            if plan.created:
                there = constraints(connection, schema, plan.target)
                wanted = list(_final(plan, schema, there))
                if plan.key == (ROWID_KEY,) and _has_rowid(connection, schema, plan):
                    wanted.append(_drop_rowid(schema, plan))
                if wanted:
                    queries += wanted
                    tables |= {plan.target, *(key.parent for key in plan.foreign_keys if key.name in there)}
        if tables:
            exclusive.take(connection, schema, sorted(tables), waiting)
        for query in queries:
            connection.execute(query)
    return tuple(query.as_string(connection) for query in queries)


def _final(plan: TablePlan, schema: str, there: Mapping[str, Standing]) -> Iterable[sql.Composed]:
    """What a table's constraints still lack; those that could not be created are left out."""
    table = sql.Identifier(schema, plan.target)
    for unique in plan.uniques:
        if (known := there.get(unique.name)) and known.awaits_index:
            yield from _unfinished(schema, known)
            yield _unique(table, unique, known)
    for index in plan.indexes:
        if index.unique and (known := there.get(index.name)) and known.awaits_index:
            yield from _unfinished(schema, known)
            yield from _unique_index(table, schema, index, known)
    for key in plan.foreign_keys:
        if (known := there.get(key.name)) and known.kind == "f" and known.deferrable:
            yield _foreign_key(table, schema, key, known, anew=plan.hypertable is not None)


def _unfinished(schema: str, known: Standing) -> Iterable[sql.Composed]:
    """Remove an index whose building was given up."""
    if known.is_built is False:
        yield sql.SQL("DROP INDEX {}").format(sql.Identifier(schema, known.replacement))


def _unique(table: sql.Identifier, unique: UniquePlan, known: Standing) -> sql.Composed:
    ready = sql.SQL("USING INDEX {}").format(sql.Identifier(known.replacement))
    members = ready if known.is_built else sql.SQL("({})").format(_names(unique.columns))
    return sql.SQL("ALTER TABLE {0} DROP CONSTRAINT {1}, ADD CONSTRAINT {1} UNIQUE {2}").format(
        table, sql.Identifier(unique.name), members
    )


def _unique_index(table: sql.Identifier, schema: str, index: IndexPlan, known: Standing) -> Iterable[sql.Composed]:
    name = sql.Identifier(index.name)
    yield sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(table, name)
    if known.is_built:
        yield sql.SQL("ALTER INDEX {} RENAME TO {}").format(sql.Identifier(schema, known.replacement), name)
        return
    where = f" WHERE {index.where}" if index.where else ""
    yield sql.SQL("CREATE UNIQUE INDEX {} ON {} ({}){}").format(
        name, table, sql.SQL(", ".join(index.members)), sql.SQL(where)
    )


def _foreign_key(
    table: sql.Identifier, schema: str, key: ForeignKeyPlan, known: Standing, *, anew: bool
) -> sql.Composed:
    """Its actions can only be given by making it anew, which checks every row; without any it is not made anew.

    A compressed hypertable refuses ALTER CONSTRAINT ("operation not supported on hypertables that have columnstore
    enabled"): there it is made `anew`.
    """
    name = sql.Identifier(key.name)
    if not anew and (key.on_update, key.on_delete) == (known.on_update, known.on_delete):
        return sql.SQL("ALTER TABLE {} ALTER CONSTRAINT {} NOT DEFERRABLE").format(table, name)
    return sql.SQL(
        "ALTER TABLE {0} DROP CONSTRAINT {1}, ADD CONSTRAINT {1} FOREIGN KEY ({2}) REFERENCES {3} ({4})"
        " ON UPDATE {5} ON DELETE {6}"
    ).format(
        table,
        name,
        _names(key.columns),
        sql.Identifier(schema, key.parent),
        _names(key.parent_columns),
        sql.SQL(key.on_update),
        sql.SQL(key.on_delete),
    )


def _has_rowid(connection: Connection, schema: str, plan: TablePlan) -> bool:
    there = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " WHERE c.relnamespace = to_regnamespace(quote_ident(%s)) AND c.relname = %s AND a.attname = %s)",
        [schema, plan.target, ROWID_KEY],
    ).fetchall()
    return bool(there[0][0])


def keeping_rowid(connection: Connection, schema: str, plans: Iterable[TablePlan]) -> tuple[tuple[str, str], ...]:
    """What keeps a key of syncd's own from being dropped, each with its table: a view over all columns, as a rule."""
    tables = [plan.target for plan in plans if plan.created and plan.key == (ROWID_KEY,)]
    given = {"schema": schema, "tables": tables, "column": ROWID_KEY}
    with translated():
        return tuple(connection.execute(statement("keeping_rowid"), given).fetchall())


def _drop_rowid(schema: str, plan: TablePlan) -> sql.Composed:
    """A key of syncd's own ends with it."""
    return sql.SQL("ALTER TABLE {} DROP COLUMN {}").format(
        sql.Identifier(schema, plan.target), sql.Identifier(ROWID_KEY)
    )


def _names(columns: Iterable[str]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def analyze(connection: Connection, schema: str, tables: Iterable[str]) -> tuple[str, ...]:
    """Make the planner's statistics anew where the rows changed by more than 1 % since; returns those tables."""
    with translated():
        rows = connection.execute(
            "SELECT relname FROM pg_stat_user_tables WHERE schemaname = %s AND relname = ANY (%s)"
            " AND (coalesce(last_analyze, last_autoanalyze) IS NULL OR n_mod_since_analyze > n_live_tup * %s)",
            [schema, list(tables), _STALE_SHARE],
        ).fetchall()
        for (table,) in rows:
            connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(schema, table)))
    return tuple(table for (table,) in rows)


def may_create(connection: Connection, schema: str) -> bool:
    """Whether our role may create an index in the schema, and with it a unique constraint."""
    with translated():
        rows = connection.execute("SELECT has_schema_privilege(%s, 'CREATE')", [schema]).fetchall()
    return bool(rows[0][0])


def not_owned(connection: Connection, schema: str, tables: Iterable[str]) -> tuple[str, ...]:
    """Those of the tables that our role may not alter: it is not in the role that owns them."""
    with translated():
        rows = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(%s)) AND relname = ANY (%s)"
            " AND NOT pg_has_role(relowner, 'USAGE')",
            [schema, list(tables)],
        ).fetchall()
    return tuple(table for (table,) in rows)
