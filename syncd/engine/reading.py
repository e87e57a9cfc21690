"""The source's half of a pass: everything it applies, read in one short transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import apsw

from syncd.engine.spool import Held, Spool
from syncd.errors import MarkError, SchemaError, TableError
from syncd.model import Mark
from syncd.plan import Plan, TablePlan
from syncd.source import catalog, ranges
from syncd.source.render import Renderer
from syncd.target.state import Checkpoint


@dataclass(frozen=True)
class TableReading:
    """What a pass read of one table: the batches, the mark that they reach, and the keys that were read again.

    `gone` are those of the keys whose rows the source has no longer. `error` says why nothing was read.
    """

    plan: TablePlan
    reaches: Mark
    batches: tuple[Held, ...] = ()
    again: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    error: TableError | None = None

    @property
    def is_empty(self) -> bool:
        return not (self.batches or self.again or self.error)


def read_table(renderer: Renderer, known: Checkpoint, again: frozenset[str], spool: Spool) -> TableReading:
    """Read a table's rows beyond its mark up to the bound that is fixed first, and the rows of the keys `again`."""
    plan, connection = renderer.plan, renderer.connection
    try:
        _check(connection, plan, known)
    except TableError as error:
        return TableReading(plan, known.mark, error=error)
    until = ranges.bound(connection, plan)
    wanted = list(ranges.beyond(plan, known.mark, until))
    wanted += [ranges.of_keys(plan, part) for part in _chunks(again)]
    batches = tuple(spool.add(batch) for rows in wanted for batch in renderer.batches(rows, keyed=True))
    there = frozenset[str]().union(*(renderer.keys(ranges.of_keys(plan, part)) for part in _chunks(again)))
    return TableReading(plan, _reached(known.mark, until), batches, again, again - there)


def _chunks(keys: frozenset[str], size: int = 500) -> list[list[str]]:
    ordered = sorted(keys)
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]


def _reached(before: Mark, until: Mark) -> Mark:
    """A rowid mark follows the table down as well: SQLite gives a rowid again after the top row was deleted."""
    return replace(until, moment=until.moment or before.moment)


def _check(connection: apsw.Connection, plan: TablePlan, known: Checkpoint) -> None:
    if plan.fingerprint != known.fingerprint:
        raise SchemaError(
            "its definition or its mapping is not the one that it was loaded with",
            where=plan.name,
            advice=f"Undo the change; or drop the target's table {plan.target} and delete the rows of this table "
            "in syncd.checkpoint, then run syncd load",
        )
    if plan.mark.moment:
        found = catalog.storage_classes(connection, plan.name, plan.mark.moment)
        if len(found) > 1:
            raise MarkError(
                f"its date column holds {' and '.join(sorted(found))}, which do not sort by time",
                where=f"{plan.name}.{plan.mark.moment}",
                advice=f"Write [table:{plan.name}] watermark = rowid, or make the column's values alike",
            )


class Readers:
    """A renderer for each table of a plan, made when first needed."""

    def __init__(self, connection: apsw.Connection, plan: Plan) -> None:
        self.plan = plan
        self._connection = connection
        self._renderers: dict[str, Renderer] = {}

    def of(self, table: TablePlan) -> Renderer:
        if table.name not in self._renderers:
            self._renderers[table.name] = Renderer(self._connection, table)
        return self._renderers[table.name]

    def read(
        self, known: Mapping[str, Checkpoint], again: Mapping[str, frozenset[str]], spool: Spool
    ) -> tuple[TableReading, ...]:
        """Read every table that has a checkpoint in `known`, parents first; tables with nothing new are left out."""
        found = [
            read_table(self.of(table), known[table.name], again.get(table.name, frozenset()), spool)
            for table in self.plan.tables
            if table.name in known
        ]
        return tuple(r for r in found if not r.is_empty or r.reaches != known[r.plan.name].mark)
