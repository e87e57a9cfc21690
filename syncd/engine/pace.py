"""How fast tables may go: what `pause` and `throttle` ask for, obeyed between two batches and two passes."""

import time
from collections.abc import Callable, Iterable

from syncd.target.control import ALL_TABLES, Control

_STEP = 0.1
LONGEST_DEBT_SECONDS = 3600.0


class Pace:
    """Told by one thread what is asked for; workers spend rows, and wait until the rows before have had their time.

    `alive` is called while a worker waits: standing still was asked for, and is no fault. `stopping` ends a wait.
    """

    def __init__(self, alive: Callable[[], None] = lambda: None, stopping: Callable[[], bool] = lambda: False) -> None:
        self._alive = alive
        self._stopping = stopping
        self._asked: dict[str, Control] = {}
        self._due: dict[str, float] = {}

    def ask(self, controls: Iterable[Control]) -> bool:
        """From now on these count; returns whether something may go on that stood still."""
        before, self._asked = self._asked, {asked.table: asked for asked in controls}
        changed = {table for table in before.keys() | self._asked.keys() if before.get(table) != self._asked.get(table)}
        for table in changed:
            self._due.pop(table, None)
        return any(before[table].paused or before[table].rows_per_second for table in changed & before.keys())

    @property
    def controls(self) -> tuple[Control, ...]:
        return tuple(self._asked.values())

    @property
    def is_free(self) -> bool:
        """Whether nothing at all is asked for."""
        return not self._asked

    def is_paused(self, table: str = ALL_TABLES) -> bool:
        """Whether the table is, alone or with all others; without a name, whether all are."""
        return any(name in self._asked and self._asked[name].paused for name in (ALL_TABLES, table))

    def holds(self, table: str) -> bool:
        """Whether the table may have nothing applied to it now."""
        return self.is_paused(table) or self._is_early(table)

    def limits(self, table: str) -> bool:
        """Whether the table's rows have to go in batches, with time between them."""
        return any(name in self._asked and self._asked[name].rows_per_second for name in (ALL_TABLES, table))

    def spend(self, table: str, rows: int) -> None:
        """So many rows of the table were applied."""
        now = time.monotonic()
        for name in (ALL_TABLES, table):
            asked = self._asked.get(name)
            if asked and asked.rows_per_second and rows:
                due = max(self._due.get(name, now), now) + rows / asked.rows_per_second
                self._due[name] = min(due, now + LONGEST_DEBT_SECONDS)

    def wait(self, table: str, *, out: bool = False) -> None:
        """Wait until the rows before have had their time; with `out` also until a pause is taken back."""
        while (self._is_early(table) or (out and self.is_paused(table))) and not self._stopping():
            self._alive()
            time.sleep(_STEP)

    def _is_early(self, table: str) -> bool:
        now = time.monotonic()
        return any(self._due.get(name, 0.0) > now for name in (ALL_TABLES, table))
