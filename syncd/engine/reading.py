"""The source's half of a pass: everything it applies, read in one short transaction."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import apsw

from syncd.engine.spool import Held, Spool
from syncd.errors import MarkError, SchemaError, TableError
from syncd.model import Mark, Phase, Refusal
from syncd.plan import Plan, TablePlan
from syncd.source import duplicates, ranges
from syncd.source.render import Renderer
from syncd.target.stage import duplicate_key
from syncd.target.state import Checkpoint

MANY_TIES = 200
"""Rows at a date mark from which on only thorough passes read them again: rendering 1,000 takes 9 ms."""


@dataclass(frozen=True)
class TableReading:
    """What a pass read of one table: the batches, the mark that they reach, and the keys that were read again.

    `gone` are those of the keys whose rows the source has no longer. `duplicates` gave way to rows that were read, or
    were read and gave way: they are refused. `error` says why nothing was read.
    """

    plan: TablePlan
    reaches: Mark
    batches: tuple[Held, ...] = ()
    again: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    duplicates: tuple[Refusal, ...] = ()
    error: TableError | None = None

    @property
    def content(self) -> bytes:
        """A digest of the rendered rows: rows at a date mark come again in every pass, mostly unchanged."""
        return hashlib.sha256(b"".join(held.digest for held in self.batches)).digest()

    def brings_news(self, known: Checkpoint, applied: bytes | None) -> bool:
        """Whether it holds more than what was applied last, the table standing at `known`."""
        if self.again or self.duplicates or self.error or self.reaches != known.mark or known.phase is Phase.STOPPED:
            return True
        return bool(self.batches) and self.content != applied


def read_table(
    renderer: Renderer, known: Checkpoint, again: frozenset[str], spool: Spool, *, ties: bool = True
) -> TableReading:
    """Read a table's rows beyond its mark up to the bound that is fixed first, and the rows of the keys `again`."""
    plan, connection = renderer.plan, renderer.connection
    until, classes = ranges.bound(connection, plan)
    try:
        _check(plan, known, classes)
    except TableError as error:
        return TableReading(plan, known.mark, error=error)
    # Nobody comes back to the rows at a date that the mark leaves behind.
    ties = ties or until.moment != known.mark.moment
    wanted = list(ranges.beyond(plan, known.mark, until, ties=ties))
    wanted += [ranges.of_keys(plan, part) for part in _chunks(again)]
    losers = dict(pair for rows in wanted for pair in duplicates.among(connection, plan, rows))
    wanted = [ranges.without(rows, plan, frozenset(losers)) for rows in wanted]
    batches = tuple(spool.add(batch) for rows in wanted for batch in renderer.batches(rows, keyed=True))
    there = frozenset[str]().union(*(renderer.keys(ranges.of_keys(plan, part)) for part in _chunks(again)))
    refused = tuple(duplicate_key(loser, winner) for loser, winner in losers.items())
    return TableReading(plan, _reached(known.mark, until), batches, again, again - there, refused)


def _chunks(keys: frozenset[str], size: int = 500) -> list[list[str]]:
    ordered = sorted(keys)
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]


def _reached(before: Mark, until: Mark) -> Mark:
    """A rowid mark follows the table down as well: SQLite gives a rowid again after the top row was deleted."""
    return replace(until, moment=until.moment or before.moment)


def _check(plan: TablePlan, known: Checkpoint, classes: frozenset[str]) -> None:
    if plan.fingerprint != known.fingerprint:
        raise SchemaError(
            "its definition or its mapping is not the one that it was loaded with",
            where=plan.name,
            advice=f"Undo the change; or drop the target's table {plan.target} and delete the rows of this table "
            "in syncd.checkpoint, then run syncd load",
        )
    if len(classes) > 1:
        raise MarkError(
            f"its date column holds {' and '.join(sorted(classes))}, which do not sort by time",
            where=f"{plan.name}.{plan.mark.moment}",
            advice=f"Write [table:{plan.name}] watermark = rowid, or make the column's values alike",
        )


class Readers:
    """A renderer for each table of a plan, made when first needed."""

    def __init__(self, connection: apsw.Connection, plan: Plan) -> None:
        self.plan = plan
        self._connection = connection
        self._renderers: dict[str, Renderer] = {}
        self._applied: dict[str, bytes] = {}
        self._many_ties: set[str] = set()

    def of(self, table: TablePlan) -> Renderer:
        if table.name not in self._renderers:
            self._renderers[table.name] = Renderer(self._connection, table)
        return self._renderers[table.name]

    def read(
        self, known: Mapping[str, Checkpoint], again: Mapping[str, frozenset[str]], spool: Spool, *, thorough: bool
    ) -> tuple[TableReading, ...]:
        """Read every table that has a checkpoint in `known`, parents first; tables without news are left out.

        Rows at a date mark come again in every thorough pass, in the others only where they are few.
        """
        found = []
        for table in self.plan.tables:
            if table.name in known:
                ties = thorough or table.name not in self._many_ties
                keys = again.get(table.name, frozenset())
                reading = read_table(self.of(table), known[table.name], keys, spool, ties=ties)
                found.append(reading)
                if ties:
                    self._count_ties(reading)
        return tuple(r for r in found if r.brings_news(known[r.plan.name], self._applied.get(r.plan.name)))

    def _count_ties(self, reading: TableReading) -> None:
        if reading.plan.mark.moment and sum(held.rows for held in reading.batches) > MANY_TIES:
            self._many_ties.add(reading.plan.name)
        else:
            self._many_ties.discard(reading.plan.name)

    def applied(self, reading: TableReading) -> None:
        """The reading was committed."""
        self._applied[reading.plan.name] = reading.content
