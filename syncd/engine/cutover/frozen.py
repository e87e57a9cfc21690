"""The plan at the frozen position: until the fence stood, the application could make tables and change them."""

from collections.abc import Callable
from dataclasses import replace

from syncd.engine.cutover import ready
from syncd.engine.sides import Sides
from syncd.model import Difference, TableVerdict, VerifyReport
from syncd.plan import Plan


def planned(sides: Sides) -> Plan:
    """Plan every table as both sides are now."""
    there = sides.look_at_target()
    with sides.source.transaction() as connection:
        return sides.plan(connection, there)


def compared(sides: Sides, plan: Plan, compare: Callable[[Plan], VerifyReport]) -> VerifyReport:
    """Compare the tables that fit their checkpoints; each of the others is a difference: its rows would stay behind."""
    unfit = {one.subject: one.said for one in ready.tables(plan, sides.checkpoints()) if not one.warning}
    found = compare(replace(plan, tables=tuple(table for table in plan.tables if table.name not in unfit)))
    told = {verdict.table for verdict in found.tables if verdict.found}
    verdicts = tuple(_unfit(table, said) for table, said in unfit.items() if table not in told)
    others = tuple(verdict for verdict in found.tables if verdict.table not in {one.table for one in verdicts})
    return replace(found, tables=others + verdicts)


def _unfit(table: str, said: str) -> TableVerdict:
    return TableVerdict(table, 0, 0, 0, 0, differences=(Difference(table, "not compared", "", said),))
