"""The slow way of a batch of which a row cannot land: a stage of text columns, merged row by row.

A row that only a unique value of another keeps from landing is set aside: that other row may stand in a later batch of
the transaction. When all have been offered, those that were set aside are tried together.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from psycopg import sql

from syncd.config import OnConflict
from syncd.model import Applied, Refusal
from syncd.plan import TablePlan
from syncd.target import conflicts, merging, one_by_one
from syncd.target.conflicts import Conflicts
from syncd.target.database import Connection
from syncd.target.lines import CSV, SOURCE_KEY, TARGET_KEY, copy
from syncd.target.touched import Touch

_REASONS = {"23502": "not null", "23503": "orphan", "23514": "check", **conflicts.REASONS}
_OF_VALUES = ("0A", "21", "22", "23", "3F", "42", "44", "54")
"""Classes of SQLSTATEs that PostgreSQL itself raises; others come from the target's own triggers and functions."""
_KEY = sql.Identifier(SOURCE_KEY)
_PLACE = sql.Identifier("_syncd_place")
"""NULL in rows that are new on the stage, else the place in the order in which those that were set aside are tried."""


@dataclass(frozen=True)
class Landed:
    """What became of a batch: counts, and the rows that could not land.

    `held_by` are target keys of rows that have the unique values of refused ones.
    """

    applied: Applied = field(default_factory=Applied)
    refusals: tuple[Refusal, ...] = ()
    held_by: frozenset[str] = frozenset()


class TextStage:
    """The stage of text columns of one table, and the rows of it that were set aside in this transaction."""

    def __init__(
        self, connection: Connection, schema: str, plan: TablePlan, number: int, is_new: sql.Composable
    ) -> None:
        """`is_new` is the condition for a row that was inserted, not updated."""
        self._connection = connection
        self._schema = schema
        self._plan = plan
        self._is_new = is_new
        self._text = sql.Identifier("pg_temp", f"syncd_text_{number}")
        self._columns = [*(f"c{n}" for n in range(len(plan.columns))), SOURCE_KEY, TARGET_KEY]
        self._aside: dict[str, Refusal] = {}

    def land(self, payload: bytes, on_conflict: OnConflict, touch: Touch | None) -> Landed:
        """Bring keyed lines into the target, row by row. Rows that wait for others are set aside, not refused."""
        readable, refusals = one_by_one.readable(self._plan, payload)
        self._make()
        if readable:
            names = sql.SQL(", ").join(map(sql.Identifier, self._columns))
            query = sql.SQL("COPY {} ({}) FROM STDIN ({})").format(self._text, names, sql.SQL(CSV))
            copy(self._connection, query, readable)
        refusals += self._drop_duplicates()
        if touch:
            new = sql.SQL("(SELECT * FROM {} WHERE {} IS NULL) s").format(self._text, _PLACE)
            self._connection.execute(touch.staged(self._plan.name, new, SOURCE_KEY, TARGET_KEY))
        landed = self._merge(sql.SQL("{} IS NULL ORDER BY ctid").format(_PLACE), on_conflict)
        aside = waiting_for_others(landed.refusals) if on_conflict is OnConflict.UPDATE else frozenset[str]()
        self._set_aside(aside)
        self._aside |= {refusal.source_key: refusal for refusal in landed.refusals if refusal.source_key in aside}
        refusals += [refusal for refusal in landed.refusals if refusal.source_key not in aside]
        return Landed(landed.applied, tuple(refusals))

    def settle(self) -> Landed:
        """Try the rows that were set aside, those that wait for each other at once, the others holders first."""
        if not self._aside:
            return Landed()
        rows = Conflicts(self._connection, self._schema, self._plan, self._text, SOURCE_KEY)
        holders = rows.holders()
        moved = rows.move(holders)
        self._drop(moved.stuck)
        self._put_in_order(moved.free)
        landed = self._merge(sql.SQL("true ORDER BY {}, ctid").format(_PLACE), OnConflict.UPDATE)
        waiting = waiting_for_others(landed.refusals)
        holders = [holder for holder in holders if holder.waiting in moved.stuck]
        holders += rows.holders(waiting) if waiting else []
        refusals = [refusal for key, refusal in self._aside.items() if key in moved.stuck]
        self._connection.execute(sql.SQL("DELETE FROM {}").format(self._text))
        return Landed(
            landed.applied + Applied(updated=moved.rows),
            (*refusals, *landed.refusals),
            frozenset(holder.target_key for holder in holders),
        )

    def _merge(self, which: sql.Composable, on_conflict: OnConflict) -> Landed:
        """Merge row by row what meets the condition, in the order that follows it."""
        upsert = merging.upsert(self._schema, self._plan, one_by_one.values(self._plan), on_conflict)
        rows = sql.SQL("SELECT * FROM {} WHERE {}").format(self._text, which)
        block = one_by_one.block(self._schema, self._plan, rows, _KEY, upsert, self._is_new)
        self._connection.execute(sql.SQL("DO {}").format(sql.Literal(block.as_string())))
        inserted, updated = self._connection.execute(
            "SELECT coalesce(sum(inserted), 0)::bigint, coalesce(sum(updated), 0)::bigint FROM pg_temp.syncd_counted"
        ).fetchall()[0]
        refused = self._connection.execute(
            "SELECT source_key, sqlstate, message, column_name FROM pg_temp.syncd_refused"
        ).fetchall()
        self._connection.execute("DELETE FROM pg_temp.syncd_counted")
        self._connection.execute("DELETE FROM pg_temp.syncd_refused")
        refusals = tuple(
            Refusal(key, _reason(state), said, column or self._lacking(state), state)
            for key, state, said, column in refused
        )
        return Landed(Applied(inserted=inserted, updated=updated), refusals)

    def _set_aside(self, waiting: Collection[str]) -> None:
        """Keep these of the new rows, and those of before, and no other."""
        keys = sql.Literal(list(waiting))
        self._connection.execute(
            sql.SQL("DELETE FROM {} WHERE {} IS NULL AND {} <> ALL ({}::text[])").format(self._text, _PLACE, _KEY, keys)
        )
        self._connection.execute(sql.SQL("UPDATE {0} SET {1} = 0 WHERE {1} IS NULL").format(self._text, _PLACE))

    def _drop(self, stuck: Collection[str]) -> None:
        self._connection.execute(
            sql.SQL("DELETE FROM {} WHERE {} = ANY ({}::text[])").format(self._text, _KEY, sql.Literal(list(stuck)))
        )

    def _put_in_order(self, keys: Collection[str]) -> None:
        self._connection.execute(
            sql.SQL(
                "UPDATE {} s SET {} = o.place"
                " FROM unnest({}::text[]) WITH ORDINALITY AS o(key, place) WHERE s.{} = o.key"
            ).format(self._text, _PLACE, sql.Literal(list(keys)), _KEY)
        )

    def _lacking(self, state: str) -> str:
        """The column that lacks a value: TimescaleDB does not name it where it is the time."""
        return self._plan.hypertable.time_column if self._plan.hypertable and state == "23502" else ""

    def _make(self) -> None:
        """Make the tables that are missing, also those into which the block writes."""
        columns = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(name)) for name in self._columns)
        self._connection.execute(
            sql.SQL("CREATE TEMP TABLE IF NOT EXISTS {} ({}, {} bigint) ON COMMIT DELETE ROWS").format(
                self._text, columns, _PLACE
            )
        )
        self._connection.execute(
            "CREATE TEMP TABLE IF NOT EXISTS syncd_refused"
            " (source_key text, sqlstate text, message text, column_name text) ON COMMIT DELETE ROWS"
        )
        self._connection.execute(
            "CREATE TEMP TABLE IF NOT EXISTS syncd_counted (inserted bigint, updated bigint) ON COMMIT DELETE ROWS"
        )

    def _drop_duplicates(self) -> list[Refusal]:
        """Of several rows with one target key the last stays; another source row's is refused."""
        members = [number for number, column in enumerate(self._plan.columns) if column.name in self._plan.key]
        given = sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(sql.Identifier(f"c{n}")) for n in members)
        rows = self._connection.execute(
            sql.SQL(
                "WITH ranked AS ("
                "SELECT ctid, row_number() OVER latest AS n, first_value({source}) OVER latest AS winner"
                " FROM {stage} WHERE {given} WINDOW latest AS (PARTITION BY {target} ORDER BY ctid DESC))"
                " DELETE FROM {stage} s USING ranked r WHERE s.ctid = r.ctid AND r.n > 1"
                " RETURNING s.{source}, r.winner"
            ).format(source=_KEY, target=sql.Identifier(TARGET_KEY), stage=self._text, given=given)
        ).fetchall()
        return [duplicate_key(key, winner) for key, winner in rows if key != winner]


def _reason(state: str) -> str:
    return _REASONS.get(state) or ("value" if state[:2] in _OF_VALUES else "trigger")


def waiting_for_others(refusals: Collection[Refusal]) -> frozenset[str]:
    """The source keys of the rows that only a unique value of another row keeps from landing."""
    return frozenset(r.source_key for r in refusals if r.sqlstate in conflicts.REASONS)


def duplicate_key(source_key: str, winner: str) -> Refusal:
    """The refusal of a row whose target key belongs to a row with a higher rowid."""
    return Refusal(source_key, "duplicate key", f"row {winner} has the same key in the target, and a higher rowid")
