"""The keys that a sweep has found in one table, on disk where they are many, until a pass reads them again."""

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from syncd.engine.again import ReadAgain
from syncd.engine.spool import discard, kept_in
from syncd.plan import TablePlan
from syncd.source.database import SourceConnection
from syncd.source.holders import TargetKeys, canonical, is_own

T = TypeVar("T")

IN_MEMORY = 2**20
_AT_ONCE = 1000
_LOOKED_UP_AT_ONCE = 50_000

Entry = tuple[str, list[str]]
"""A source key with its target keys; the source key is empty for rows of the target alone."""


class Pending:
    """Keys in the order in which they were found, each source key once: 8 bytes of each stay in memory.

    `count` is that of entries, `target_keys` that of the target keys which came with them.
    """

    def __init__(self, directory: Path, plan: TablePlan) -> None:
        """The keys lie in `directory` where they are many; StopError is raised where its disk is full."""
        self.plan = plan
        self._directory = directory
        self.count = 0
        self.target_keys = 0
        self._file = cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=IN_MEMORY, dir=str(directory)))  # noqa: SIM115
        self._seen: set[int] = set()
        self._last: list[Entry] = []

    def add(self, source_key: str, target_keys: Iterable[str]) -> None:
        if source_key:
            name = hash(source_key)
            if name in self._seen:
                return
            self._seen.add(name)
        known = list(target_keys)
        self.count += 1
        self.target_keys += len(known)
        self._last.append((source_key, known))
        if len(self._last) >= _AT_ONCE:
            self._write()

    def _write(self) -> None:
        """Write the last entries as one line: one by one they would take ten times as long."""
        if self._last:
            with self._kept():
                self._file.seek(0, os.SEEK_END)
                self._file.write(json.dumps(self._last).encode() + b"\n")
            self._last = []

    def _kept(self) -> AbstractContextManager[None]:
        return kept_in(self._directory, "what a sweep has found")

    def clear(self) -> None:
        with self._kept():
            self._file.seek(0)
            self._file.truncate()
        self._last = []
        self._seen.clear()
        self.count = self.target_keys = 0

    def close(self) -> None:
        discard(self._file)

    def _entries(self) -> Iterator[Entry]:
        self._write()
        # The last of them may reach the disk only now.
        with self._kept():
            self._file.seek(0)
            for line in self._file:
                yield from json.loads(line)

    def chunks(self, most: int) -> Iterator[ReadAgain]:
        """The keys, at most so many at a time."""
        return map(_read_again, _chunks(self._entries(), most))

    def vanished(self, connection: SourceConnection) -> Iterator[list[str]]:
        """The target keys that no row has in this transaction, many at a time."""
        now = TargetKeys(connection, self.plan)
        for part in _chunks(self._gone(now), _LOOKED_UP_AT_ONCE):
            held = set() if is_own(self.plan) else set(now.having(part).values())
            yield [key for key in part if key not in held]

    def _gone(self, now: TargetKeys) -> Iterator[str]:
        """The target keys of rows that are gone, in quotes."""
        for part in _chunks(self._entries(), _AT_ONCE):
            there = now.of(key for key, _ in part if key)
            yield from (canonical(k) for source_key, known in part if source_key not in there for k in known)


def _read_again(entries: Iterable[Entry]) -> ReadAgain:
    found: dict[str, frozenset[str]] = {}
    alone: set[str] = set()
    for source_key, target_keys in entries:
        if source_key:
            found[source_key] = frozenset(target_keys)
        else:
            alone.update(target_keys)
    return ReadAgain(found, frozenset(alone))


def _chunks(items: Iterable[T], most: int) -> Iterator[list[T]]:
    remaining = iter(items)
    while part := list(islice(remaining, most)):
        yield part
