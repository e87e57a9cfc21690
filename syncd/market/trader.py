"""Writes on a live market the way its application does."""

import threading
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self, cast

import apsw

from syncd.market.business import Business, Changes, Desk, Kinds, Ticker, choices


@dataclass(frozen=True)
class Commit:
    """One committed transaction: the rows it changed, and the seconds from BEGIN until COMMIT returned."""

    inserted: int
    updated: int
    deleted: int
    seconds: float


@dataclass(frozen=True)
class TradeStatistics:
    """What a trader has done so far.

    `busy` counts transactions that were given up, unchanged, because the file stayed locked for the busy timeout.
    The latencies are those of the committed transactions, waits for locks included, in seconds; 0 without any.
    """

    commits: int
    inserted: int
    updated: int
    deleted: int
    busy: int
    p50: float
    p99: float
    max: float


class Trader:
    """The application, with a connection of its own that `close`, or the end of `with`, closes.

    `inserts` are bars, trades and positions; `updates` show in `updated_at` or `last_updated`; `silent_updates` show
    in no timestamp; `deletes` are cancelled trades. `busy_timeout` is in seconds.
    Raises apsw.CantOpenError if the file is missing, ValueError if every kind of change is switched off.
    """

    def __init__(
        self,
        path: Path,
        *,
        inserts: bool = True,
        updates: bool = True,
        deletes: bool = False,
        silent_updates: bool = False,
        busy_timeout: float = 5.0,
        seed: int = 7,
    ) -> None:
        kinds = Kinds(inserts, updates, deletes, silent_updates)
        self._choices = choices(kinds)
        self._changes = Changes()
        self._busy = 0
        self._latencies = array("d")
        self._connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        self._connection.set_busy_timeout(round(busy_timeout * 1000))
        self._connection.execute("PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL")
        tickers = self._connection.execute("SELECT ticker, region FROM tickers ORDER BY rowid").fetchall()
        self._desk = Desk(self._connection, Random(seed), kinds, cast("list[Ticker]", tickers))  # noqa: S311

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; a second time does nothing."""
        self._connection.close()

    @property
    def statistics(self) -> TradeStatistics:
        """What was done since the trader was made."""
        ordered = sorted(self._latencies)

        def quantile(share: float) -> float:
            return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else 0.0

        changes = self._changes
        return TradeStatistics(
            commits=len(ordered),
            inserted=changes.inserted,
            updated=changes.updated,
            deleted=changes.deleted,
            busy=self._busy,
            p50=quantile(0.5),
            p99=quantile(0.99),
            max=quantile(1),
        )

    def trade(
        self,
        duration: float,
        rate: float,
        stop: threading.Event | None = None,
        on_commit: Callable[[Commit], object] | None = None,
    ) -> TradeStatistics:
        """Commit `rate` transactions a second for `duration` seconds, or until `stop` is set.

        `duration` and `rate` may be `math.inf`: without end, without a pause. `on_commit` is called after each commit.
        A locked file is counted; any other fault of SQLite is raised, as apsw.Error, with nothing half done.
        """
        stop = stop or threading.Event()
        for _ in _beats(duration, rate, stop):
            commit = self._transact(self._choose())
            if commit and on_commit:
                on_commit(commit)
        return self.statistics

    def _choose(self) -> Business:
        return self._desk.random.choices(list(self._choices), list(self._choices.values()))[0]

    def _transact(self, business: Business) -> Commit | None:
        began = time.perf_counter()
        try:
            with self._transaction():
                changes = business(self._desk)
        except apsw.BusyError:
            self._busy += 1
            return None
        if changes == Changes():
            return None
        commit = Commit(changes.inserted, changes.updated, changes.deleted, time.perf_counter() - began)
        self._changes += changes
        self._latencies.append(commit.seconds)
        return commit

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise


def _beats(duration: float, rate: float, stop: threading.Event) -> Iterator[None]:
    """Once for each transaction that is due."""
    now = time.monotonic()
    end, due = now + duration, now
    while not stop.wait(max(0.0, min(due, end) - now)) and (now := time.monotonic()) < end:
        yield
        # Customers who could not order for longer than a second have gone: no burst makes up for them.
        due = max(due + 1 / rate, now - 1)
        now = time.monotonic()
