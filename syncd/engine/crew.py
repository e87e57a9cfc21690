"""A crew of threads that works off tables part by part; a table begins when those that it waits for are finished."""

import os
import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Generic, TypeVar

W = TypeVar("W")
P = TypeVar("P")

_NICE = 10


@dataclass(frozen=True)
class Job(Generic[P]):
    """One table's work: the tables that it waits for, and its parts."""

    waits_for: frozenset[str]
    parts: tuple[P, ...]


@dataclass
class _Board(Generic[P]):
    """What is to be done, in progress and done; guarded by its lock."""

    sorter: "TopologicalSorter[str]"
    jobs: Mapping[str, Job[P]]
    todo: "queue.Queue[tuple[str, P | None] | None]" = field(default_factory=queue.Queue)
    left: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    failure: BaseException | None = None

    def post(self) -> None:
        """Post the parts of every table that may begin now; a table without parts is posted to be finished."""
        for name in self.sorter.get_ready():
            parts: Sequence[P | None] = self.jobs[name].parts or (None,)
            self.left[name] = len(parts)
            for part in parts:
                self.todo.put((name, part))

    def part_done(self, name: str) -> bool:
        """Whether that was the table's last part."""
        with self.lock:
            self.left[name] -= 1
            return self.left[name] == 0

    def table_done(self, name: str, crew: int) -> None:
        with self.lock:
            self.sorter.done(name)
            self.post()
            if not self.sorter.is_active():
                self.dismiss(crew)

    def dismiss(self, crew: int) -> None:
        for _ in range(crew):
            self.todo.put(None)


def run_crew(
    workers: Sequence[W],
    jobs: Mapping[str, Job[P]],
    work: Callable[[W, P], None],
    finish: Callable[[W, str], None],
) -> None:
    """Let `work(worker, part)` do every part and `finish(worker, table)` close each table after its last part.

    The first exception of a worker ends the crew and is raised here.
    """
    board = _Board(_sorted(jobs), jobs)
    board.post()
    if not board.sorter.is_active():
        return
    threads = [
        threading.Thread(target=_labour, args=(worker, board, len(workers), work, finish), name=f"load-{number}")
        for number, worker in enumerate(workers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if board.failure:
        raise board.failure


def _sorted(jobs: Mapping[str, Job[P]]) -> "TopologicalSorter[str]":
    edges: dict[str, Iterable[str]] = {name: job.waits_for & jobs.keys() - {name} for name, job in jobs.items()}
    sorter = TopologicalSorter(edges)
    try:
        sorter.prepare()
    except CycleError:
        # Tables of a cycle cannot wait for each other; their rows that come too early are rejected and replayed.
        sorter = TopologicalSorter(dict.fromkeys(jobs, ()))
        sorter.prepare()
    return sorter


def _labour(
    worker: W, board: _Board[P], crew: int, work: Callable[[W, P], None], finish: Callable[[W, str], None]
) -> None:
    _give_way()
    while (item := board.todo.get()) is not None and board.failure is None:
        name, part = item
        try:
            if part is not None:
                work(worker, part)
            if board.part_done(name):
                finish(worker, name)
                board.table_done(name, crew)
        except BaseException as error:
            board.failure = board.failure or error
            board.dismiss(crew)


def _give_way() -> None:
    """Let the application come first that writes to the source: its p99 commit took 2.2 times as long beside a load.

    Linux keeps the nice value of each thread: sched(7).
    """
    thread = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, thread, max(_NICE, os.getpriority(os.PRIO_PROCESS, thread)))
