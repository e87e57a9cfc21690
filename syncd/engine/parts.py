"""The ranges of a table's load: cut once, written down, and found again after an interruption."""

from dataclasses import dataclass, replace

from syncd.engine import doubles
from syncd.engine.copying import Part
from syncd.engine.sides import Sides
from syncd.errors import SchemaError
from syncd.log import event
from syncd.model import Phase
from syncd.plan import TablePlan
from syncd.plan.drift import Definition
from syncd.source import ranges
from syncd.source.database import Database
from syncd.source.render import row_data
from syncd.target import ddl, promoted, reject
from syncd.target.database import transaction
from syncd.target.state import TABLE_PART, Checkpoint
from syncd.target.text_stage import duplicate_key

ROWS_WORTH_A_PART = 20_000


@dataclass(frozen=True)
class Cut:
    """A table's load in parts, its rows by estimate (0: nobody knows), and how many were rejected in cutting it."""

    parts: tuple[Part, ...]
    estimate: int
    rejected: int = 0


def resume(sides: Sides, table: TablePlan) -> Cut | None:
    """The parts of an interrupted load where they stand; None where there are none."""
    known = [c for c in sides.state.checkpoints(sides.control) if c.table == table.name]
    parts = [checkpoint for checkpoint in known if checkpoint.part != TABLE_PART]
    if not parts:
        return None
    if any(checkpoint.fingerprint != table.fingerprint for checkpoint in known):
        raise SchemaError(
            "the table's definition or its mapping changed while it was being loaded",
            where=table.name,
            advice=f"Drop the target's table and its rows in syncd.checkpoint, then load again: {table.target}",
        )
    event("INFO", "load_resumed", f"{table.name}: going on where the load stood", table=table.name)
    left_out = _left_out(sides, table)
    left = tuple(
        Part(table.name, c.part, ranges.without(ranges.whole(table, c.until, c.place), table, left_out)) for c in parts
    )
    return Cut(left, _estimate(table, [(c.until, c.place) for c in parts]))


def _left_out(sides: Sides, table: TablePlan) -> frozenset[str]:
    """The keys of rows that gave way to another with the same target key, as their rejects tell."""
    found = reject.listed(sides.control, sides.state.source_name, table.name)
    return frozenset(row.source_key for row in found if row.reason == "duplicate key")


def _estimate(table: TablePlan, spans: list[tuple[int | None, str | None]]) -> int:
    if not table.by_rowid:
        return 0
    return sum(until - int(place or 0) for until, place in spans if until is not None)


def partition(sides: Sides, table: TablePlan, source: Database, snapshot_name: str | None) -> Cut:
    """Cut a table into ranges of rowids, and write a checkpoint for each and for the table, all in one transaction.

    The same transaction creates the target's table where it is missing: one that no checkpoint knew would be taken
    for somebody else's. Raises SharedTableError where another source goes into that table by now.
    """
    pairs = doubles.find(sides.control, sides.schema, source, table)
    with source.transaction() as connection:
        bound, _ = ranges.bound(connection, table)
        spans = ranges.spans(connection, table, sides.config.sync.workers, ROWS_WORTH_A_PART)
        losers = [duplicate_key(key, winner) for key, winner in pairs]
        rows = row_data(connection, table, [loser.source_key for loser in losers])
    own = Checkpoint(
        table.name,
        TABLE_PART,
        Phase.LOAD,
        table.fingerprint,
        bound,
        base_snapshot=snapshot_name,
        created=table.created,
        definition=Definition.of(table),
    )
    with transaction(sides.control):
        sides.state.confirm_epoch(sides.control)
        sides.claim(table)
        if table.created:
            ddl.create_table(sides.control, sides.schema, table)
            promoted.forget(sides.control, sides.schema, table.target)
        sides.state.save(sides.control, own)
        for number, (place, until) in enumerate(spans, start=1):
            sides.state.save(sides.control, replace(own, part=number, place=place, until=until, created=False))
        reject.keep(sides.control, sides.state.source_name, table.name, losers, rows)
    left_out = frozenset(refusal.source_key for refusal in losers)
    parts = tuple(
        Part(table.name, number, ranges.without(ranges.whole(table, until, place), table, left_out))
        for number, (place, until) in enumerate(spans, start=1)
    )
    return Cut(parts, _estimate(table, [(until, place) for place, until in spans]), len(losers))
