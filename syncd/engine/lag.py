"""The lag: how old the oldest change of the source is that was not applied yet.

A change is noticed when the system tells of it, when the file's times show it, or when SQLite's data_version does. It
is settled by a pass that began later and committed, or by a look that found nothing committed. Noticing is not the
worker's business alone: a worker that hangs, or that cannot reach a side, lets the lag grow.
"""

import threading
import time
from collections.abc import Iterable
from pathlib import Path

TICK_SECONDS = 0.02
"""The file's times are as coarse as the kernel's clock tick: a change may be later than they say by so much."""


class Lag:
    """Since when there are changes that wait, of the whole source and of the tables that were left out.

    Moments are Unix seconds. Several threads tell and ask.
    """

    def __init__(self, now: float | None = None) -> None:
        """Until the first pass nobody knows what was missed: the lag counts from here."""
        self._lock = threading.Lock()
        self._oldest: float | None = time.time() if now is None else now
        self._later: float | None = None
        self._began = 0.0
        self._settled = 0.0
        self._waiting: dict[str, float] = {}

    def changed(self, moment: float | None = None) -> None:
        """The source changed at that moment, or now."""
        at = time.time() if moment is None else moment
        with self._lock:
            if at + TICK_SECONDS <= self._settled:
                return
            if self._oldest is None:
                self._oldest = at
            elif at > self._began and self._later is None:
                self._later = at

    def began(self) -> float:
        """A pass or a look begins; hand what this returns to `settled`."""
        with self._lock:
            self._began, self._later = time.time(), None
            return self._began

    def settled(self, began: float, left_out: Iterable[str] = ()) -> None:
        """All that had changed by then is applied, but for these tables."""
        with self._lock:
            oldest, self._oldest = self._oldest, self._later
            self._later, self._settled = None, began
            still = set(left_out)
            self._waiting = {table: since for table, since in self._waiting.items() if table in still}
            if oldest is not None and oldest <= began:
                self._waiting = dict.fromkeys(still, oldest) | self._waiting

    @property
    def left_out(self) -> frozenset[str]:
        """The tables that wait since earlier passes left them out."""
        with self._lock:
            return frozenset(self._waiting)

    def seconds(self, now: float) -> float:
        """The lag of the whole."""
        with self._lock:
            waiting = [*self._waiting.values(), *([] if self._oldest is None else [self._oldest])]
        return max(now - min(waiting), 0.0) if waiting else 0.0

    def of_table(self, table: str, now: float) -> float:
        with self._lock:
            waiting = [since for since in (self._oldest, self._waiting.get(table)) if since is not None]
        return max(now - min(waiting), 0.0) if waiting else 0.0


class FileTimes:
    """Notices changes by the times of the file and its journals. os.stat opens nothing, and so drops no lock."""

    def __init__(self, path: Path) -> None:
        self._paths = (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-journal"))
        self._seen = self._look()
        self.wal_bytes: int | None = None

    def changed_at(self) -> float | None:
        """When the file changed since the last call, None where it did not. Raises OSError where it cannot be seen."""
        seen, before = self._look(), self._seen
        self._seen = seen
        self.wal_bytes = seen[1][1] if seen[1] else None
        if seen[0] is None:
            raise FileNotFoundError(f"{self._paths[0]} is gone")
        changed = [now[0] for now, then in zip(seen, before, strict=True) if now is not None and now != then]
        return max(changed) / 1e9 if changed else None

    def _look(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple(_times(path) for path in self._paths)


def _times(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size
