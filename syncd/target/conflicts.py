"""Rows that a unique value of another row keeps from landing: which row has it, and moving such rows at once.

The row that has the value may be gone from the source, or have another value there by now: the source is to be asked
for it. Where both rows are on the stage, as after a swap, each waits for the other: they are deleted and inserted in
one statement, which unique constraints and foreign keys without an action are checked after. Where that fails, some of
the rows cannot land even so: the others are found by halves, holders first.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import psycopg
from psycopg import sql

from syncd.plan import TablePlan
from syncd.target import one_by_one
from syncd.target.circles import holders_first
from syncd.target.database import Connection, bringing_rows, is_row_fault, savepoint
from syncd.target.deleting import takes_children_along
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
class Moved:
    """How many rows of the target changed; `free` may land by now, holders first, `stuck` wait for others even so."""

    rows: int
    free: tuple[str, ...]
    stuck: frozenset[str]


@dataclass(frozen=True)
class _Unique:
    """A unique index or an exclusion constraint; `columns` are None at an expression."""

    columns: tuple[str | None, ...]
    expressions: tuple[str, ...]
    operators: tuple[str, ...]
    condition: str | None


class Conflicts:
    """Rows of a table, within the caller's transaction, that a unique value keeps from landing."""

    def __init__(self, connection: Connection, schema: str, plan: TablePlan, text: sql.Identifier, key: str) -> None:
        """`text` is a stage of such rows alone, `key` the column of their source keys."""
        self._connection = connection
        self._schema = schema
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

    def holders(self, waiting: Collection[str] | None = None) -> list[Holder]:
        """Who has what these rows want, or all: perhaps a row too many where a condition cannot be told."""
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

    def _query(self, unique: _Unique, waiting: Collection[str] | None) -> sql.Composed | None:
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
            # What no index is over is not read: the rows may be long.
            "WITH w AS MATERIALIZED (SELECT syncd_waiting, {keys}{wanted} FROM ({staged}) s),"
            " t AS NOT MATERIALIZED (SELECT {keys}{wanted} FROM {target} WHERE {condition})"
            " SELECT w.syncd_waiting, concat_ws(',', {fields}), h.syncd_waiting"
            " FROM w JOIN t ON {same} AND NOT ({own}) LEFT JOIN w h ON {staged_too}"
        ).format(
            staged=self._staged(waiting),
            keys=sql.SQL(", ").join(keys),
            wanted=wanted,
            target=self._target,
            condition=sql.SQL(unique.condition or "true"),
            fields=sql.SQL(", ").join(
                sql.SQL("'''' || replace(t.{}::text, '''', '''''') || ''''").format(name) for name in keys
            ),
            staged_too=_same("h", "t", keys),
            same=sql.SQL(" AND ").join(
                sql.SQL("t.x{0} {1} w.x{0}").format(sql.SQL(str(n)), operator) for n, _, operator in members
            ),
            own=_same("w", "t", keys),
        )

    def _staged(self, waiting: Collection[str] | None) -> sql.Composed:
        """The query for these staged rows in the types of the target's columns; NULL for those the source lacks."""
        casts = dict(zip(self._carried, one_by_one.casts(self._plan), strict=True))
        values = sql.SQL(", ").join(
            sql.SQL("{} AS {}").format(
                casts.get(name) or sql.SQL("NULL::{}").format(sql.SQL(type_)), sql.Identifier(name)
            )
            for name, type_, _ in self._columns
        )
        rows = sql.SQL("SELECT r.{} AS syncd_waiting, {} FROM {} r").format(self._key, values, self._text)
        if waiting is None:
            return rows
        return sql.SQL("{} WHERE r.{} = ANY({}::text[])").format(rows, self._key, sql.Literal(list(waiting)))

    def move(self, holders: Collection[Holder]) -> Moved:
        """Let the rows that wait for each other land.

        What the target alone knows of such a row stays with it. Nothing is moved where a foreign key would take
        children along. A row that waits for one that cannot move stays.
        """
        waits_for: dict[str, set[str]] = {}
        stuck: set[str] = set()
        for holder in holders:
            waits_for.setdefault(holder.waiting, set()).update([holder.source_key] if holder.source_key else [])
            if holder.source_key is None:
                stuck.add(holder.waiting)
        groups = holders_first(waits_for)
        moved, left = 0, [] if takes_children_along(self._connection, self._schema, self._plan.target) else [groups]
        while left:
            some = list(_free(left.pop(), waits_for, stuck))
            rows = frozenset[str]().union(*some)
            changed = self._move_at_once(rows) if rows else 0
            if changed is not None:
                moved += changed
            elif len(some) == 1:
                stuck |= rows
            else:
                half = len(some) // 2
                left += [some[half:], some[:half]]
        free = tuple(row for group in _free(groups, waits_for, stuck) for row in group)
        return Moved(moved, free, frozenset(stuck))

    def _move_at_once(self, rows: frozenset[str]) -> int | None:
        """Delete and insert these rows in one statement; None, and nothing is done, where one of them cannot land."""
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
            with bringing_rows(), savepoint(self._connection):
                return self._connection.execute(query).rowcount
        except psycopg.Error as error:
            if not is_row_fault(error):
                raise
            return None


def _free(
    groups: Collection[frozenset[str]], waits_for: Mapping[str, Collection[str]], stuck: set[str]
) -> Iterator[frozenset[str]]:
    """The groups that wait for none that is stuck, given holders first; the others are `stuck` as well."""
    for group in groups:
        if stuck.isdisjoint(group) and all(stuck.isdisjoint(waits_for.get(row, ())) for row in group):
            yield group
        else:
            stuck |= group


def _same(one: str, other: str, keys: list[sql.Identifier]) -> sql.Composed:
    return sql.SQL(" AND ").join(
        sql.SQL("{}.{} = {}.{}").format(sql.SQL(one), key, sql.SQL(other), key) for key in keys
    )
