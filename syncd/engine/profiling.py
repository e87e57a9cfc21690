"""Where the time of a load goes: the seconds of every step, by the clock and on a processor.

What a thread spends on a processor is our own work, SQLite's and Python's. What it spends ready to run, without one, is
the machine's. The rest it waits: while it renders for a disk, in all other steps for PostgreSQL.
"""

import os
import resource
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from syncd.engine.progress import Progress, Step
from syncd.errors import RetryError
from syncd.model import Applied
from syncd.target.waits import Waits

_SCHEDULED = "/proc/thread-self/schedstat"


@dataclass(frozen=True)
class Spent:
    """Seconds of threads: by the clock, on a processor, ready to run without one; and bytes that a disk had to read."""

    seconds: float = 0.0
    cpu: float = 0.0
    queued: float = 0.0
    bytes_read: int = 0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            self.seconds + other.seconds,
            self.cpu + other.cpu,
            self.queued + other.queued,
            self.bytes_read + other.bytes_read,
        )

    def __sub__(self, other: "Spent") -> "Spent":
        return Spent(
            self.seconds - other.seconds,
            self.cpu - other.cpu,
            self.queued - other.queued,
            self.bytes_read - other.bytes_read,
        )

    @property
    def waited(self) -> float:
        """Seconds of waiting for something else than a processor."""
        return max(self.seconds - self.cpu - self.queued, 0.0)


def _now() -> Spent:
    """This thread's clocks."""
    # getrusage(2) counts blocks of 512 bytes, which the page cache did not have.
    read = resource.getrusage(resource.RUSAGE_THREAD).ru_inblock * 512
    return Spent(time.monotonic(), time.thread_time(), _queued(), read)


def _queued() -> float:
    """Seconds that this thread was ready to run and had no processor; 0 where the kernel does not count them."""
    try:
        # A step is read twice: pathlib takes 24 us for it, this 9.
        descriptor = os.open(_SCHEDULED, os.O_RDONLY)
    except OSError:
        return 0.0
    try:
        return int(os.read(descriptor, 64).split()[1]) / 1e9
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class TableProfile:
    """What workers spent on one table, and what its foreign keys took after them."""

    table: str
    spent: Mapping[Step, Spent]

    @property
    def seconds(self) -> float:
        return sum(spent.seconds for spent in self.spent.values())


@dataclass(frozen=True)
class LoadProfile:
    """Where the time of a load went.

    `seconds` by the clock, `crew_seconds` of them while the workers were at work; `spent` is theirs together, `alone`
    what was done while there were none. `waits` is what their sessions were seen at.
    """

    seconds: float
    crew_seconds: float
    workers: int
    tables: tuple[TableProfile, ...]
    spent: Mapping[Step, Spent]
    alone: Mapping[Step, Spent]
    batches: int
    waits: Waits

    @property
    def busy(self) -> float:
        """Seconds of all workers together in which they had something to do."""
        return sum(spent.seconds for spent in self.spent.values())


@dataclass
class _Open:
    """A step at work: when it began, and what the steps within it took."""

    began: Spent
    within: Spent = field(default_factory=Spent)


class Profile(Progress):
    """Measures a load and lets another tell of it. The thread that makes it is not one of the workers."""

    def __init__(self, shown: Progress, workers: int) -> None:
        self._shown = shown
        self._workers = workers
        self._began = time.monotonic()
        self._owner = threading.get_ident()
        self._at_work = threading.local()
        self._lock = threading.Lock()
        self._spent: dict[tuple[bool, str, Step], Spent] = defaultdict(Spent)
        self._first, self._last = float("inf"), 0.0
        self._batches = 0
        self._waits = Waits()
        self._processes: set[int] = set()

    @contextmanager
    def measuring(self, table: str, step: Step) -> Iterator[None]:
        opened = self._opened()
        one = _Open(_now())
        opened.append(one)
        try:
            yield
        finally:
            opened.pop()
            ended = _now()
            took = ended - one.began
            if opened:
                opened[-1].within += took
            self._add(table, step, took - one.within, one.began.seconds, ended.seconds)

    def _opened(self) -> list[_Open]:
        """The steps that this thread is in, the innermost last."""
        if not hasattr(self._at_work, "opened"):
            self._at_work.opened = []
        opened: list[_Open] = self._at_work.opened
        return opened

    def _add(self, table: str, step: Step, own: Spent, began: float, ended: float) -> None:
        is_worker = threading.get_ident() != self._owner
        with self._lock:
            self._spent[is_worker, table, step] += own
            if is_worker:
                self._first, self._last = min(self._first, began), max(self._last, ended)

    @property
    def processes(self) -> frozenset[int]:
        """The server's processes by which workers write."""
        with self._lock:
            return frozenset(self._processes)

    def seen(self, waits: Waits) -> None:
        """The sessions were looked at."""
        with self._lock:
            self._waits += waits

    def report(self) -> LoadProfile:
        """What was measured up to now; no step may be at work."""
        names = dict.fromkeys(table for _, table, _ in self._spent if table)
        return LoadProfile(
            seconds=time.monotonic() - self._began,
            crew_seconds=max(self._last - self._first, 0.0),
            workers=self._workers,
            tables=tuple(TableProfile(name, self._sums(table=name)) for name in names),
            spent=self._sums(is_worker=True),
            alone=self._sums(is_worker=False),
            batches=self._batches,
            waits=self._waits,
        )

    def _sums(self, *, table: str | None = None, is_worker: bool | None = None) -> Mapping[Step, Spent]:
        sums: dict[Step, Spent] = defaultdict(Spent)
        for (by_worker, name, step), spent in self._spent.items():
            if table in (None, name) and is_worker in (None, by_worker):
                sums[step] += spent
        return sums

    def connected(self, process: int) -> None:
        with self._lock:
            self._processes.add(process)

    def brought(self, table: str, applied: Applied, read_seconds: float, write_seconds: float) -> None:
        with self._lock:
            self._batches += 1
        self._shown.brought(table, applied, read_seconds, write_seconds)

    def table_started(self, table: str, rows: int) -> None:
        self._shown.table_started(table, rows)

    def advanced(self, table: str, rows: int) -> None:
        self._shown.advanced(table, rows)

    def retried(self, error: RetryError) -> None:
        self._shown.retried(error)

    def table_finished(self, table: str) -> None:
        self._shown.table_finished(table)

    def note(self, text: str) -> None:
        self._shown.note(text)
