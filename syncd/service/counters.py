"""What the daemon's work counts: rows, bytes, durations, errors. Written by the workers, read by whoever tells."""

import threading
import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from syncd.model import Applied, PassReport

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds in seconds: a pass of one row takes a millisecond, a batch of a load a tenth of a second."""
RATE_SECONDS = 10.0


@dataclass
class Durations:
    """A histogram; `counts` has one more place than `BUCKETS`, for what took longer."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds


@dataclass(frozen=True)
class Tally:
    """The counts at one moment. `applied` by table, `durations` by stage, `errors` by class, `succeeded` by stage."""

    applied: Mapping[str, Applied]
    durations: Mapping[str, Durations]
    errors: Mapping[str, int]
    succeeded: Mapping[str, float]
    retries: int


class Counters:
    """Counts since the daemon began; one short lock, never held while anything is waited for.

    `fetched` is when somebody fetched them as metrics last, in Unix seconds.
    """

    def __init__(self) -> None:
        self.fetched = 0.0
        self._lock = threading.Lock()
        self._applied: dict[str, Applied] = {}
        self._durations: dict[str, Durations] = {}
        self._errors: Counter[str] = Counter()
        self._succeeded: dict[str, float] = {}
        self._retries = 0
        self._moments: deque[tuple[float, dict[str, Applied]]] = deque()

    def batch(self, table: str, applied: Applied, read_seconds: float, write_seconds: float) -> None:
        """A batch of a load was committed."""
        with self._lock:
            self._applied[table] = self._applied.get(table, Applied()) + applied
            self._took("load_read", read_seconds)
            self._took("load_write", write_seconds)

    def passed(self, report: PassReport) -> None:
        """A pass was committed."""
        with self._lock:
            for table in report.tables:
                self._applied[table.table] = self._applied.get(table.table, Applied()) + table.applied
            self._stopped(report)
            if report.read_seconds:
                self._took("pass_read", report.read_seconds)
                self._took("pass_write", report.seconds - report.read_seconds)

    def loaded(self, report: PassReport) -> None:
        """A load ended, whose batches were told apart."""
        with self._lock:
            self._stopped(report)
            if not report.stopped:
                self._succeeded["load"] = time.time()

    def _stopped(self, report: PassReport) -> None:
        self._errors.update(table.fault for table in report.stopped)

    def swept(self, seconds: float) -> None:
        with self._lock:
            self._took("sweep", seconds)
            self._succeeded["sweep"] = time.time()

    def succeeded(self, stage: str) -> None:
        """A stage ended well."""
        with self._lock:
            self._succeeded[stage] = time.time()

    def failed(self, error: Exception, *, again: bool) -> None:
        """Something failed; `again` where it is tried again."""
        with self._lock:
            self._errors[type(error).__name__] += 1
            self._retries += again

    def _took(self, stage: str, seconds: float) -> None:
        self._durations.setdefault(stage, Durations()).add(seconds)

    def tally(self) -> Tally:
        with self._lock:
            durations = {name: Durations(list(d.counts), d.total) for name, d in self._durations.items()}
            return Tally(dict(self._applied), durations, dict(self._errors), dict(self._succeeded), self._retries)

    def rates(self, now: float) -> Mapping[str, float]:
        """Rows a second of each table over the last 10 seconds; called once a second by one thread, `now` monotonic."""
        with self._lock:
            latest = dict(self._applied)
        self._moments.append((now, latest))
        while len(self._moments) > 2 and now - self._moments[0][0] > RATE_SECONDS:
            self._moments.popleft()
        then, before = self._moments[0]
        if now <= then:
            return {}
        return {
            table: (_moved(applied) - _moved(before.get(table, Applied()))) / (now - then)
            for table, applied in latest.items()
        }


def _moved(applied: Applied) -> int:
    return applied.written + applied.deleted
