"""Waiting for something to be so, instead of for time to pass."""

import time
from collections.abc import Callable

_STEP = 0.01


def wait_until(what: Callable[[], bool], said: str, seconds: float = 30) -> None:
    """Wait until `what()` is true; fail with `said` when it is not in time."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"not in {seconds} s: {said}"
        time.sleep(_STEP)
