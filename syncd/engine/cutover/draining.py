"""The drain: the target comes so near that little is left to do behind the fence. Writers go on meanwhile."""

from dataclasses import dataclass

from syncd.engine import timescale
from syncd.engine.catchup import Catchup
from syncd.engine.cutover.warden import Warden
from syncd.engine.sides import Sides
from syncd.engine.sweep import sweep
from syncd.errors import AbortedError
from syncd.plan import Plan
from syncd.target import promotion, replacing
from syncd.wording import counted

DRAINED_SECONDS = 0.5
"""A pass that takes no longer leaves little for the final one."""
DRAINS_AT_MOST = 10
MANY_KEYS = 1000
"""Keys that a sweep read again: the next reads many of them once more, and should not be the one behind the fence."""


@dataclass(frozen=True)
class Drained:
    """What the drain did; `pass_seconds` are those of a pass like the one behind the fence."""

    indexes: int
    read_again: int
    passes: int
    pass_seconds: float

    @property
    def said(self) -> str:
        built = f"{counted(self.indexes, 'final index')} built, " if self.indexes else ""
        return f"{built}{counted(self.read_again, 'row')} read again, {counted(self.passes, 'pass')}"


def drain(sides: Sides, catchup: Catchup, plan: Plan, warden: Warden) -> Drained:
    """Do all that can be done before the fence. Raises AbortedError where the cutover has to end."""
    catchup.run(stopping=warden.should_stop)
    with warden.ending(sides.control):
        indexes = replacing.build(sides.control, sides.schema, plan.tables)
    read_again = _sweep(sides, catchup, warden)
    if read_again > MANY_KEYS:
        read_again += _sweep(sides, catchup, warden)
    with warden.ending(sides.control):
        # What is aggregated now need not be aggregated behind the fence.
        timescale.refresh(sides)
        promotion.analyze(sides.control, sides.schema, [table.target for table in plan.tables])
    passes = 1
    while _pass(catchup, warden) > DRAINED_SECONDS and passes < DRAINS_AT_MOST:
        passes += 1
    return Drained(indexes, read_again, passes, _pass(catchup, warden, thorough=False))


def _pass(catchup: Catchup, warden: Warden, *, thorough: bool = True) -> float:
    report = catchup.run(thorough=thorough, stopping=warden.should_stop)
    warden.confirm()
    return report.seconds


def _sweep(sides: Sides, catchup: Catchup, warden: Warden) -> int:
    report = sweep(sides, catchup, stopping=warden.should_stop)
    if report.refused:
        raise AbortedError(report.refused[0].error, where=report.refused[0].table)
    return report.read_again
