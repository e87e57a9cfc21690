"""The seal: after promotion the old file must not take writes unnoticed.

The file is never opened here: closing it would take away all locks that this process holds on it.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from syncd.errors import RefusedError

SUFFIX = ".sealed"
COMPANIONS = ("-wal", "-shm", "-journal")
_WRITABLE = 0o222
_TAKEN = "Move what stands there out of the way, or choose [cutover] seal = readonly"

Modes = Mapping[str, int]
"""The modes of files before they were sealed, by path."""


def rename(path: Path) -> Path:
    """Give the file and its companions another name: an application that was forgotten finds none, and fails loudly.

    A process that has it open goes on with it under the new name. The new names are made before the old ones are
    removed, so the database has its log beside it at every instant. It may be called again after a crash.
    """
    sealed = sealed_name(path)
    _move(path, sealed)
    return sealed


def confirm_free(path: Path) -> None:
    """Raise RefusedError where something stands at a name that `rename` gives: a log of another file among it."""
    sealed = sealed_name(path)
    for one in (sealed, *(Path(f"{sealed}{end}") for end in COMPANIONS)):
        if one.exists() or one.is_symlink():
            raise RefusedError(
                "something stands at the name that the old file is to get", where=str(one), advice=_TAKEN
            )


def rename_back(path: Path) -> None:
    """Undo `rename`. Raises RefusedError where another file stands at the old name by now."""
    _move(sealed_name(path), path)


def sealed_name(path: Path) -> Path:
    return path.with_name(path.name + SUFFIX)


def _move(old: Path, new: Path) -> None:
    pairs = [(Path(f"{old}{end}"), Path(f"{new}{end}")) for end in (*COMPANIONS, "")]
    for before, after in pairs:
        if before.exists():
            _link(before, after)
    for before, _ in reversed(pairs):
        with _permitted("its old name cannot be removed", before):
            before.unlink(missing_ok=True)


def _link(before: Path, after: Path) -> None:
    if after.exists() and before.samefile(after):
        return
    try:
        os.link(before, after)
    except OSError as error:
        raise RefusedError(
            f"it cannot get the name {after.name}: {error.strerror}",
            where=str(before),
            advice=_TAKEN,
        ) from error


def modes(path: Path) -> Modes:
    """The modes of the file and its companions."""
    return {str(one): one.stat().st_mode & 0o7777 for one in _files(path)}


def make_readonly(path: Path) -> None:
    """Take away every right to write; root and processes that have the file open ignore it.

    Raises RefusedError where the system does not let us.
    """
    for name, mode in modes(path).items():
        _set_mode(Path(name), mode & ~_WRITABLE)


def make_writable(before: Modes) -> None:
    """Undo `make_readonly`."""
    for name, mode in before.items():
        if Path(name).exists():
            _set_mode(Path(name), mode)


def _set_mode(path: Path, mode: int) -> None:
    with _permitted("its mode cannot be changed", path):
        path.chmod(mode)


@contextmanager
def _permitted(what: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RefusedError(
            f"{what}: {error.strerror}",
            where=str(path),
            advice="Run the command again as the owner of the file, on a disk that may be written to",
        ) from error


def _files(path: Path) -> Iterator[Path]:
    for one in (path, *(Path(f"{path}{end}") for end in COMPANIONS)):
        if one.exists():
            yield one
