"""Deleting rows by their target keys, as the target's own key compares them."""

from collections.abc import Collection
from dataclasses import dataclass

import psycopg
from psycopg import sql

from syncd.plan import TablePlan
from syncd.target.database import Connection, savepoint
from syncd.target.keys import stage_keys
from syncd.target.lines import TARGET_KEY
from syncd.target.timescale import segments

_REFERENCED = ("23503", "23001")
"""A row that other rows refer to cannot be deleted."""
_OTHER_JOINS = ("enable_hashjoin", "enable_mergejoin")


@dataclass(frozen=True)
class Deleted:
    """How many rows were deleted, and the target keys of those to which other rows still refer."""

    rows: int = 0
    left: frozenset[str] = frozenset()


def is_referenced(connection: Connection, schema: str, table: str) -> bool:
    """Whether a foreign key refers to the table."""
    name = sql.Identifier(schema, table).as_string()
    query = "SELECT EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND confrelid = %s::regclass)"
    return bool(connection.execute(query, [name]).fetchall()[0][0])


def takes_children_along(connection: Connection, schema: str, table: str) -> bool:
    """Whether deleting a row deletes or changes rows that refer to it, or is refused at once for them."""
    query = (
        "SELECT EXISTS (SELECT FROM pg_constraint"
        " WHERE contype = 'f' AND confrelid = to_regclass(%s) AND confdeltype <> 'a')"
    )
    return bool(connection.execute(query, [sql.Identifier(schema, table).as_string()]).fetchall()[0][0])


def delete(
    connection: Connection, schema: str, plan: TablePlan, vanished: frozenset[str], kept: frozenset[str]
) -> Deleted:
    """Delete the rows of the rendered keys `vanished`, but for those that equal one of `kept`.

    The keys are compared in the target's types, so that citext, numeric and collations decide as in its key.
    """
    deleting = _Deleting(connection, schema, plan)
    deleting.collect(vanished, kept)
    try:
        with savepoint(connection):
            time = segments.compressed_by(connection, schema, plan.target)
            rows = deleting.at_once() if time is None else deleting.by_segments(time)
    except psycopg.Error as error:
        if error.sqlstate not in _REFERENCED:
            raise
        return deleting.one_by_one()
    deleting.end()
    return Deleted(rows)


def count(connection: Connection, schema: str, plan: TablePlan, target_keys: Collection[str]) -> int:
    """How many of these rendered keys the target has; call it in a transaction."""
    deleting = _Deleting(connection, schema, plan)
    deleting.collect(frozenset(target_keys), frozenset())
    found = deleting.count()
    deleting.end()
    return found


class _Deleting:
    """The keys of one table in a temporary table of its own."""

    def __init__(self, connection: Connection, schema: str, plan: TablePlan) -> None:
        self._connection = connection
        self._plan = plan
        self._key = plan.key
        self._is_hypertable = plan.hypertable is not None
        self._target = sql.Identifier(schema, plan.target)
        self._keys = sql.Identifier("pg_temp", "syncd_vanished")
        self._kept = sql.Identifier("pg_temp", "syncd_kept")

    def _same(self, one: str, other: str) -> sql.Composed:
        return sql.SQL(" AND ").join(
            sql.SQL("{}.{} = {}.{}").format(sql.SQL(one), name, sql.SQL(other), name)
            for name in map(sql.Identifier, self._key)
        )

    def collect(self, vanished: frozenset[str], kept: frozenset[str]) -> None:
        for table, keys in ((self._keys, vanished), (self._kept, kept)):
            stage_keys(self._connection, table, self._target, self._plan, sorted(keys))
        if kept:
            self._connection.execute(
                sql.SQL("DELETE FROM {} v USING {} k WHERE {}").format(self._keys, self._kept, self._same("v", "k"))
            )

    def at_once(self) -> int:
        """Delete them by one statement, each key looked up in the index of the target's key.

        Left to itself the planner reads the whole target: 0.28 s instead of 0.08 for 50,000 keys of 1,000,000 rows, and
        more the larger it is. A hypertable has an index for each chunk, so there the choice is the planner's.
        """
        if self._is_hypertable:
            return self._delete()
        for setting in _OTHER_JOINS:
            self._connection.execute(f"SET LOCAL {setting} = off".encode())
        rows = self._delete()
        for setting in _OTHER_JOINS:
            self._connection.execute(f"SET LOCAL {setting} = DEFAULT".encode())
        return rows

    def _delete(self) -> int:
        query = sql.SQL("DELETE FROM {} t USING {} v WHERE {}").format(self._target, self._keys, self._same("t", "v"))
        return self._connection.execute(query).rowcount

    def by_segments(self, time: str) -> int:
        """The same in a hypertable that has compressed chunks, whose time column is `time`."""
        return segments.delete(self._connection, self._target, self._keys, self._key, time)

    def one_by_one(self) -> Deleted:
        """Delete what nothing refers to; each deleted key leaves the temporary table, so that the others remain."""
        block = sql.SQL(_BLOCK).format(keys=self._keys, target=self._target, same=self._same("t", "v"))
        before = self.count()
        self._connection.execute(sql.SQL("DO {}").format(sql.Literal(block.as_string())))
        rows = self._connection.execute(
            sql.SQL("SELECT {} FROM {}").format(sql.Identifier(TARGET_KEY), self._keys)
        ).fetchall()
        self.end()
        return Deleted(before - len(rows), frozenset(key for (key,) in rows))

    def count(self) -> int:
        """How many of the keys the target has."""
        query = sql.SQL("SELECT count(*) FROM {} t JOIN {} v ON {}").format(
            self._target, self._keys, self._same("t", "v")
        )
        return int(self._connection.execute(query).fetchall()[0][0])

    def end(self) -> None:
        self._connection.execute(sql.SQL("DROP TABLE {}, {}").format(self._keys, self._kept))


_BLOCK = """
DECLARE v record;
BEGIN
    FOR v IN SELECT *, ctid FROM {keys} LOOP
        BEGIN
            DELETE FROM {target} t WHERE {same};
            DELETE FROM {keys} k WHERE k.ctid = v.ctid;
        EXCEPTION WHEN foreign_key_violation OR restrict_violation THEN
            NULL;
        END;
    END LOOP;
END
"""
