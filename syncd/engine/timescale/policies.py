"""Policies stand still while many rows move: they would compress chunks that are still being filled, and deadlock.

What was paused is written down in `syncd.event`, so that it is resumed after a crash as well.
"""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from syncd.engine.sides import Sides
from syncd.target.database import transaction
from syncd.target.timescale import detection, tables
from syncd.target.timescale.jobs import set_scheduled

MANY_ROWS = 10_000
"""A repair or a sweep of so many rows takes seconds, in which a policy may come for the same chunks."""
_PAUSED, _RESUMED = "policies_paused", "policies_resumed"


@contextmanager
def paused(sides: Sides) -> Iterator[None]:
    """Pause the policies of the target's hypertables and aggregates for a load or a large repair."""
    pause(sides)
    try:
        yield
    finally:
        resume(sides)


def paused_for(sides: Sides, rows: int) -> AbstractContextManager[None]:
    """Pause the policies where so many rows move that they would be in the way; otherwise leave them alone."""
    return paused(sides) if rows >= MANY_ROWS else nullcontext()


def pause(sides: Sides) -> None:
    """Pause what runs by schedule now."""
    if not detection.is_installed(sides.control):
        return
    running = [job.id for job in tables.jobs(sides.control, sides.schema) if job.scheduled]
    if running:
        with transaction(sides.control):
            set_scheduled(sides.control, running, scheduled=False)
            sides.state.record(sides.control, "INFO", _PAUSED, detail=json.dumps(running))


def resume(sides: Sides) -> None:
    """Let those that we paused run again; those that somebody else paused stay so."""
    known = sides.state.last_detail(sides.control, (_PAUSED, _RESUMED))
    if known and known[0] == _PAUSED and detection.is_installed(sides.control):
        there = {job.id for job in tables.jobs(sides.control, sides.schema)}
        ours = [number for number in json.loads(known[1]) if number in there]
        with transaction(sides.control):
            set_scheduled(sides.control, ours, scheduled=True)
            sides.state.record(sides.control, "INFO", _RESUMED, detail=json.dumps(ours))
