"""The plan shown before anything is done: of both sides, or of the source and an empty target."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from syncd.config import Config, ForeignKeys
from syncd.engine.sides import Sides, TargetSide, plan_sides
from syncd.engine.timescale.empty import planned
from syncd.model import Skipped
from syncd.plan import Plan, TablePlan
from syncd.source import orphans
from syncd.source.database import Database, SourceConnection
from syncd.target import ddl
from syncd.wording import counted

NOTHING_THERE = TargetSide({}, {})


@dataclass(frozen=True)
class Preview:
    """What would be done. `there` names the tables that stand in the target already, in its schema `schema`.

    `hypertables` are the statements that make missing tables hypertables, by the target's table. `left_out` are the
    foreign keys that the source violates, where they were counted: a load does not create them.
    """

    plan: Plan
    schema: str
    there: frozenset[str]
    hypertables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: tuple[Skipped, ...] = ()

    @property
    def statements(self) -> list[str]:
        """What creates the tables that the target lacks, in a load's order; foreign keys come last."""
        missing = tuple(self._as_created(table) for table in self.plan.tables if table.target not in self.there)
        return ddl.statements(replace(self.plan, tables=missing), self.schema, self.hypertables)

    def _as_created(self, table: TablePlan) -> TablePlan:
        unwanted = {skipped.name for skipped in self.left_out}
        keys = tuple(key for key in table.foreign_keys if f"{table.name}.{key.name}" not in unwanted)
        return replace(table, foreign_keys=keys)


def preview(sides: Sides, *, counting: bool = False) -> Preview:
    """Plan for both sides as they are, `counting` the rows without a parent. Writes nothing."""
    there = sides.look_at_target()
    with sides.source.transaction() as connection:
        plan = sides.plan(connection, there)
        missing = [table for table in plan.tables if table.target not in there.tables]
        hypertables = {table.target: planned(sides, table, connection) for table in missing}
        left_out = tuple(_violated(connection, plan)) if counting else ()
        return Preview(plan, sides.schema, frozenset(there.tables), hypertables, left_out)


def preview_of_source(config: Config, source: Database, *, counting: bool = False) -> Preview:
    """Plan for a target that holds nothing."""
    with source.transaction() as connection:
        plan = plan_sides(connection, NOTHING_THERE, config, str(source.path))
        left_out = tuple(_violated(connection, plan)) if counting else ()
    return Preview(plan, config.target.schema_, frozenset(), left_out=left_out)


def _violated(connection: SourceConnection, plan: Plan) -> Iterator[Skipped]:
    """The foreign keys that `foreign_keys = auto` leaves out."""
    by_target = {table.target: table for table in plan.tables}
    for table in plan.tables if plan.foreign_keys is ForeignKeys.AUTO else ():
        for key in table.foreign_keys if table.created else ():
            parent = by_target.get(key.parent)
            if parent and orphans.is_countable(table, key, parent):
                count = orphans.find(connection, table, key, parent).count
                if count:
                    yield Skipped(f"{table.name}.{key.name}", f"{counted(count, 'row')} without a parent")
