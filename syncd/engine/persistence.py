"""Going on after a fault that passes: the sides are opened again, and the work goes on where its checkpoints stand."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from syncd.engine.sides import Sides
from syncd.errors import RetryError, SourceBusyError
from syncd.log import event

T = TypeVar("T")

PATIENCE_SECONDS = 300.0
FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 5.0


def persistently(open_sides: Callable[[], AbstractContextManager[Sides]], work: Callable[[Sides], T]) -> T:
    """Do `work` on the sides, again after each fault that passes, until it has waited for five minutes in all.

    A locked source is always waited for. A target only if it has answered before: whoever names one that is not there
    is told at once.
    """
    reached = False
    waited, wait = 0.0, FIRST_WAIT_SECONDS
    while True:
        try:
            with open_sides() as sides:
                reached = True
                return work(sides)
        except RetryError as error:
            if waited > PATIENCE_SECONDS or not (reached or isinstance(error, SourceBusyError)):
                raise
            event("WARNING", "retry", str(error))
        time.sleep(wait)
        waited, wait = waited + wait, min(wait * 2, LONGEST_WAIT_SECONDS)
