"""The daemon's signs of life, to systemd and to the log."""

import threading
import time

from syncd.engine.progress import Progress
from syncd.log import event
from syncd.model import Applied, PassReport
from syncd.service.systemd import Notifier

STILL_SECONDS = 900.0
"""So long may one step take without a sign of progress: the key of a large table is built in one statement."""
TELL_SECONDS = 10.0


class Heart(Progress):
    """Beats for systemd's watchdog only while work makes progress, and tells what the daemon does."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self._moved = time.monotonic()
        self._told = 0.0
        self._since = Applied()
        self._passes = 0
        self._loading: dict[str, list[int]] = {}
        if notifier.watchdog_interval:
            threading.Thread(target=self._beat, args=(notifier.watchdog_interval,), name="heart", daemon=True).start()

    def _beat(self, interval: float) -> None:
        while True:
            if time.monotonic() - self._moved < STILL_SECONDS:
                self._notifier.watchdog()
            time.sleep(interval)

    def moved(self) -> None:
        """Work made progress."""
        self._moved = time.monotonic()

    def passed(self, report: PassReport) -> None:
        """A pass ended."""
        self.moved()
        self._since += report.applied
        self._passes += 1
        if report.applied != Applied():
            event("DEBUG", "pass", "pass", rows=report.applied.written, seconds=round(report.seconds, 4))
        if self._is_time():
            self._tell_passes()

    def idle(self) -> None:
        """The schedule struck, and there was nothing to do."""
        if self._is_time():
            self._tell_passes()

    def _is_time(self) -> bool:
        now = time.monotonic()
        if now - self._told < TELL_SECONDS:
            return False
        self._told = now
        return True

    def _tell_passes(self) -> None:
        done, passes = self._since, self._passes
        self._since, self._passes = Applied(), 0
        if done == Applied():
            self._notifier.status("in step with the source")
            return
        said = f"applied {done.written} rows in {passes} passes"
        self._notifier.status(f"catching up: {said}")
        event("INFO", "passes", said, inserted=done.inserted, updated=done.updated, rejected=done.rejected)

    def table_started(self, table: str, rows: int) -> None:
        self._loading[table] = [0, rows]

    def advanced(self, table: str, rows: int) -> None:
        self.moved()
        self._loading[table][0] += rows
        if self._is_time():
            done, all_rows = (sum(counts[n] for counts in self._loading.values()) for n in (0, 1))
            said = f"loading: {done} of about {all_rows} rows, {len(self._loading)} tables begun"
            self._notifier.status(said)
            event("INFO", "loading", said, rows=done)

    def table_finished(self, table: str) -> None:  # noqa: ARG002 - the protocol names it
        self.moved()

    def note(self, text: str) -> None:
        self.moved()
        self._notifier.status(text)
