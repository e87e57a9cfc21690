"""Private copies of the source, made by SQLite's backup: one state of it, that nobody writes to."""

import os
import shutil
import uuid
from pathlib import Path

import apsw

from syncd.errors import SnapshotError, SourceError, StopError
from syncd.source.database import Database, translated
from syncd.source.pages import check_size, damaged, header, unreadable

SUFFIX = ".snapshot"
SPARE_BYTES = 64 * 2**20
_MORE_ROOM = "Check the disk, free some space, or set [sync] state_dir to a disk with more"


def path_of(state_dir: Path, name: str) -> Path:
    """Where the snapshot of that name lies; it may not be there."""
    return state_dir / f"{name}{SUFFIX}"


def has_room(source: Database, state_dir: Path) -> bool:
    """Whether a copy of the source fits in `state_dir` with 64 MiB to spare."""
    with translated(source.path):
        size = int(source.connection.pragma("page_count")) * int(source.connection.pragma("page_size"))
    return shutil.disk_usage(state_dir).free > size + SPARE_BYTES


def take(source: Database, state_dir: Path) -> str:
    """Copy the source in one step and return the copy's name.

    One step holds one read transaction: small steps beside a busy writer start over at each of its commits and never
    end (https://sqlite.org/c3ref/backup_finish.html). A writer in rollback-journal mode waits for the copy, one in WAL
    mode does not. The copy may be lost with the machine until `secure` was called.

    Raises StopError where there is no room, SourceBusyError where the source is locked.
    """
    if not has_room(source, state_dir):
        raise StopError("there is no room for a private copy of the source", where=str(state_dir), advice=_MORE_ROOM)
    name = uuid.uuid4().hex
    path = path_of(state_dir, name)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        copy = apsw.Connection(str(path))
        try:
            copy.pragma("journal_mode", "off")
            copy.pragma("synchronous", "off")
            with translated(source.path), copy.backup("main", source.connection, "main") as backup:
                while not backup.done:
                    backup.step(-1)
        finally:
            copy.close()
    except (OSError, apsw.FullError, apsw.IOError) as error:
        path.unlink(missing_ok=True)
        raise _failed(path, error) from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return name


def secure(state_dir: Path, name: str) -> None:
    """Bring a snapshot to the disk, before PostgreSQL names it as the base: 0.1 s for 113 MB.

    A base that came back from a power failure with a part of its pages empty would hide rows that vanished. Raises
    StopError where the disk does not take it: some tell only now that they are full, or failing.
    """
    for path in (path_of(state_dir, name), state_dir):
        try:
            _flush(path)
        except OSError as error:
            raise _failed(path, error) from error


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _failed(path: Path, error: Exception) -> StopError:
    return StopError(f"the private copy of the source failed: {error}", where=str(path), advice=_MORE_ROOM)


def opened(state_dir: Path, name: str) -> Database:
    """Open a snapshot. Raises SnapshotError where it is gone, cut short, no database, or may not be read.

    Its pages are not all checked, but for those of the load's own (`integrity`): that takes longer than the copy. A
    damaged page of a b-tree is met when the rows on it are compared.
    """
    path = path_of(state_dir, name)
    try:
        with path.open("rb") as file:
            layout, page_count = header(file.read(100), path)
        check_size(path, layout, page_count, path.stat().st_size)
        return Database(path, private=True)
    except FileNotFoundError as error:
        raise SnapshotError(
            "the private copy of the source is gone", where=str(path), advice="Compare with the target in its place"
        ) from error
    except OSError as error:
        raise unreadable(path, error) from error
    except SnapshotError:
        raise
    except SourceError as error:
        raise damaged(path, error.what) from error


def discard_others(state_dir: Path, keep: frozenset[str]) -> None:
    """Remove every snapshot in `state_dir` that is not named in `keep`: a crash left it behind."""
    for path in state_dir.glob(f"*{SUFFIX}*"):
        if path.name.split(".")[0] not in keep:
            path.unlink(missing_ok=True)
