"""SQLite files for the tests, and the applications that write to them.

The tests themselves never open a live file: two SQLite libraries in one process, the standard library's and apsw's,
drop each other's locks when either closes the file (https://sqlite.org/howtocorrupt.html, 2.2.1).
"""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from multiprocessing import Pipe
from pathlib import Path
from typing import Any, Literal, Protocol

import pytest

_WRITER = """
import sqlite3, sys
from multiprocessing.connection import Connection
pipe = Connection(int(sys.argv[2]))
database = sqlite3.connect(sys.argv[1], timeout=float(sys.argv[3]), isolation_level=None)
while True:
    try:
        many, sql, values = pipe.recv()
    except EOFError:
        break
    try:
        cursor = database.executemany(sql, values) if many else database.execute(sql, values)
        pipe.send(cursor.fetchall())
    except Exception as error:
        pipe.send(error)
database.close()
"""


class Writer:
    """An application that has the file open: a process of its own, with one connection in autocommit mode."""

    def __init__(self, path: Path, *, busy_seconds: float = 5, answer_seconds: float = 60) -> None:
        """`busy_seconds` is its patience with locks; `answer_seconds` how long a test waits for it."""
        self.path = path
        self.answer_seconds = answer_seconds
        self._pipe, theirs = Pipe()
        with closing(theirs):
            descriptor = str(theirs.fileno())
            self._process = subprocess.Popen(
                [sys.executable, "-c", _WRITER, path, descriptor, str(busy_seconds)], pass_fds=[theirs.fileno()]
            )
        self.execute("SELECT 1")

    @property
    def pid(self) -> int:
        return self._process.pid

    def execute(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows. Raises what sqlite3 raised over there."""
        self.send(sql, values)
        return self.receive()

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run the statement for each row, in one transaction unless one is open."""
        with self.transaction():
            self._pipe.send((True, sql, list(rows)))
            self.receive()

    def send(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Start a statement, one that may have to wait, and do not wait for it."""
        self._pipe.send((False, sql, values))

    def receive(self) -> list[tuple[Any, ...]]:
        """The rows of the statement that was sent. Raises TimeoutError after `answer_seconds`."""
        if not self._pipe.poll(self.answer_seconds):
            raise TimeoutError(f"the writer did not answer in {self.answer_seconds} s")
        answer = self._pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return list(answer)

    def begin(self, kind: Literal["DEFERRED", "IMMEDIATE", "EXCLUSIVE"] = "IMMEDIATE") -> None:
        self.execute(f"BEGIN {kind}")

    def commit(self) -> None:
        self.execute("COMMIT")

    def rollback(self) -> None:
        self.execute("ROLLBACK")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A write transaction, committed at the end; a part of the one that is open already."""
        self.execute("SAVEPOINT test_transaction")
        try:
            yield
        except BaseException:
            self.execute("ROLLBACK TO test_transaction")
            raise
        finally:
            self.execute("RELEASE test_transaction")

    def kill9(self) -> None:
        """Die at once, whatever is open."""
        os.kill(self.pid, signal.SIGKILL)
        self._process.wait()
        self._pipe.close()

    def close(self) -> None:
        """Close the file as an application that ends does; again, or after kill9, it does nothing."""
        self._pipe.close()
        try:
            self._process.wait(self.answer_seconds)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise


class MakeSource(Protocol):
    def __call__(self, sql: str, name: str = "app.db", *, wal: bool = True) -> Path: ...


@pytest.fixture
def make_source(tmp_path: Path) -> MakeSource:
    """Make an SQLite file by a script. A file is made once, before anybody else opens it."""

    def make(sql: str, name: str = "app.db", *, wal: bool = True) -> Path:
        path = tmp_path / name
        if path.exists():
            raise FileExistsError(f"{path} may be open: write to it by a Writer")
        with closing(sqlite3.connect(path)) as database:
            if wal:
                database.execute("PRAGMA journal_mode = WAL")
            database.executescript(sql)
        return path

    return make


class OpenWriter(Protocol):
    def __call__(self, path: Path, *, busy_seconds: float = 5) -> Writer: ...


@pytest.fixture
def open_writer() -> Iterator[OpenWriter]:
    """Open writers on a file; they are closed after the test."""
    with ExitStack() as stack:

        def open_one(path: Path, *, busy_seconds: float = 5) -> Writer:
            writer = Writer(path, busy_seconds=busy_seconds)
            stack.callback(writer.close)
            return writer

        yield open_one
