"""Trying the rows of one table: read from the live source, offered to a trial in the target, kept nowhere."""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from syncd.engine.progress import Progress
from syncd.errors import TableError
from syncd.model import Batch, Range, Refusal
from syncd.plan import TablePlan
from syncd.source import ranges
from syncd.source.database import Database
from syncd.source.render import Renderer
from syncd.target.database import Connection, PostgresError, explain
from syncd.target.trial import Trial

_EXAMPLES = 3


@dataclass(frozen=True)
class Cause:
    """Why rows would be rejected: how many, and some of them. `lands`: they lack a parent, and land all the same."""

    reason: str
    column: str
    rows: int
    examples: tuple[Refusal, ...]
    lands: bool = False


@dataclass(frozen=True)
class Part:
    """A range of a table."""

    table: str
    rows: Range


@dataclass
class Try:
    """One table while it is tried, shared by the workers on its parts. Of the refusals only some are kept.

    `left_out` are the source keys of rows that are not offered.
    """

    plan: TablePlan
    left_out: frozenset[str]
    progress: Progress
    rows: int = 0
    bytes: int = 0
    error: str = ""
    _began: float | None = None
    _ended: float | None = None
    _counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _examples: defaultdict[tuple[str, str], list[Refusal]] = field(default_factory=lambda: defaultdict(list))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        """A worker takes up a part."""
        self._began = self._began or time.monotonic()

    def add(self, rows: int, size: int, refusals: Iterable[Refusal]) -> None:
        """So many more rows were read, rendered in so many bytes; these of them were refused."""
        with self._lock:
            self.rows += rows
            self.bytes += size
            for refusal in refusals:
                cause = refusal.reason, refusal.column
                self._counts[cause] += 1
                if len(self._examples[cause]) < _EXAMPLES:
                    self._examples[cause].append(refusal)
        self.progress.advanced(self.plan.name, rows)

    def end(self) -> None:
        self._ended = time.monotonic()
        self.progress.table_finished(self.plan.name)

    @property
    def seconds(self) -> float:
        ended = self._ended or time.monotonic()
        return ended - (self._began or ended)

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Why rows were refused, the commonest first."""
        return tuple(
            Cause(reason, column, rows, tuple(self._examples[reason, column]))
            for (reason, column), rows in self._counts.most_common()
        )


class Worker:
    """One thread's connections: to the live source, and to the target where there is one."""

    def __init__(self, source: Database, schema: str, connection: Connection | None = None) -> None:
        self._source = Database(source.path)
        self._connection = connection
        self._schema = schema

    def close(self) -> None:
        self._source.close()
        if self._connection:
            self._connection.close()

    def read(self, table: Try, rows: Range) -> None:
        """Try a range to its end; an error that would stop the table ends it for this table alone."""
        table.begin()
        renderer = Renderer(self._source.connection, table.plan)
        left: Range | None = rows
        try:
            while left and not table.error:
                with self._trial(table.plan) as trial:
                    left = self._fill(trial, table, renderer, left)
        except PostgresError as error:
            table.error = explain(error).what
        except TableError as error:
            table.error = error.what

    def _trial(self, plan: TablePlan) -> AbstractContextManager[Trial | None]:
        return Trial.of(self._connection, self._schema, plan) if self._connection else nullcontext()

    def _fill(self, trial: Trial | None, table: Try, renderer: Renderer, rows: Range) -> Range | None:
        """Offer rows until the trial is full; returns those that are left, None at their end."""
        for batch, refused in self._offered(trial, renderer, rows):
            table.add(batch.read, len(batch.payload), batch.refusals + refused)
            if batch.final or table.error:
                return None
            if trial and trial.is_full:
                return ranges.after(rows, batch.last)
        return None

    def _offered(
        self, trial: Trial | None, renderer: Renderer, rows: Range
    ) -> Iterator[tuple[Batch, tuple[Refusal, ...]]]:
        """Each batch, and the rows of it that the trial refused."""
        while (batch := self._render(renderer, rows)) is not None:
            if trial and not batch.keyed and not trial.takes(batch.payload):
                # A row of the batch does not fit: read it again with the keys that tell which.
                batch = self._render(renderer, rows, keyed=True, at_most=batch.read)
                if batch is None:
                    return
            refused = trial.refused(batch.payload) if trial and batch.keyed and batch.rows else ()
            yield batch, refused
            rows = ranges.after(rows, batch.last)

    def _render(
        self, renderer: Renderer, rows: Range, *, keyed: bool = False, at_most: int | None = None
    ) -> Batch | None:
        with self._source.transaction():
            return renderer.next(rows, keyed=keyed, at_most=at_most)
