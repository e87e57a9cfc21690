"""The daemon's signs of life: to systemd, to the log, and to what samples the report."""

import threading
import time

from syncd.engine.progress import Progress
from syncd.engine.report import Report
from syncd.errors import RetryError
from syncd.log import event
from syncd.model import Applied, PassReport
from syncd.service.sampler import Sampler
from syncd.service.systemd import Notifier
from syncd.wording import counted

STILL_SECONDS = 900.0
"""So long may one step take without a sign of progress: the key of a large table is built in one statement."""
TELL_SECONDS = 10.0


class Heart(Progress):
    """Beats for systemd's watchdog only while work makes progress, and tells what the daemon does."""

    def __init__(self, notifier: Notifier, sampler: Sampler) -> None:
        self._notifier = notifier
        self._sampler = sampler
        self._moved = time.monotonic()
        self._told = 0.0
        self._said = ""
        self._since = Applied()
        self._passes = 0
        self._loading: dict[str, list[int]] = {}
        sampler.listen(self._tell_status)
        if notifier.watchdog_interval:
            threading.Thread(target=self._beat, args=(notifier.watchdog_interval,), name="heart", daemon=True).start()

    def _beat(self, interval: float) -> None:
        while True:
            if time.monotonic() - self._moved < STILL_SECONDS:
                self._notifier.watchdog()
            time.sleep(interval)

    def _tell_status(self, report: Report) -> None:
        if report.sentence != self._said:
            self._said = report.sentence
            self._notifier.status(self._said)

    def moved(self) -> None:
        """Work made progress."""
        self._moved = time.monotonic()
        self._sampler.moved()

    def waiting(self, said: str) -> None:
        """Work waits for something that is not there; that is no standstill."""
        self.moved()
        self._sampler.hindered(said)

    def lent(self) -> None:
        """A command works in our place."""
        self.moved()
        self._sampler.busy_with("a command works on this source")

    def passed(self, report: PassReport) -> None:
        """A pass ended."""
        self.moved()
        self._sampler.counters.passed(report)
        self._sampler.counters.succeeded("pass")
        self._since += report.applied
        self._passes += 1
        if report.applied != Applied():
            event("DEBUG", "pass", "pass", rows=report.applied.written, seconds=round(report.seconds, 4))
        if self._is_time():
            self._tell_passes()

    def swept(self, seconds: float) -> None:
        """A sweep ended that took so long; its passes were told apart."""
        self.moved()
        self._sampler.counters.swept(seconds)

    def idle(self) -> None:
        """There was nothing to do."""
        self.moved()
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
        if done != Applied():
            said = f"applied {counted(done.written, 'row')} in {counted(passes, 'pass')}"
            lag = round(self._sampler.report.lag, 1)
            event("INFO", "passes", said, inserted=done.inserted, updated=done.updated, rejected=done.rejected, lag=lag)

    def loaded(self, report: PassReport) -> None:
        """The load ended, or had nothing to do."""
        self.moved()
        self._sampler.counters.loaded(report)

    def table_started(self, table: str, rows: int) -> None:
        self._loading[table] = [0, rows]
        self._sampler.estimated(table, rows)

    def brought(self, table: str, applied: Applied, read_seconds: float, write_seconds: float) -> None:
        self._sampler.counters.batch(table, applied, read_seconds, write_seconds)
        self.advanced(table, applied.read)
        pace = self._sampler.pace
        pace.spend(table, applied.written)
        pace.wait(table, out=True)

    def retried(self, error: RetryError) -> None:
        super().retried(error)
        self._sampler.counters.failed(error, again=True)
        self.waiting(f"target: {error.what}")

    def failed(self, error: Exception, *, again: bool) -> None:
        """Something went wrong; `again` where it is tried again."""
        self._sampler.counters.failed(error, again=again)

    def advanced(self, table: str, rows: int) -> None:
        self.moved()
        self._loading[table][0] += rows
        if self._is_time():
            done, all_rows = (sum(counts[n] for counts in self._loading.values()) for n in (0, 1))
            said = f"loading: {done} of about {all_rows} rows, {counted(len(self._loading), 'table')} begun"
            event("INFO", "loading", said, rows=done)

    def table_finished(self, table: str) -> None:  # noqa: ARG002 - the protocol names it
        self.moved()

    def note(self, text: str) -> None:  # noqa: ARG002 - the protocol names it
        self.moved()
