"""Rows that a unique value of another row keeps from landing: which row has it, and moving such rows at once.

The row that has the value may be gone from the source, or have another value there by now: the source is to be asked
for it. Where both rows are on the stage, as after a swap, each waits for the other: they are deleted and inserted in
one statement, which unique constraints and foreign keys without an action are checked after.
"""

from collections.abc import Collection
from dataclasses import dataclass

import psycopg
from psycopg import sql

from syncd.plan import TablePlan
from syncd.target import one_by_one
from syncd.target.database import Connection, savepoint
from syncd.target.sql import statement

REASONS = {"23505": "unique", "23P01": "exclusion"}
"""Why such a row is refused, by SQLSTATE."""


@dataclass(frozen=True)
class Holder:
    """The row `waiting`, a source key, wants what the target's row `target_key` has; it is staged as `source_key`."""

    waiting: str
    target_key: str
    source_key: str | None


@dataclass(frozen=True)
class _Unique:
    """A unique index or an exclusion constraint; `columns` are None at an expression."""

    columns: tuple[str | None, ...]
    expressions: tuple[str, ...]
    operators: tuple[str, ...]
    condition: str | None


class Conflicts:
    """The rows of a text stage, within the caller's transaction, that a unique value keeps from landing."""

    def __init__(self, connection: Connection, schema: str, plan: TablePlan, text: sql.Identifier, key: str) -> None:
        """`text` is the stage, `key` the column of its source keys."""
        self._connection = connection
        self._plan = plan
        self._text = text
        self._key = sql.Identifier(key)
        self._target = sql.Identifier(schema, plan.target)
        self._carried = [column.name for column in plan.columns]
        self._columns = connection.execute(
            "SELECT attname::text, format_type(atttypid, atttypmod), attgenerated <> '' FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            [self._target.as_string()],
        ).fetchall()

    def holders(self, waiting: Collection[str]) -> list[Holder]:
        """Who has what these rows want. A condition that cannot be told may name a row too many, never one too few."""
        found = []
        for unique in self._uniques():
            if (query := self._query(unique, waiting)) is not None:
                with savepoint(self._connection):
                    found += [Holder(*row) for row in self._connection.execute(query).fetchall()]
        return found

    def _uniques(self) -> list[_Unique]:
        rows = self._connection.execute(
            statement("unique_indexes"), {"table": self._target.as_string(), "key": sorted(self._plan.key)}
        ).fetchall()
        return [
            _Unique(tuple(columns), tuple(expressions), tuple(operators), condition)
            for columns, expressions, operators, condition in rows
        ]

    def _query(self, unique: _Unique, waiting: Collection[str]) -> sql.Composed | None:
        """The query for the holders; None where the index is over columns that the source lacks alone."""
        members = [
            (number, sql.SQL(expression), sql.SQL(operator))
            for number, (column, expression, operator) in enumerate(
                zip(unique.columns, unique.expressions, unique.operators, strict=True)
            )
            if column is None or column in self._carried
        ]
        if not members:
            return None
        keys = [sql.Identifier(name) for name in self._plan.key]
        wanted = sql.SQL("").join(sql.SQL(", {} AS x{}").format(e, sql.SQL(str(n))) for n, e, _ in members)
        return sql.SQL(
            "WITH s AS MATERIALIZED ({staged}),"
            " w AS MATERIALIZED (SELECT syncd_waiting, {keys}{wanted} FROM s),"
            " t AS NOT MATERIALIZED (SELECT {keys}{wanted} FROM {target} WHERE {condition})"
            " SELECT w.syncd_waiting, concat_ws(',', {fields}), s.syncd_waiting"
            " FROM w JOIN t ON {same} AND NOT ({own}) LEFT JOIN s ON {staged_too}"
        ).format(
            staged=self._staged(waiting),
            keys=sql.SQL(", ").join(keys),
            wanted=wanted,
            target=self._target,
            condition=sql.SQL(unique.condition or "true"),
            fields=sql.SQL(", ").join(
                sql.SQL("'''' || replace(t.{}::text, '''', '''''') || ''''").format(name) for name in keys
            ),
            staged_too=_same("s", "t", keys),
            same=sql.SQL(" AND ").join(
                sql.SQL("t.x{0} {1} w.x{0}").format(sql.SQL(str(n)), operator) for n, _, operator in members
            ),
            own=_same("w", "t", keys),
        )

    def _staged(self, waiting: Collection[str]) -> sql.Composed:
        """The query for these staged rows in the types of the target's columns; NULL for those the source lacks."""
        casts = dict(zip(self._carried, one_by_one.casts(self._plan), strict=True))
        values = sql.SQL(", ").join(
            sql.SQL("{} AS {}").format(
                casts.get(name) or sql.SQL("NULL::{}").format(sql.SQL(type_)), sql.Identifier(name)
            )
            for name, type_, _ in self._columns
        )
        return sql.SQL("SELECT r.{0} AS syncd_waiting, {1} FROM {2} r WHERE r.{0} = ANY({3}::text[])").format(
            self._key, values, self._text, sql.Literal(list(waiting))
        )

    def move(self, waiting: Collection[str], holders: Collection[Holder]) -> int:
        """Let rows that wait for each other land, all in one statement; returns how many rows of the target changed.

        What the target alone knows of such a row stays with it. Nothing is moved where a foreign key would take
        children along, nor where some of the rows cannot land even so.
        """
        rows = _in_circles(waiting, holders)
        if not rows or self._takes_children_along():
            return 0
        names = [sql.Identifier(name) for name, _, is_generated in self._columns if not is_generated]
        values = [
            sql.Identifier("s" if name in self._carried else "o", name)
            for name, _, is_generated in self._columns
            if not is_generated
        ]
        keys = [sql.Identifier(name) for name in self._plan.key]
        query = sql.SQL(
            "WITH s AS MATERIALIZED ({staged}),"
            " o AS (DELETE FROM {target} t USING s WHERE {found} RETURNING t.*)"
            # Counted first, so that all are deleted before one is inserted.
            " INSERT INTO {target} ({names}) OVERRIDING SYSTEM VALUE"
            " SELECT {values} FROM o JOIN s ON {same} WHERE (SELECT count(*) FROM o) > 0"
        ).format(
            staged=self._staged(rows),
            target=self._target,
            found=_same("s", "t", keys),
            names=sql.SQL(", ").join(names),
            values=sql.SQL(", ").join(values),
            same=_same("s", "o", keys),
        )
        try:
            with savepoint(self._connection):
                return self._connection.execute(query).rowcount
        except (psycopg.errors.IntegrityError, psycopg.errors.DataError):
            return 0

    def _takes_children_along(self) -> bool:
        """Whether deleting a row deletes or changes rows that refer to it, or is refused at once for them."""
        query = (
            "SELECT EXISTS (SELECT FROM pg_constraint"
            " WHERE contype = 'f' AND confrelid = %s::regclass AND confdeltype <> 'a')"
        )
        return bool(self._connection.execute(query, [self._target.as_string()]).fetchall()[0][0])


def _in_circles(waiting: Collection[str], holders: Collection[Holder]) -> frozenset[str]:
    """The rows that wait for none but each other, or for nobody any longer."""
    rows = frozenset(waiting)
    while stuck := frozenset(h.waiting for h in holders if h.waiting in rows and h.source_key not in rows):
        rows -= stuck
    return rows


def _same(one: str, other: str, keys: list[sql.Identifier]) -> sql.Composed:
    return sql.SQL(" AND ").join(
        sql.SQL("{}.{} = {}.{}").format(sql.SQL(one), key, sql.SQL(other), key) for key in keys
    )
