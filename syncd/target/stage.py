"""The stage: rows land in a temporary table by COPY, and one statement merges them into the target.

Rows that cannot land are found by a second, slower way: a stage of text columns and one PL/pgSQL block that merges row
by row. It costs the same whether one row of 5,000 is bad or all are (35 ms), where sending again without the bad
line costs 9 ms for one and does not end for half.
"""

import psycopg
from psycopg import sql

from syncd.config import OnConflict
from syncd.model import Applied
from syncd.plan import TablePlan
from syncd.target import deleting
from syncd.target.database import Connection, bringing_rows, is_row_fault, savepoint, translated
from syncd.target.deleting import Deleted
from syncd.target.lines import CSV, SOURCE_KEY, TARGET_KEY, copy
from syncd.target.merging import differs, names, upsert
from syncd.target.text_stage import Landed, TextStage
from syncd.target.timescale import segments
from syncd.target.touched import Touch

_Shape = tuple[str, int]
"""A table and how many columns it has: it gets another stage when one is added."""


class Stage:
    """The stages of one connection: made when first needed, emptied by each commit."""

    def __init__(self, connection: Connection, schema: str) -> None:
        self.connection = connection
        self.schema = schema
        self._numbers: dict[_Shape, int] = {}
        self._merges: dict[tuple[_Shape, OnConflict, Touch | None], bytes] = {}
        self._used: set[str] = set()
        self._texts: dict[_Shape, TextStage] = {}
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
                    names(plan),
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
        self._texts.clear()

    def fill(self, plan: TablePlan, payload: bytes) -> None:
        """Copy keyed lines into the table's stage. Raises psycopg's errors for a value that does not fit."""
        copy(self.connection, self._filled(plan), payload)

    def _filled(self, plan: TablePlan) -> sql.Composed:
        return sql.SQL("COPY {} FROM STDIN ({})").format(self.name(plan), sql.SQL(CSV))

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

        Rows that unique values of others keep from landing are set aside until `settle`.
        `touch` tells how their keys are remembered in `syncd.touched`; without it they are not.
        """
        try:
            with savepoint(self.connection):
                return self.land_all(plan, payload, on_conflict, touch=touch)
        except psycopg.Error as error:
            if not is_row_fault(error) or (on_conflict is OnConflict.FAIL and error.sqlstate == "23505"):
                raise
        return self._text_stage(plan).land(payload, on_conflict, touch)

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
        with bringing_rows():
            inserted, updated = self.connection.execute(self._merge(plan, on_conflict, touch)).fetchall()[0]
        return Landed(Applied(inserted=inserted, updated=updated))

    def _merge(self, plan: TablePlan, on_conflict: OnConflict, touch: Touch | None) -> bytes:
        """The statement that merges the stage, composed once: composing it took as long as running it for one row.

        It has no parameters: with them psycopg would take a `%` in a column's name for a placeholder.
        """
        known = (_shape(plan), on_conflict, touch)
        if known not in self._merges:
            self._forget_merges_before(touch)
            source = sql.SQL("SELECT {} FROM {}").format(names(plan), self.name(plan))
            remember = touch and touch.staged(plan.name, self.name(plan), SOURCE_KEY, TARGET_KEY)
            self._merges[known] = (
                sql.SQL(
                    "WITH merged AS ({} RETURNING {} AS new){} "
                    "SELECT count(*) FILTER (WHERE new), count(*) FILTER (WHERE NOT new) FROM merged"
                )
                .format(
                    upsert(self.schema, plan, source, on_conflict),
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

    def settle(self, plan: TablePlan) -> Landed:
        """Try what `land` set aside in this transaction, now that all of the table's rows have been offered."""
        text = self._texts.pop(_shape(plan), None)
        return text.settle() if text else Landed()

    def _text_stage(self, plan: TablePlan) -> TextStage:
        """The slow way of a table in this transaction."""
        shape = _shape(plan)
        if shape not in self._texts:
            number = self._numbers[shape]
            self._texts[shape] = TextStage(self.connection, self.schema, plan, number, self._is_new(plan))
        return self._texts[shape]

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
            differs=differs(others, "t", "s"),
        )
        return self.connection.execute(query).fetchall()


def copy_straight(connection: Connection, schema: str, plan: TablePlan, payload: bytes) -> None:
    """Copy plain lines into the target itself. Raises psycopg's errors for a row that does not fit."""
    query = sql.SQL("COPY {} ({}) FROM STDIN ({})").format(
        sql.Identifier(schema, plan.target), names(plan), sql.SQL(CSV)
    )
    copy(connection, query, payload)


def _shape(plan: TablePlan) -> _Shape:
    return plan.target, len(plan.columns)


def _stage(number: int) -> sql.Identifier:
    return sql.Identifier("pg_temp", f"syncd_stage_{number}")
