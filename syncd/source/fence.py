"""The fence: the only writable connection to the source that there is, and it writes nothing.

It holds a write transaction open. As long as it does, every other writer gets SQLITE_BUSY and loses nothing; readers go
on. The operating system takes its locks away when the process ends, whatever ends it: a crash releases the fence.

It never checkpoints the log, not even on closing: https://sqlite.org/c3ref/c_dbconfig_defensive.html
(SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE). SQLite before 3.51.3, which the application may have, can lose pages when two
connections write or checkpoint at once.
"""

import os
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import apsw

from syncd.errors import NotReadyError, RefusedError, SourceBusyError, SourceError
from syncd.source import intruder
from syncd.source.database import Database, identify, translated

LOCK_SECONDS = 10.0
"""So long is tried to take the write lock; one writer that keeps a transaction open for longer is in the way."""
QUIET_SECONDS = 1.0
"""So long nobody may commit, where the application was stopped by other means."""
_RETRY_SECONDS = 0.0002
"""Beside three busy writers a busy_timeout of 2 s failed 3 times of 3; this took the lock within 0.44 s."""
_INTRUDER_SECONDS = 10.0
_LOOK_SECONDS = 0.05


class Fence:
    """Keeps writers out of the source from `take` until `release`, `close` or the end of the process."""

    def __init__(self, path: Path) -> None:
        """Open the source for writing, and take nothing yet. Raises RefusedError where it may not be written to."""
        self.path = path
        self._identity = identify(path)
        # A deadline is kept by another thread, and a connection serves one at a time.
        self._mutex = threading.Lock()
        self._closed = False
        confirm_writable(path)
        with translated(path):
            name = f"file:{urllib.parse.quote(str(path))}?mode=rw"
            flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI | apsw.SQLITE_OPEN_NOMUTEX
            self._connection = apsw.Connection(name, flags=flags)
            self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            self._connection.pragma("wal_autocheckpoint", 0)
            self._connection.set_busy_timeout(0)

    @property
    def is_held(self) -> bool:
        with self._mutex:
            return not self._closed and bool(self._connection.in_transaction)

    def take(self, seconds: float = LOCK_SECONDS, stopping: Callable[[], bool] = lambda: False) -> float:
        """Take the write lock; returns how many seconds that took.

        Raises SourceBusyError where a writer keeps its transaction open, SourceError where the file was replaced.
        """
        began = time.monotonic()
        while not self._try():
            waited = time.monotonic() - began
            if waited > seconds or stopping():
                raise SourceBusyError(
                    f"another process keeps a write transaction open; the lock was not to be had in {waited:.1f} s",
                    where=str(self.path),
                    advice="Let it commit, or end it, and try again",
                )
            time.sleep(_RETRY_SECONDS)
        if identify(self.path) != self._identity:
            self.release()
            raise SourceError("another file stands where the source stood", where=str(self.path))
        return time.monotonic() - began

    def _try(self) -> bool:
        with self._mutex, translated(self.path):
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except apsw.BusyError:
                return False
        return True

    def prove(self) -> None:
        """Let a second process try to begin a write transaction. Raises SourceError unless it is kept out.

        Our own connection would not notice that its locks are gone: closing any other descriptor of the file in this
        process takes them away (https://sqlite.org/howtocorrupt.html, 2.2).
        """
        # -P: beside the program lie modules named like those of the standard library.
        command = [sys.executable, "-P", str(Path(intruder.__file__)), str(self.path)]
        try:
            done = subprocess.run(  # noqa: S603 - our own program, on the path that was opened
                command, capture_output=True, text=True, timeout=_INTRUDER_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise SourceError("the fence could not be proven in 10 s", where=str(self.path)) from error
        if done.returncode != intruder.KEPT_OUT:
            said = done.stderr.strip().rpartition("\n")[2] or "another process could begin to write"
            raise SourceError(f"the fence does not hold: {said}", where=str(self.path))

    def release(self) -> None:
        """Let writers in again; a second time does nothing."""
        with self._mutex:
            if not self._closed and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Release it for good; a second time does nothing."""
        self.release()
        with self._mutex:
            self._closed = True
            self._connection.close()


def confirm_writable(path: Path) -> None:
    """Raise RefusedError where the fence cannot be taken: SQLite writes to the file's locks, and to its directory."""
    for wanted in (path, path.parent):
        if not os.access(wanted, os.W_OK):
            raise RefusedError(
                "the fence needs to write there, and may not",
                where=str(wanted),
                advice=f"Let user id {os.geteuid()} write to it; under systemd also: ReadWritePaths={path.parent}",
            )


def confirm_quiet(source: Database, seconds: float = QUIET_SECONDS) -> None:
    """Watch that nobody commits for a while. Raises NotReadyError where somebody does."""
    version, deadline = source.data_version, time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
        if source.data_version != version:
            raise NotReadyError(
                "somebody still writes to the source", where=str(source.path), advice="Stop every application first"
            )
