"""The source's half of a pass: everything it applies, read in one short transaction."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import apsw

from syncd.engine.again import ReadAgain
from syncd.engine.spool import Held, Spool
from syncd.errors import MarkError, SchemaError, TableError
from syncd.model import Batch, Mark, Phase, Range, Refusal
from syncd.plan import Plan, TablePlan, drift
from syncd.source import duplicates, ranges
from syncd.source.holders import TargetKeys, canonical, is_every_rowid, is_exact, is_own, is_rowid, lines
from syncd.source.render import Renderer
from syncd.target.state import Checkpoint
from syncd.target.text_stage import duplicate_key

MANY_TIES = 200
"""Rows at a date mark from which on only thorough passes read them again: rendering 1,000 takes 9 ms."""

_KEYS_AT_ONCE = 1000
"""Keys of a table without rowids in one statement: they may be long."""


@dataclass(frozen=True)
class NextBase:
    """The snapshot that is to be the base: a renderer for each table, and of which version of the source it is."""

    images: Mapping[str, Renderer] = field(default_factory=dict)
    data_version: int | None = None


NO_BASE = NextBase()


@dataclass(frozen=True)
class TableReading:
    """What a pass read of one table: the batches, the mark that they reach, and the keys that were read again.

    `beyond` of the batches lie beyond the mark, the others are of the keys `again`; `content` is a digest of the former
    where those at the mark's date were read too, None where they were not. `gone` are those of the keys whose rows the
    source has no longer, with the target keys known for them. `unsettled` are those whose rows are not as the base of
    the sweep at work will have them, if one is (`swept`). `vanished` are target keys that no source row has any longer,
    unless one of `kept` is the same key to PostgreSQL. `duplicates` gave way to rows that were read, or were read and
    gave way: they are refused. Where PostgreSQL must tell which rows these are (`is_doubtful`), `keys` are those of all
    rows, and `losers` the rows that gave way, once it has told. `error` says why nothing was read.
    """

    plan: TablePlan
    reaches: Mark
    batches: tuple[Held, ...] = ()
    beyond: int = 0
    content: bytes | None = None
    again: frozenset[str] = frozenset()
    gone: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unsettled: frozenset[str] = frozenset()
    swept: bool = False
    vanished: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    duplicates: tuple[Refusal, ...] = ()
    is_doubtful: bool = False
    keys: tuple[Held, ...] = ()
    losers: frozenset[str] = frozenset()
    error: TableError | None = None

    def without(self, applied: bytes | None) -> "TableReading":
        """The reading without the rows beyond the mark where they are those that were applied last.

        Rows at a date mark come again in every pass, mostly unchanged.
        """
        if self.content is None or self.content != applied:
            return self
        return replace(self, batches=self.batches[self.beyond :], beyond=0)

    def brings_news(self, known: Checkpoint) -> bool:
        """Whether there is anything to apply, the table standing at `known`."""
        return bool(
            self.batches
            or self.again
            or self.vanished
            or self.duplicates
            or self.error
            or self.reaches != known.mark
            or known.phase is Phase.STOPPED
        )


def read_table(
    renderer: Renderer,
    known: Checkpoint,
    again: ReadAgain,
    spool: Spool,
    *,
    ties: bool = True,
    image: Renderer | None = None,
    is_live: bool = False,
) -> TableReading:
    """Read a table's rows beyond its mark up to the bound that is fixed first, and the rows of the keys `again`.

    `image` renders the snapshot that is to be the base: rows read again that are not the same in it are unsettled.
    None can be where the source `is_live` still as the snapshot has it.
    """
    plan, connection = renderer.plan, renderer.connection
    until, classes = ranges.bound(connection, plan)
    try:
        _check(plan, known, classes)
    except TableError as error:
        return TableReading(plan, known.mark, error=error)
    # Nobody comes back to the rows at a date that the mark leaves behind.
    ties = ties or until.moment != known.mark.moment
    found = _look_up(connection, plan, again)
    beyond = list(ranges.beyond(plan, known.mark, until, ties=ties))
    chunks = [(part, ranges.of_keys(plan, part)) for part in _chunks(found.keys, plan)]
    whole = [ranges.of_keys(plan, found.keys)] if found.keys else []
    may_double, is_told = renderer.may_double((*beyond, *whole)), duplicates.is_told(plan)
    asked = (*beyond, *whole) if may_double and is_told else ()
    losers = dict(pair for rows in asked for pair in duplicates.among(connection, plan, rows))
    batches = [spool.add(b) for rows in beyond for b in _rendered(renderer, rows, losers)]
    new, content = len(batches), hashlib.sha256(b"".join(held.digest for held in batches)).digest() if ties else None
    unsettled: set[str] = set()
    for part, rows in chunks:
        held = [spool.add(batch) for batch in _rendered(renderer, rows, losers)]
        batches += [replace(one, swept=image is not None) for one in held]
        if image and not is_live and not _is_same(held, _rendered(image, rows, losers)):
            unsettled |= _unlike(renderer, image, part)
    refused = tuple(duplicate_key(loser, winner) for loser, winner in losers.items())
    return TableReading(
        plan,
        _reached(known.mark, until),
        tuple(batches),
        new,
        content,
        found.keys,
        found.gone,
        frozenset(unsettled),
        image is not None,
        found.vanished,
        found.kept,
        refused,
        # A vanished key may be one with another that alone is written in the one way that there is.
        is_doubtful=not is_told and (may_double or bool(found.vanished)),
    )


@dataclass(frozen=True)
class _Found:
    """What the source has of keys to read again; see `TableReading`."""

    keys: frozenset[str]
    gone: Mapping[str, frozenset[str]]
    vanished: frozenset[str]
    kept: frozenset[str]


def _look_up(connection: apsw.Connection, plan: TablePlan, again: ReadAgain) -> _Found:
    """Find the rows of the keys, and which of their old target keys no row has now.

    A row that took over such a target key is read again as well. Which keys are one and the same is for PostgreSQL to
    say: citext and numeric have several ways to write one. So a `held` row of such a key is never taken for gone.
    """
    if not again:
        return _Found(frozenset(), {}, frozenset(), frozenset())
    target_keys = TargetKeys(connection, plan)
    now = dict(target_keys.of(again.source_keys))
    gone = {key: _known(plan, key, olds) for key, olds in again.source_keys.items() if key not in now}
    vanished = set(again.target_keys).union(*gone.values())
    if is_exact(plan):
        vanished |= again.held
    own, kept = is_own(plan), set[str]()
    if not is_every_rowid(plan):
        moved, kept = _moved(again, now, own=own)
        vanished |= moved
    if again.held or (vanished and (again.target_keys or not own)):
        holders = target_keys.having(vanished | again.held)
        kept.update(holders.values())
        now.update(holders)
    if not plan.deletes:
        vanished.clear()
    return _Found(frozenset(again.source_keys) | now.keys(), gone, frozenset(vanished), frozenset(kept))


def _moved(again: ReadAgain, now: Mapping[str, str | None], *, own: bool) -> tuple[set[str], set[str]]:
    """The target keys that rows had and have no longer, and those that they have in their place."""
    left, taken = set[str](), set[str]()
    for key, new in now.items():
        olds = again.source_keys[key]
        if own and not olds:
            continue
        same = {old for old in olds if canonical(old) == new}
        left |= olds - same
        if new is not None and not same:
            taken.add(new)
    return left, taken


def _known(plan: TablePlan, source_key: str, target_keys: frozenset[str]) -> frozenset[str]:
    """The target keys of a row that is gone; where the key is the rowid it need not be remembered."""
    return target_keys or (frozenset({source_key}) if is_rowid(plan) else target_keys)


def _rendered(renderer: Renderer, rows: Range, losers: Mapping[str, str]) -> Iterator[Batch]:
    return renderer.batches(ranges.without(rows, renderer.plan, frozenset(losers)), keyed=True)


def _unlike(renderer: Renderer, image: Renderer, keys: list[str]) -> set[str]:
    """The keys whose rows are not the same in the image."""
    try:
        here, there = (lines(one.connection, one.plan, keys) for one in (renderer, image))
    except apsw.TooBigError:
        return set(keys)
    return {key for key in keys if here.get(key) != there.get(key)}


def _is_same(held: list[Held], image: Iterator[Batch]) -> bool:
    """Whether the image has the same rows, and refuses the same."""
    there = [(hashlib.sha256(batch.payload).digest(), batch.refusals) for batch in image]
    return there == [(one.digest, one.refusals) for one in held]


def _chunks(keys: frozenset[str], plan: TablePlan) -> list[list[str]]:
    """The keys in batches; rowids in their own order, in which SQLite and the target's key find rows side by side."""
    ordered = sorted(keys, key=int) if plan.by_rowid else sorted(keys)
    size = plan.batch_rows if plan.by_rowid else _KEYS_AT_ONCE
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]


def _reached(before: Mark, until: Mark) -> Mark:
    """A rowid mark follows the table down as well: SQLite gives a rowid again after the top row was deleted."""
    return replace(until, moment=until.moment or before.moment)


def changed(plan: TablePlan, known: Checkpoint) -> SchemaError:
    """The error of a table that is not what it was when it was loaded."""
    what = drift.told(known.definition, plan) if known.definition else "its definition or its mapping is another one"
    anew = "delete the rows of this table in syncd.checkpoint, then run syncd load"
    return SchemaError(
        f"changed since it was loaded: {what}",
        where=plan.name,
        advice=f"Undo the change; or drop the target's table {plan.target} and {anew}"
        if plan.created
        else f"Undo the change; or let the target's table {plan.target} and [table:{plan.name}] fit it, and {anew}",
    )


def _check(plan: TablePlan, known: Checkpoint, classes: frozenset[str]) -> None:
    if plan.fingerprint != known.fingerprint:
        raise changed(plan, known)
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
        self._applied: dict[str, bytes | None] = {}
        self._many_ties: set[str] = set()

    def of(self, table: TablePlan) -> Renderer:
        if table.name not in self._renderers:
            self._renderers[table.name] = Renderer(self._connection, table)
        return self._renderers[table.name]

    def read(
        self,
        known: Mapping[str, Checkpoint],
        again: Mapping[str, ReadAgain],
        spool: Spool,
        *,
        ties: bool,
        next_base: NextBase,
        seen: int,
    ) -> tuple[TableReading, ...]:
        """Read every table that has a checkpoint in `known`, parents first; tables without news are left out.

        Rows at a date mark come again with `ties`, without only where they are few. `seen` is the
        source's data version in this transaction: while no other connection has committed, it is the same
        (https://sqlite.org/pragma.html#pragma_data_version), and so is every row.
        """
        found = []
        for table in self.plan.tables:
            if table.name in known:
                all_ties = ties or table.name not in self._many_ties
                keys = again.get(table.name, ReadAgain())
                image = _comparable(next_base.images.get(table.name), table)
                reading = read_table(
                    self.of(table),
                    known[table.name],
                    keys,
                    spool,
                    ties=all_ties,
                    image=image,
                    is_live=seen == next_base.data_version,
                )
                found.append(reading)
                if all_ties:
                    self._count_ties(reading)
        unknown = (reading.without(self._applied.get(reading.plan.name)) for reading in found)
        news = [reading for reading in unknown if reading.brings_news(known[reading.plan.name])]
        return tuple(self._with_keys(r, spool) if r.is_doubtful else r for r in news)

    def _with_keys(self, reading: TableReading, spool: Spool) -> TableReading:
        keys = duplicates.keys(reading.plan)
        lines = Renderer(self._connection, keys, normal_keys=False).batches(ranges.whole(keys), keyed=True)
        return replace(reading, keys=tuple(map(spool.add, lines)))

    def _count_ties(self, reading: TableReading) -> None:
        if reading.plan.mark.moment and sum(held.rows for held in reading.batches) > MANY_TIES:
            self._many_ties.add(reading.plan.name)
        else:
            self._many_ties.discard(reading.plan.name)

    def applied(self, reading: TableReading) -> None:
        """The reading was committed."""
        self._applied[reading.plan.name] = reading.content


def _comparable(image: Renderer | None, table: TablePlan) -> Renderer | None:
    """An image of the table as it is planned now."""
    return image if image and image.plan.fingerprint == table.fingerprint else None
