"""The trial: a temporary table that takes rows as the target's own would, in a transaction that is rolled back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Self

import psycopg
from psycopg import sql

from syncd.config import OnConflict
from syncd.model import Refusal
from syncd.plan import TablePlan
from syncd.target.compare import Comparison
from syncd.target.database import Connection, is_row_fault, savepoint, translated
from syncd.target.sql import statement
from syncd.target.stage import Stage, copy_straight
from syncd.target.stall import guard

SCHEMA = "pg_temp"
_NAME = "syncd_trial"
_TABLE = sql.Identifier(SCHEMA, _NAME)
_BYTES, _BYTES_WITH_KEYS = 64 * 2**20, 2**30
"""How much a trial holds: its rows take room in the target until it ends. Keys are unique among those alone."""


class Trial:
    """A stand-in for one table: with the types, NOT NULL, CHECK and unique constraints of a table that is there.

    Of a table that syncd would create it has the types and NOT NULL: the others come after the rows, and what these
    violate is left out. Foreign keys, triggers, and the rows that the target holds already, are not part of it.
    """

    def __init__(self, connection: Connection, schema: str, plan: TablePlan) -> None:
        self._connection = connection
        self._plan = replace(plan, target=_NAME)
        self._on_conflict = OnConflict.FAIL if plan.created else plan.on_conflict
        self._stage = Stage(connection, SCHEMA)
        self._bytes = 0
        if plan.created:
            self._create()
        else:
            self._imitate(sql.Identifier(schema, plan.target))

    @classmethod
    @contextmanager
    def of(cls, connection: Connection, schema: str, plan: TablePlan) -> Iterator[Self]:
        """A new trial, which leaves nothing behind. Raises SchemaError and psycopg's errors."""
        with translated(plan.name), guard(connection):
            connection.execute("BEGIN")
            try:
                yield cls(connection, schema, plan)
            finally:
                if not connection.closed and not connection.broken:
                    connection.execute("ROLLBACK")

    @property
    def is_full(self) -> bool:
        """Whether it is time to end it and to go on with another."""
        return self._bytes > (_BYTES if self._plan.created else _BYTES_WITH_KEYS)

    def takes(self, payload: bytes) -> bool:
        """Copy plain lines; false where a row of them does not fit, and then none is kept."""
        self._bytes += len(payload)
        try:
            with savepoint(self._connection):
                copy_straight(self._connection, SCHEMA, self._plan, payload)
        except psycopg.Error as error:
            if not is_row_fault(error):
                raise
            return False
        return True

    def refused(self, payload: bytes) -> tuple[Refusal, ...]:
        """Bring keyed lines in, row by row where one of them does not fit, and tell which cannot land.

        Raises psycopg's UniqueViolation where `on_conflict = fail` stops the table.
        """
        self._bytes += len(payload)
        self._stage.prepare(self._plan)
        landed = self._stage.land(self._plan, payload, self._on_conflict)
        return landed.refusals + self._stage.settle(self._plan).refusals

    def keys(self) -> Comparison:
        """An empty stage of rows of the table, whose keys are to be compared among themselves."""
        return Comparison(self._connection, SCHEMA, self._plan)

    def _create(self) -> None:
        columns = sql.SQL(", ").join(
            sql.SQL("{} {}{}").format(
                sql.Identifier(column.name),
                sql.SQL(column.type.name),
                sql.SQL(" NOT NULL" if column.not_null or column.name in self._plan.key else ""),
            )
            for column in self._plan.columns
        )
        self._connection.execute(sql.SQL("CREATE TEMP TABLE {} ({})").format(sql.Identifier(_NAME), columns))

    def _imitate(self, table: sql.Identifier) -> None:
        """Make it like a table that is there, without asking for the columns that no row brings.

        Their defaults are not taken over: a sequence would move on for good.
        """
        self._connection.execute(
            sql.SQL(
                "CREATE TEMP TABLE {} (LIKE {} INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING GENERATED)"
            ).format(sql.Identifier(_NAME), table)
        )
        given = [column.name for column in self._plan.columns]
        missing = [name for (name,) in self._connection.execute(_NOT_GIVEN, [_TABLE.as_string(), given]).fetchall()]
        found = {"table": _TABLE.as_string(), "columns": missing}
        for (name,) in self._connection.execute(statement("trial_constraints"), found).fetchall():
            self._connection.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(_TABLE, sql.Identifier(name)))
        for name in missing:
            self._connection.execute(
                sql.SQL("ALTER TABLE {} ALTER COLUMN {} DROP NOT NULL").format(_TABLE, sql.Identifier(name))
            )
        self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")


_NOT_GIVEN = (
    "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
    " AND attgenerated = '' AND attname <> ALL (%s)"
)
