"""The source: how it is opened, read in short transactions, and what its failures mean.

Nothing here ever opens, closes, reads or copies the live file by any other way than apsw: POSIX drops all locks of a
process on a file when any of its descriptors is closed (https://sqlite.org/howtocorrupt.html, 2.2). `os.stat` is
harmless.
"""

import os
import stat
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from syncd.errors import RefusedError, SourceBusyError, SourceError, SourceReplacedError, SyncdError
from syncd.model import Identity

SourceConnection = apsw.Connection
"""A connection to SQLite, for those who pass one on."""

LIBRARY_VERSION = apsw.sqlite_lib_version()
"""The version of the SQLite that reads the source."""
BUSY_SECONDS = 5.0
_LET_GO_SECONDS = 0.01
LONGEST_VALUE = 16 * 2**20
"""Bytes of one value or one rendered batch; a batch over it is read again in halves (SQLITE_LIMIT_LENGTH)."""
STATEMENTS_KEPT = 1000
"""Prepared statements kept by a connection: preparing one with the guards of ten columns takes half a millisecond."""
LONGEST_ROW = 1_000_000_000


class Database:
    """One read-only connection to an SQLite file."""

    def __init__(self, path: Path, *, private: bool = False, busy_seconds: float = BUSY_SECONDS) -> None:
        """Open the file. `private` says that nobody writes to it: a snapshot.

        Raises SourceError, RefusedError or SourceBusyError.
        """
        self.path = path
        self.private = private
        self.identity = identify(path)
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI | apsw.SQLITE_OPEN_NOMUTEX
        with translated(path):
            self.connection = apsw.Connection(self.uri, flags=flags, statementcachesize=STATEMENTS_KEPT)
            self.connection.set_busy_timeout(int(busy_seconds * 1000))
            self.connection.limit(apsw.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
            self.connection.pragma("query_only", True)
            self.connection.pragma("schema_version")

    def close(self) -> None:
        """Close it; what a thread is still at is interrupted: a signal may have ended those who wait for it."""
        while True:
            try:
                self.connection.close()
                return
            except apsw.ThreadingViolationError:
                self.connection.interrupt()
                time.sleep(_LET_GO_SECONDS)

    @property
    def uri(self) -> str:
        """The name under which SQLite opens the file, read-only: https://sqlite.org/uri.html"""
        return f"file:{urllib.parse.quote(str(self.path))}?{'mode=ro&immutable=1' if self.private else 'mode=ro'}"

    @property
    def data_version(self) -> int:
        """A number that changes when another connection has committed: https://sqlite.org/pragma.html#pragma_data_version"""
        with translated(self.path):
            return int(self.connection.pragma("data_version"))

    @contextmanager
    def transaction(self) -> Iterator[apsw.Connection]:
        """A read transaction: everything read within it is one state of the source. Keep it short."""
        self.check_identity()
        with translated(self.path):
            self.connection.execute("BEGIN")
            try:
                self.connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
                yield self.connection
            finally:
                self.connection.execute("ROLLBACK")

    @contextmanager
    def reading(self) -> Iterator[apsw.Connection]:
        """Read one piece of many; of a live file in a transaction of its own, which must be short."""
        if self.private:
            with translated(self.path):
                yield self.connection
        else:
            with self.transaction() as connection:
                yield connection

    def check_identity(self) -> None:
        """Raise SourceReplacedError where another file stands where ours stood."""
        if identify(self.path) != self.identity:
            raise SourceReplacedError(
                "another file stands where the source stood",
                where=str(self.path),
                advice="Put the right file back, or go on with the new one: --accept-new-source",
            )


def identify(path: Path) -> Identity:
    """Which file this is. Raises SourceError where there is none, RefusedError where it may not be seen."""
    try:
        found = path.stat()
    except PermissionError as error:
        raise RefusedError("the source may not be read", where=str(path), advice=_grant()) from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceError("there is no such file", where=str(path), advice="Check the path of the source") from error
    if stat.S_ISDIR(found.st_mode):
        raise SourceError("this is a directory", where=str(path), advice="Name the SQLite file in it")
    return Identity(found.st_dev, found.st_ino)


def _grant() -> str:
    return (
        f"Let user id {os.geteuid()} read the file and enter its directory; in WAL mode it must be able to "
        "write to the directory as well, where SQLite keeps the -shm file"
    )


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's failures into ours, each with what to do."""
    try:
        yield
    except apsw.Error as error:
        raise explain(error, path) from error


def explain(error: apsw.Error, path: Path) -> SyncdError:
    """What a failure of SQLite means for the user."""
    where, said = str(path), str(error)
    match error:
        case apsw.BusyError() | apsw.LockedError():
            return SourceBusyError("the source is locked by another process", where=where, advice="Trying again")
        case apsw.NotADBError():
            return SourceError("this is no SQLite database", where=where, advice="Check the path of the source")
        case apsw.CorruptError():
            return SourceError(
                f"the database is damaged: {said}",
                where=where,
                advice="Nothing was skipped and no mark moved. Run PRAGMA integrity_check on a copy, and .recover",
            )
        case apsw.PermissionsError() | apsw.AuthError() | apsw.ReadOnlyError():
            return RefusedError(f"SQLite may not read the source: {said}", where=where, advice=_grant())
        case apsw.CantOpenError():
            if not os.access(path, os.R_OK):
                return RefusedError("the source may not be read", where=where, advice=_grant())
            return SourceError(f"SQLite cannot open the source: {said}", where=where, advice=_grant())
        case apsw.IOError():
            return SourceError(
                f"reading the source failed: {said}", where=where, advice="Check the disk; nothing was skipped"
            )
        case _:
            return SourceError(f"SQLite failed: {said}", where=where)


def query(connection: apsw.Connection, statement: str, parameters: tuple[str | int | float, ...] = ()) -> list[Any]:
    """All rows of a statement, each a tuple of SQLite's values."""
    return connection.execute(statement, parameters).fetchall()


@contextmanager
def any_length(connection: apsw.Connection) -> Iterator[None]:
    """Read values of any length: nothing of them is kept."""
    connection.limit(apsw.SQLITE_LIMIT_LENGTH, LONGEST_ROW)
    try:
        yield
    finally:
        connection.limit(apsw.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
