"""The lag, seen from outside: from the moment a commit shows in SQLite until its rows show in PostgreSQL."""

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from syncd.source.database import Database, query
from syncd.target.database import Target, connect

LOOK_SECONDS = 0.002
"""Between two looks; the lag is known no better than that."""
_HEADS = "SELECT (SELECT max(id) FROM ohlcv_data), (SELECT coalesce(max(id), 0) FROM trades)"
"""The newest rows of the two tables that are inserted into: the same statement on both sides."""


@dataclass(frozen=True)
class Lag:
    """All lags so far, in seconds, in the order in which they ended."""

    all: tuple[float, ...] = ()

    def quantile(self, share: float) -> float | None:
        """The lag that this share of the commits did not exceed."""
        ordered = sorted(self.all)
        return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None


class LagMeter:
    """Looks at both sides from a thread of its own."""

    def __init__(self, source: Path, target: Target) -> None:
        self._source = source
        self._target = target
        self._ended = threading.Event()
        self._lags: list[float] = []
        self._failure: Exception | None = None

    @contextmanager
    def measuring(self) -> Iterator["LagMeter"]:
        """Measure within the block. Raises at its end what made the measuring fail."""
        thread = threading.Thread(target=self._run, name="lag", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            thread.join()
        if self._failure:
            raise self._failure

    @property
    def lag(self) -> Lag:
        return Lag(tuple(self._lags))

    def _run(self) -> None:
        try:
            self._measure()
        except Exception as error:
            self._failure = error

    def _measure(self) -> None:
        source = Database(self._source)
        connection = connect(self._target)
        pending: deque[tuple[float, Sequence[int]]] = deque()
        seen, newest = source.data_version, _read(source)
        try:
            while not self._ended.wait(LOOK_SECONDS):
                if source.data_version != seen:
                    seen, now = source.data_version, time.monotonic()
                    if (heads := _read(source)) != newest:
                        newest = heads
                        pending.append((now, heads))
                if pending:
                    there = connection.execute(_HEADS).fetchall()[0]
                    now = time.monotonic()
                    while pending and all(here >= head for here, head in zip(there, pending[0][1], strict=True)):
                        self._lags.append(now - pending.popleft()[0])
        finally:
            source.close()
            connection.close()


def _read(source: Database) -> Sequence[int]:
    with source.transaction() as connection:
        return tuple(query(connection, _HEADS)[0])
