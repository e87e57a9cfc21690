"""The stage: rows land in a temporary table by COPY, and one statement merges them into the target.

Rows that cannot land are found by a second, slower way: a stage of text columns and one PL/pgSQL block that merges row
by row. It costs the same whether one row of 5,000 is bad or all are (35 ms), where sending again without the bad
line costs 9 ms for one and does not end for half.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import psycopg
from psycopg import sql

from syncd.config import OnConflict
from syncd.model import Applied, Refusal
from syncd.plan import ColumnPlan, TablePlan
from syncd.target import conflicts, deleting, one_by_one
from syncd.target.conflicts import Conflicts
from syncd.target.database import Connection, savepoint, translated
from syncd.target.deleting import Deleted
from syncd.target.timescale import segments
from syncd.target.touched import Touch

SOURCE_KEY = "_syncd_source_key"
TARGET_KEY = "_syncd_target_key"
_CSV = "FORMAT csv, QUOTE '''', NULL 'NULL'"
_REASONS = {"23502": "not null", "23503": "orphan", "23514": "check", **conflicts.REASONS}


_Shape = tuple[str, int]
"""A table and how many columns it has: it gets another stage when one is added."""


@dataclass(frozen=True)
class Landed:
    """What became of a batch: counts, and the rows that could not land.

    `held_by` are target keys of rows that have the unique values of refused ones.
    """

    applied: Applied
    refusals: tuple[Refusal, ...] = ()
    held_by: frozenset[str] = frozenset()


class Stage:
    """The stages of one connection: made when first needed, emptied by each commit."""

    def __init__(self, connection: Connection, schema: str) -> None:
        self.connection = connection
        self.schema = schema
        self._numbers: dict[_Shape, int] = {}
        self._merges: dict[tuple[_Shape, OnConflict, Touch | None], bytes] = {}
        self._used: set[str] = set()
        self._partitioned: set[str] = set()
        self._referenced: set[str] = set()

    def prepare(self, plan: TablePlan) -> None:
        """Make the stage of a table, outside any transaction: a rolled back one would take it along."""
        if _shape(plan) in self._numbers:
            return
        number = len(self._numbers)
        with translated(plan.name):
            self.connection.execute(
                sql.SQL(
                    "CREATE TEMP TABLE {} ON COMMIT DELETE ROWS AS SELECT {}, NULL::text AS {}, NULL::text AS {}"
                    " FROM {} WITH NO DATA"
                ).format(
                    _stage(number),
                    _names(plan),
                    sql.Identifier(SOURCE_KEY),
                    sql.Identifier(TARGET_KEY),
                    sql.Identifier(self.schema, plan.target),
                )
            )
            if self._is_partitioned(plan):
                self._partitioned.add(plan.target)
            if deleting.is_referenced(self.connection, self.schema, plan.target):
                self._referenced.add(plan.target)
        self._numbers[_shape(plan)] = number

    def _is_partitioned(self, plan: TablePlan) -> bool:
        name = sql.Identifier(self.schema, plan.target).as_string()
        query = "SELECT relkind = 'p' FROM pg_class WHERE oid = %s::regclass"
        return bool(self.connection.execute(query, [name]).fetchall()[0][0])

    def _is_new(self, plan: TablePlan) -> sql.Composable:
        """The condition for a row that was inserted, not updated; a partitioned table shows no `xmax`."""
        if plan.target not in self._partitioned:
            return sql.SQL("xmax = 0")
        same = sql.SQL(" AND ").join(sql.SQL("o.{0} = t.{0}").format(sql.Identifier(column)) for column in plan.key)
        return sql.SQL("NOT EXISTS (SELECT FROM {} o WHERE {})").format(sql.Identifier(self.schema, plan.target), same)

    def begin(self) -> None:
        """A transaction began: the stages are empty."""
        self._used.clear()

    def fill(self, plan: TablePlan, payload: bytes) -> None:
        """Copy keyed lines into the table's stage. Raises psycopg's errors for a value that does not fit."""
        _copy(self.connection, self._filled(plan), payload)

    def _filled(self, plan: TablePlan) -> sql.Composed:
        return sql.SQL("COPY {} FROM STDIN ({})").format(self.name(plan), sql.SQL(_CSV))

    def name(self, plan: TablePlan) -> sql.Identifier:
        return _stage(self._numbers[_shape(plan)])

    def land(
        self,
        plan: TablePlan,
        payload: bytes,
        on_conflict: OnConflict = OnConflict.UPDATE,
        *,
        touch: Touch | None = None,
    ) -> Landed:
        """Bring keyed lines into the target within the caller's transaction, row by row where one of them cannot.

        `touch` tells how their keys are remembered in `syncd.touched`; without it they are not.
        """
        try:
            with savepoint(self.connection):
                return self.land_all(plan, payload, on_conflict, touch=touch)
        except psycopg.Error as error:
            if not _is_about_rows(error) or (on_conflict is OnConflict.FAIL and error.sqlstate == "23505"):
                raise
        return self._land_row_by_row(plan, payload, on_conflict, touch)

    def land_all(
        self,
        plan: TablePlan,
        payload: bytes,
        on_conflict: OnConflict = OnConflict.UPDATE,
        *,
        touch: Touch | None = None,
    ) -> Landed:
        """As `land`, but psycopg's error is raised where a row cannot land, and the transaction is lost."""
        if plan.target in self._used:
            self.connection.execute(sql.SQL("DELETE FROM {}").format(self.name(plan)))
        self._used.add(plan.target)
        self.fill(plan, payload)
        inserted, updated = self.connection.execute(self._merge(plan, on_conflict, touch)).fetchall()[0]
        return Landed(Applied(inserted=inserted, updated=updated))

    def _merge(self, plan: TablePlan, on_conflict: OnConflict, touch: Touch | None) -> bytes:
        """The statement that merges the stage, composed once: composing it took as long as running it for one row.

        It has no parameters: with them psycopg would take a `%` in a column's name for a placeholder.
        """
        known = (_shape(plan), on_conflict, touch)
        if known not in self._merges:
            source = sql.SQL("SELECT {} FROM {}").format(_names(plan), self.name(plan))
            remember = touch and touch.staged(plan.name, self.name(plan), SOURCE_KEY, TARGET_KEY)
            self._merges[known] = (
                sql.SQL(
                    "WITH merged AS ({} RETURNING {} AS new){} "
                    "SELECT count(*) FILTER (WHERE new), count(*) FILTER (WHERE NOT new) FROM merged"
                )
                .format(
                    _upsert(self.schema, plan, source, on_conflict),
                    self._is_new(plan),
                    sql.SQL(", touched AS ({})").format(remember) if remember else sql.SQL(""),
                )
                .as_bytes(self.connection)
            )
        return self._merges[known]

    def _forget_merges_before(self, touch: Touch | None) -> None:
        """Forget the statements of rounds that are over: a daemon would keep those of every sweep."""
        if touch:
            least = touch.round - 1
            self._merges = {known: m for known, m in self._merges.items() if not known[2] or known[2].round >= least}

    def _land_row_by_row(self, plan: TablePlan, payload: bytes, on_conflict: OnConflict, touch: Touch | None) -> Landed:
        readable, refusals = one_by_one.readable(plan, payload)
        text = self._text_stage(plan)
        if readable:
            _copy(self.connection, sql.SQL("COPY {} FROM STDIN ({})").format(text, sql.SQL(_CSV)), readable)
        refusals += self._drop_duplicates(plan, text)
        if touch:
            self.connection.execute(touch.staged(plan.name, text, SOURCE_KEY, TARGET_KEY))
        landed = self._merge_rows(plan, text, on_conflict)
        if on_conflict is OnConflict.UPDATE and (waiting := waiting_for_others(landed.refusals)):
            landed = self._move(plan, text, landed, waiting)
        self.connection.execute(sql.SQL("DELETE FROM {}").format(text))
        return replace(landed, refusals=(*refusals, *landed.refusals))

    def _merge_rows(self, plan: TablePlan, text: sql.Identifier, on_conflict: OnConflict) -> Landed:
        """Merge the text stage row by row."""
        upsert = _upsert(self.schema, plan, one_by_one.values(plan), on_conflict)
        block = one_by_one.block(self.schema, plan, text, sql.Identifier(SOURCE_KEY), upsert, self._is_new(plan))
        self.connection.execute(sql.SQL("DO {}").format(sql.Literal(block.as_string())))
        inserted, updated = self.connection.execute(
            "SELECT coalesce(sum(inserted), 0)::bigint, coalesce(sum(updated), 0)::bigint FROM pg_temp.syncd_counted"
        ).fetchall()[0]
        rows = self.connection.execute(
            "SELECT source_key, sqlstate, message, column_name FROM pg_temp.syncd_refused"
        ).fetchall()
        self.connection.execute("DELETE FROM pg_temp.syncd_counted")
        self.connection.execute("DELETE FROM pg_temp.syncd_refused")
        refusals = tuple(
            Refusal(key, _REASONS.get(state, "value"), said, column or _lacking(plan, state), state)
            for key, state, said, column in rows
        )
        return Landed(Applied(inserted=inserted, updated=updated), refusals)

    def _move(self, plan: TablePlan, text: sql.Identifier, landed: Landed, waiting: frozenset[str]) -> Landed:
        """Try rows again that a unique value of another kept from landing: those that wait for each other at once."""
        rows = Conflicts(self.connection, self.schema, plan, text, SOURCE_KEY)
        holders = rows.holders(waiting)
        moved = rows.move(waiting, holders)
        self.connection.execute(
            sql.SQL("DELETE FROM {} WHERE {} <> ALL({}::text[])").format(
                text, sql.Identifier(SOURCE_KEY), sql.Literal(list(waiting))
            )
        )
        again = self._merge_rows(plan, text, OnConflict.UPDATE)
        others = tuple(refusal for refusal in landed.refusals if refusal.source_key not in waiting)
        still = waiting_for_others(again.refusals)
        return Landed(
            landed.applied + again.applied + Applied(updated=moved),
            (*others, *again.refusals),
            frozenset(holder.target_key for holder in holders if holder.waiting in still),
        )

    def _text_stage(self, plan: TablePlan) -> sql.Identifier:
        """The table's stage of text columns, and the two tables into which the block writes."""
        name = sql.Identifier("pg_temp", f"syncd_text_{self._numbers[_shape(plan)]}")
        columns = [*(f"c{n}" for n in range(len(plan.columns))), SOURCE_KEY, TARGET_KEY]
        self.connection.execute(
            sql.SQL("CREATE TEMP TABLE IF NOT EXISTS {} ({}) ON COMMIT DELETE ROWS").format(
                name, sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(c)) for c in columns)
            )
        )
        self.connection.execute(
            "CREATE TEMP TABLE IF NOT EXISTS syncd_refused"
            " (source_key text, sqlstate text, message text, column_name text) ON COMMIT DELETE ROWS"
        )
        self.connection.execute(
            "CREATE TEMP TABLE IF NOT EXISTS syncd_counted (inserted bigint, updated bigint) ON COMMIT DELETE ROWS"
        )
        return name

    def _drop_duplicates(self, plan: TablePlan, text: sql.Identifier) -> list[Refusal]:
        """Of several rows with one target key the last stays; another source row's is refused."""
        members = [number for number, column in enumerate(plan.columns) if column.name in plan.key]
        given = sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(sql.Identifier(f"c{n}")) for n in members)
        rows = self.connection.execute(
            sql.SQL(
                "WITH ranked AS ("
                "SELECT ctid, row_number() OVER latest AS n, first_value({source}) OVER latest AS winner"
                " FROM {stage} WHERE {given} WINDOW latest AS (PARTITION BY {target} ORDER BY ctid DESC))"
                " DELETE FROM {stage} s USING ranked r WHERE s.ctid = r.ctid AND r.n > 1"
                " RETURNING s.{source}, r.winner"
            ).format(source=sql.Identifier(SOURCE_KEY), target=sql.Identifier(TARGET_KEY), stage=text, given=given)
        ).fetchall()
        return [duplicate_key(key, winner) for key, winner in rows if key != winner]

    def leave_old_times(self, plan: TablePlan, known: int | None) -> int:
        """Delete what rows of a hypertable were under another time; returns how many had moved.

        Its key holds the time, so that a merge inserts such a row anew. `known` is the highest rowid that was read
        before: rows beyond it were nowhere.
        """
        if plan.hypertable is None or not plan.hypertable.identity or known is None:
            return 0
        target, source_key = sql.Identifier(self.schema, plan.target), sql.Identifier(SOURCE_KEY)
        rows = sql.SQL("{} WHERE {}::bigint <= {}").format(self.name(plan), source_key, sql.Literal(known))
        return segments.leave(self.connection, target, rows, plan.hypertable.identity, plan.hypertable.time_column)

    def is_referenced(self, plan: TablePlan) -> bool:
        """Whether rows of other tables, or of its own, may refer to its rows by a foreign key."""
        return plan.target in self._referenced

    def delete(self, plan: TablePlan, vanished: frozenset[str], kept: frozenset[str]) -> Deleted:
        """Delete the rows of rendered target keys; see `deleting.delete`."""
        return deleting.delete(self.connection, self.schema, plan, vanished, kept)

    def differing(self, plan: TablePlan) -> list[tuple[str, str, list[str]]]:
        """Compare the staged rows with the target, byte by byte in the target's own types.

        Returns for each that differs its source key, its target key, and the columns that differ; the list of columns
        is empty where the target has no such row.
        """
        same = sql.SQL(" AND ").join(sql.SQL("t.{0} = s.{0}").format(sql.Identifier(column)) for column in plan.key)
        others = [column.name for column in plan.columns if column.name not in plan.key] or list(plan.key)
        columns = sql.SQL(", ").join(
            sql.SQL("CASE WHEN ROW(t.{0})::record *<> ROW(s.{0})::record THEN {1} END").format(
                sql.Identifier(name), sql.Literal(name)
            )
            for name in others
        )
        query = sql.SQL(
            "SELECT s.{source}, s.{target},"
            " CASE WHEN t.{first} IS NULL THEN '{{}}' ELSE array_remove(ARRAY[{columns}], NULL) END"
            " FROM {stage} s LEFT JOIN {table} t ON {same}"
            " WHERE t.{first} IS NULL OR {differs} ORDER BY 1"
        ).format(
            source=sql.Identifier(SOURCE_KEY),
            target=sql.Identifier(TARGET_KEY),
            first=sql.Identifier(plan.key[0]),
            columns=columns,
            stage=self.name(plan),
            table=sql.Identifier(self.schema, plan.target),
            same=same,
            differs=_differs(others, "t", "s"),
        )
        return self.connection.execute(query).fetchall()


def waiting_for_others(refusals: Collection[Refusal]) -> frozenset[str]:
    """The source keys of the rows that only a unique value of another row keeps from landing."""
    return frozenset(r.source_key for r in refusals if r.sqlstate in conflicts.REASONS)


def copy_straight(connection: Connection, schema: str, plan: TablePlan, payload: bytes) -> None:
    """Copy plain lines into the target itself. Raises psycopg's errors for a row that does not fit."""
    query = sql.SQL("COPY {} ({}) FROM STDIN ({})").format(
        sql.Identifier(schema, plan.target), _names(plan), sql.SQL(_CSV)
    )
    _copy(connection, query, payload)


def _lacking(plan: TablePlan, state: str) -> str:
    """The column that lacks a value: TimescaleDB does not name it where it is the time."""
    return plan.hypertable.time_column if plan.hypertable and state == "23502" else ""


def duplicate_key(source_key: str, winner: str) -> Refusal:
    """The refusal of a row whose target key belongs to a row with a higher rowid."""
    return Refusal(source_key, "duplicate key", f"row {winner} has the same key in the target, and a higher rowid")


def _copy(connection: Connection, query: sql.Composed, payload: bytes) -> None:
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        copy.write(payload)
        copy.write(b"\n")


def _shape(plan: TablePlan) -> _Shape:
    return plan.target, len(plan.columns)


def _stage(number: int) -> sql.Identifier:
    return sql.Identifier("pg_temp", f"syncd_stage_{number}")


def _names(plan: TablePlan) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(column.name) for column in plan.columns)


def _upsert(schema: str, plan: TablePlan, source: sql.Composable, on_conflict: OnConflict) -> sql.Composed:
    return sql.SQL("INSERT INTO {} AS t ({}) OVERRIDING SYSTEM VALUE {}{}").format(
        sql.Identifier(schema, plan.target), _names(plan), source, _conflict(plan, on_conflict)
    )


def _conflict(plan: TablePlan, on_conflict: OnConflict) -> sql.Composable:
    others = [column.name for column in plan.columns if column.name not in plan.key or _is_coarse(column)]
    if on_conflict is OnConflict.FAIL:
        return sql.SQL("")
    key = sql.SQL(", ").join(map(sql.Identifier, plan.key))
    if on_conflict is OnConflict.SKIP or not others:
        return sql.SQL(" ON CONFLICT ({}) DO NOTHING").format(key)
    values = sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in others)
    return sql.SQL(" ON CONFLICT ({}) DO UPDATE SET {} WHERE {}").format(key, values, _differs(others, "t", "excluded"))


def _is_coarse(column: ColumnPlan) -> bool:
    """Whether PostgreSQL calls two values equal that are not the same: then a key, too, may have to be updated."""
    return column.type.exact is False or column.type.base in (
        "citext",
        "numeric",
        "double precision",
        "real",
        "character",
        "bpchar",
        "interval",
        "jsonb",
    )


def _differs(names: list[str], one: str, other: str) -> sql.Composed:
    """True where the bytes differ: IS DISTINCT FROM takes citext 'a' for 'A' and 0 for -0, and fails on json."""
    rows = [sql.SQL(", ").join(sql.Identifier(side, name) for name in names) for side in (one, other)]
    return sql.SQL("ROW({})::record *<> ROW({})::record").format(*rows)


def _is_about_rows(error: psycopg.Error) -> bool:
    return isinstance(error, psycopg.errors.DataError | psycopg.errors.IntegrityError) or error.sqlstate == "21000"
