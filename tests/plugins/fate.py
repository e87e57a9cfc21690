"""What happens at chosen moments of the engine's work: it dies, or the application writes.

The engine runs in the process of the test. Its moments are its statements to PostgreSQL, the copy of the source and
the removal of snapshots. From its death on it does nothing: no statement, not even ROLLBACK, and no file removed;
what the operating system does for a dead process remains, its connections and files are closed.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from weakref import WeakSet

import pytest

from syncd.engine import sides
from syncd.source import snapshot
from syncd.source.database import Database
from syncd.target.database import Connection, Target, connect

Kind = Literal["statement", "commit", "committed", "copied", "discarding", "discarded"]


@dataclass(frozen=True)
class Moment:
    """The `number`th event of a kind, from 1 on: a statement or COMMIT is about to be sent, a COMMIT was answered."""

    kind: Kind
    number: int


class DeathError(BaseException):
    """The engine's process ended. No code of the engine catches it but to clean up, which then fails in its turn."""


class Fate:
    """Calls what was arranged for a moment when the moment comes."""

    def __init__(self) -> None:
        self._arranged: Mapping[Moment, Callable[[], None]] = {}
        self._counts: Counter[Kind] = Counter()
        self._connections: WeakSet[Connection] = WeakSet()
        self._dead = False

    @contextmanager
    def arranged(self, arranged: Mapping[Moment, Callable[[], None]]) -> Iterator[None]:
        """Count the moments of this block. The engine may be started again after it."""
        self._arranged, self._counts = arranged, Counter()
        try:
            yield
        finally:
            self._arranged, self._dead = {}, False

    def die(self) -> None:
        """The end of the engine's process."""
        self._dead = True
        for connection in self._connections:
            connection.close()
        raise DeathError

    def rule(self, patch: pytest.MonkeyPatch) -> None:
        """Stand at every moment from now on."""
        take, discard = snapshot.take, snapshot.discard_others

        def connected(target: Target) -> Connection:
            self._live()
            connection = connect(target)
            self._watch(connection)
            return connection

        def taken(source: Database, state_dir: Path) -> str:
            name = take(source, state_dir)
            self._reach("copied")
            return name

        def discarded(state_dir: Path, keep: frozenset[str]) -> None:
            self._reach("discarding")
            discard(state_dir, keep)
            self._reach("discarded")

        patch.setattr(sides, "connect", connected)
        patch.setattr(snapshot, "take", taken)
        patch.setattr(snapshot, "discard_others", discarded)

    def _watch(self, connection: Connection) -> None:
        execute = connection.execute

        def executed(query: Any, *values: Any, **options: Any) -> Any:
            self._reach("statement")
            if query != "COMMIT":
                return execute(query, *values, **options)
            self._reach("commit")
            cursor = execute(query, *values, **options)
            self._reach("committed")
            return cursor

        self._connections.add(connection)
        vars(connection)["execute"] = executed

    def _live(self) -> None:
        if self._dead:
            raise DeathError

    def _reach(self, kind: Kind) -> None:
        self._live()
        self._counts[kind] += 1
        if act := self._arranged.get(Moment(kind, self._counts[kind])):
            act()
