"""Comparing: rows of the source land in a temporary table, and PostgreSQL compares them with the target by bytes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from psycopg import sql

from syncd.plan import TablePlan
from syncd.target import one_by_one
from syncd.target.database import Connection, PostgresError, is_row_fault, savepoint, transaction
from syncd.target.keys import stage_keys
from syncd.target.lines import CSV, SOURCE_KEY, TARGET_KEY, copy
from syncd.target.sql import statement
from syncd.target.timescale import standstill

LONGEST_SHOWN = 200
"""Characters of a value that is shown as an example."""
_FIELD = "'''' || replace(t.{0}::text, '''', '''''') || ''''"
"""A column of the target as a field of CSV, quoted as the source renders one."""
_SETTINGS = (
    # Connections wait for each other for longer than a connection may usually stand in a transaction.
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    "SET LOCAL jit = off",
    "SET LOCAL enable_mergejoin = off",
)


@dataclass(frozen=True)
class Unequal:
    """A staged row that the target lacks (`missing`) or holds differently in `columns`.

    `digest` names what was staged: the same digest later means that the source's row is still the same.
    """

    source_key: str
    missing: bool
    columns: tuple[str, ...]
    digest: str


@dataclass(frozen=True)
class Filled:
    """How many rows were staged, and why others were not, by source key."""

    rows: int
    refused: Mapping[str, str] = field(default_factory=dict)

    def __add__(self, other: "Filled") -> "Filled":
        return Filled(self.rows + other.rows, {**self.refused, **other.refused})


@contextmanager
def frozen(connection: Connection, schema: str, snapshot: str = "") -> Iterator[str]:
    """A transaction that sees one state of the target: its own, or that of another one's `snapshot`, which it yields.

    While the first one lasts, chunks of the schema's hypertables are neither compressed nor decompressed.
    https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-SNAPSHOT-SYNCHRONIZATION
    """
    hypertables = () if snapshot else standstill.to_hold(connection, schema)
    with transaction(connection):
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        standstill.hold(connection, hypertables)
        if snapshot:
            connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(snapshot)))
        for setting in _SETTINGS:
            connection.execute(setting)
        yield snapshot or str(connection.execute("SELECT pg_export_snapshot()").fetchall()[0][0])


class Comparison:
    """Keyed lines of one table beside the target, within the caller's transaction.

    A plan with the key's columns alone compares keys.
    """

    def __init__(self, connection: Connection, schema: str, plan: TablePlan, name: str = "syncd_compared") -> None:
        self.plan = plan
        self._connection = connection
        self._stage = sql.Identifier("pg_temp", name)
        columns = [column.name for column in plan.columns]
        self._target = sql.Identifier(schema, plan.target)
        self._names = {
            "source_key": sql.Identifier(SOURCE_KEY),
            "first": sql.Identifier(plan.key[0]),
            "stage": self._stage,
            "target": self._target,
            "held": _joined(", ", "t.{0}", columns),
            "staged": _joined(", ", "s.{0}", columns),
        }
        self._columns = columns
        # Each staged row is looked up in the key: joins of the other kinds read the whole target for every range. But
        # in a compressed chunk there is no key: 50,000 rows of 976,810 took more than 100 seconds, by a hash one.
        connection.execute(f"SET LOCAL enable_hashjoin = {'on' if plan.hypertable else 'off'}".encode())
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(self._stage))
        connection.execute(
            sql.SQL(
                "CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {}, NULL::text AS {}, NULL::text AS {} FROM {}"
                " WITH NO DATA"
            ).format(
                self._stage,
                _joined(", ", "{0}", columns),
                sql.Identifier(SOURCE_KEY),
                sql.Identifier(TARGET_KEY),
                self._target,
            )
        )
        self._fill = sql.SQL("COPY {} FROM STDIN ({})").format(self._stage, sql.SQL(CSV))

    def fill(self, payload: bytes, rows: int, rejected: frozenset[str] = frozenset()) -> Filled:
        """Stage so many keyed lines; where one does not fit, lines of `rejected` rows are left out, others named."""
        try:
            self._copy(payload)
        except PostgresError as error:
            if not is_row_fault(error):
                raise
            known = [line for line in one_by_one.lines(payload) if one_by_one.source_key(line) not in rejected]
            return self._fill_halves(known)
        return Filled(rows)

    def _fill_halves(self, lines: Sequence[bytes]) -> Filled:
        if not lines:
            return Filled(0)
        try:
            self._copy(b"\n".join(lines))
            return Filled(len(lines))
        except PostgresError as error:
            if not is_row_fault(error):
                raise
            if len(lines) == 1:
                return Filled(
                    0, {one_by_one.source_key(lines[0]): f"cannot land: {error.diag.message_primary or error}"}
                )
        half = len(lines) // 2
        return self._fill_halves(lines[:half]) + self._fill_halves(lines[half:])

    def _copy(self, payload: bytes) -> None:
        with savepoint(self._connection):
            copy(self._connection, self._fill, payload)

    def drop(self, source_keys: Iterable[str]) -> frozenset[str]:
        """Take these rows off the stage; returns those that were on it."""
        query = sql.SQL("DELETE FROM {stage} s WHERE s.{source_key} = ANY({keys}) RETURNING s.{source_key}")
        keys = sql.Literal(list(source_keys))
        return frozenset(key for (key,) in self._connection.execute(query.format(**self._names, keys=keys)))

    def count(self) -> int:
        """How many rows are staged."""
        return int(self._connection.execute(sql.SQL("SELECT count(*) FROM {}").format(self._stage)).fetchall()[0][0])

    def unequal(self) -> list[Unequal]:
        """The staged rows that the target lacks or holds differently."""
        differs = "CASE WHEN ROW(t.{0})::record *<> ROW(s.{0})::record THEN {1} END"
        columns = sql.SQL(", ").join(
            sql.SQL(differs).format(sql.Identifier(name), sql.Literal(name)) for name in self._columns
        )
        rows = self._connection.execute(self._statement("differing", columns=columns)).fetchall()
        return [Unequal(key, missing, tuple(names), digest) for key, missing, names, digest in rows]

    def doubles(self) -> list[tuple[str, str]]:
        """The source keys of the staged rows whose key another has as well, in the key's own types, but for the last.

        Each comes with that of the last one, which has the highest rowid; rows without one are staged in their order.
        """
        self._connection.execute("SET LOCAL enable_hashjoin = on")
        place = sql.SQL("s.{}::bigint").format(sql.Identifier(SOURCE_KEY)) if self.plan.by_rowid else sql.SQL("s.ctid")
        query = sql.SQL(statement("doubles")).format(
            **self._names,
            key=_joined(", ", "s.{0}", self.plan.key),
            given=_joined(" AND ", "s.{0} IS NOT NULL", self.plan.key),
            same_key=_joined(" AND ", "t.{0} = s.{0}", self.plan.key),
            place=place,
        )
        return self._connection.execute(query).fetchall()

    def claimed(self, lines: Iterable[str]) -> frozenset[str]:
        """Those of the rendered keys that a staged row has."""
        wanted = sql.Identifier("pg_temp", "syncd_claimed")
        stage_keys(self._connection, wanted, self._target, self.plan, list(lines))
        query = sql.SQL("SELECT w.{line} FROM {wanted} w WHERE EXISTS (SELECT FROM {stage} s WHERE {same})").format(
            line=sql.Identifier(TARGET_KEY),
            wanted=wanted,
            stage=self._stage,
            same=_joined(" AND ", "w.{0} = s.{0}", self.plan.key),
        )
        return frozenset(line for (line,) in self._connection.execute(query))

    def values(self, source_keys: Iterable[str]) -> dict[str, list[tuple[str, str | None, str | None]]]:
        """Column, staged value and held value of each difference in these rows, as text, by source key."""
        pair = "({1}, s.{0}::text, t.{0}::text, ROW(t.{0})::record *<> ROW(s.{0})::record)"
        pairs = sql.SQL(", ").join(
            sql.SQL(pair).format(sql.Identifier(name), sql.Literal(name)) for name in self._columns
        )
        found: dict[str, list[tuple[str, str | None, str | None]]] = {}
        # Not by parameters: beside them psycopg would take a `%` in a column's name for a placeholder.
        limits = {"keys": sql.Literal(list(source_keys)), "longest": sql.Literal(LONGEST_SHOWN)}
        query = self._statement("differing_values", pairs=pairs, **limits)
        for key, name, staged, held in self._connection.execute(query):
            found.setdefault(key, []).append((name, staged, held))
        return found

    def held(self) -> Iterator[tuple[str, tuple[str | None, ...]]]:
        """Source key and values of the target, as PostgreSQL prints them, of every staged row that is equal to it."""
        query = self._statement("held_as_text", texts=_joined(", ", "t.{0}::text", self._columns))
        with self._connection.cursor() as cursor, cursor.copy(query) as reading:
            for key, *values in reading.rows():
                yield key, tuple(values)

    def unstaged(self, among: Iterable[str] | None = None) -> Iterator[str]:
        """The keys of the target's rows that are not staged, as CSV lines; `among` limits them to such lines."""
        self._connection.execute("SET LOCAL enable_hashjoin = on")
        self._connection.execute("SET LOCAL enable_mergejoin = on")
        limit: sql.Composable = sql.SQL("")
        if among is not None:
            wanted = sql.Identifier("pg_temp", "syncd_wanted")
            stage_keys(self._connection, wanted, self._target, self.plan, list(among))
            same = _joined(" AND ", "t.{0} = w.{0}", self.plan.key)
            limit = sql.SQL("EXISTS (SELECT FROM {} w WHERE {}) AND").format(wanted, same)
        query = self._statement("extra", fields=_joined(", ", _FIELD, self.plan.key), among=limit)
        with self._connection.cursor(name="syncd_extra") as cursor:
            for (line,) in cursor.execute(query):
                yield line

    def empty(self) -> None:
        """Make room for other rows. A table that this transaction made is truncated in place, its space is free."""
        self._connection.execute(sql.SQL("TRUNCATE {}").format(self._stage))

    def _statement(self, name: str, **further: sql.Composable) -> sql.Composed:
        return sql.SQL(statement(name)).format(**self._names, same=self._same(), **further)

    def _same(self) -> sql.Composable:
        """The condition that joins a staged row and the target's; of a hypertable only the staged times are read."""
        same = _joined(" AND ", "t.{0} = s.{0}", self.plan.key)
        if self.plan.hypertable is None:
            return same
        time = sql.Identifier(self.plan.hypertable.time_column)
        query = sql.SQL("SELECT min({0})::text, max({0})::text FROM {1}").format(time, self._stage)
        span = (sql.Literal(moment) for moment in self._connection.execute(query).fetchall()[0])
        return sql.SQL("{} AND t.{} BETWEEN {} AND {}").format(same, time, *span)


def _joined(separator: str, template: str, names: Iterable[str]) -> sql.Composed:
    return sql.SQL(separator).join(sql.SQL(template).format(sql.Identifier(name)) for name in names)
