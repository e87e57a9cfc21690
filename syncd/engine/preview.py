"""The plan shown before anything is done: of both sides, or of the source and an empty target."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from syncd.config import Config
from syncd.engine.sides import Sides, TargetSide, plan_sides
from syncd.engine.timescale.empty import planned
from syncd.plan import Plan
from syncd.source.database import Database
from syncd.target import ddl

NOTHING_THERE = TargetSide({}, {})


@dataclass(frozen=True)
class Preview:
    """What would be done. `there` names the tables that stand in the target already, in its schema `schema`.

    `hypertables` are the statements that make missing tables hypertables, by the target's table.
    """

    plan: Plan
    schema: str
    there: frozenset[str]
    hypertables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def statements(self) -> list[str]:
        """What creates the tables that the target lacks, in a load's order; foreign keys come last."""
        missing = tuple(table for table in self.plan.tables if table.target not in self.there)
        return ddl.statements(replace(self.plan, tables=missing), self.schema, self.hypertables)


def preview(sides: Sides) -> Preview:
    """Plan for both sides as they are. Writes nothing."""
    there = sides.look_at_target()
    with sides.source.transaction() as connection:
        plan = sides.plan(connection, there)
        missing = [table for table in plan.tables if table.target not in there.tables]
        hypertables = {table.target: planned(sides, table, connection) for table in missing}
        return Preview(plan, sides.schema, frozenset(there.tables), hypertables)


def preview_of_source(config: Config, source: Database) -> Preview:
    """Plan for a target that holds nothing."""
    with source.transaction() as connection:
        plan = plan_sides(connection, NOTHING_THERE, config, str(source.path))
    return Preview(plan, config.target.schema_, frozenset())
