"""When the daemon sweeps: between two passes, and seldom enough to leave the machine to others."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Literal

from syncd.engine.catchup import Catchup
from syncd.engine.sides import Sides
from syncd.engine.sweep import sweep
from syncd.errors import SourceBusyError
from syncd.log import event
from syncd.service.heart import Heart

FIRST_SECONDS = 60.0
"""From the daemon's start to its first sweep, unless the interval is shorter: it comes into step first."""
LEAST_SECONDS, MOST_SECONDS = 60.0, 86_400.0
AUTO_FACTOR = 100
"""A sweep may take 1 % of the time."""

_Setting = timedelta | Literal["auto", "off"]


class Sweeps:
    """Sweeps whenever the setting says that it is time."""

    def __init__(self, setting: _Setting, heart: Heart, stopping: Callable[[], bool]) -> None:
        self._setting = setting
        self._heart = heart
        self._stopping = stopping
        self._swept: int | None = None
        self._due = time.monotonic() + min(FIRST_SECONDS, wait_after(setting, 0.0))

    def sweep_if_due(self, sides: Sides, catchup: Catchup) -> None:
        """Sweep if it is time, and if the source changed since the last sweep: else it is as the base has it."""
        if time.monotonic() < self._due or self._stopping():
            return
        began, version = time.monotonic(), sides.source.data_version
        if version != self._swept and catchup.known:
            try:
                report = sweep(sides, catchup, stopping=self._stopping)
                self._heart.passed(report.as_pass)
                self._heart.swept(report.seconds)
                self._swept = version if report.finished and not report.refused else None
            except SourceBusyError as error:
                event("WARNING", "source_busy", str(error))
        self._heart.moved()
        self._due = time.monotonic() + wait_after(self._setting, time.monotonic() - began)


def wait_after(setting: _Setting, seconds: float) -> float:
    """Seconds from the end of a sweep that took so many to the next one's beginning."""
    if setting == "off":
        return float("inf")
    if setting == "auto":
        return min(max(seconds * (AUTO_FACTOR - 1), LEAST_SECONDS), MOST_SECONDS)
    return max(setting.total_seconds() - seconds, 0.0)
