"""The plan shown before anything is done: of both sides, or of the source and an empty target."""

from dataclasses import dataclass, replace

from syncd.config import Config
from syncd.engine.sides import Sides, TargetSide, plan_sides
from syncd.plan import Plan
from syncd.source.database import Database
from syncd.target import ddl

NOTHING_THERE = TargetSide({}, {})


@dataclass(frozen=True)
class Preview:
    """What would be done. `there` names the tables that stand in the target already, in its schema `schema`."""

    plan: Plan
    schema: str
    there: frozenset[str]

    @property
    def statements(self) -> list[str]:
        """What creates the tables that the target lacks, in a load's order; foreign keys come last."""
        missing = tuple(table for table in self.plan.tables if table.target not in self.there)
        return ddl.statements(replace(self.plan, tables=missing), self.schema)


def preview(sides: Sides) -> Preview:
    """Plan for both sides as they are. Writes nothing."""
    there = sides.look_at_target()
    with sides.source.transaction() as connection:
        return Preview(sides.plan(connection, there), sides.schema, frozenset(there.tables))


def preview_of_source(config: Config, source: Database) -> Preview:
    """Plan for a target that holds nothing."""
    with source.transaction() as connection:
        plan = plan_sides(connection, NOTHING_THERE, config, str(source.path))
    return Preview(plan, config.target.schema_, frozenset())
