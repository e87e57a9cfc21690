"""The seal of the old file: nothing of it is lost, at whatever instant it is interrupted."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from syncd.errors import RefusedError
from syncd.source import seal
from tests.plugins.source import MakeSource, OpenWriter


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def source(make_source: MakeSource, open_writer: OpenWriter) -> Path:
    """A database whose last commit is in its log alone."""
    path = make_source("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    writer = open_writer(path)
    writer.execute("INSERT INTO t VALUES (1)")
    writer.kill9()
    return path


def rows(path: Path) -> list[tuple[int]]:
    with closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True)) as database:
        return database.execute("SELECT id FROM t").fetchall()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("app.db*"))


def test_the_log_goes_along(source: Path) -> None:
    sealed = seal.rename(source)

    assert not any(name in ("app.db", "app.db-wal", "app.db-shm") for name in names(source.parent))
    assert rows(sealed) == [(1,)]


def test_it_is_undone(source: Path) -> None:
    before = names(source.parent)
    seal.rename(source)
    seal.rename_back(source)

    assert names(source.parent) == before
    assert rows(source) == [(1,)]


@pytest.mark.parametrize("undone", [False, True])
@pytest.mark.parametrize("calls", range(6))
def test_interrupted_anywhere_it_goes_on(
    source: Path, calls: int, undone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if undone:
        seal.rename(source)
    work: Callable[[Path], object] = seal.rename_back if undone else seal.rename
    left = iter([None] * calls)
    with monkeypatch.context() as patch:
        for owner, name in ((os, "link"), (Path, "unlink")):
            patch.setattr(owner, name, _counted(getattr(owner, name), left))
        with pytest.raises(KilledError):
            work(source)
    for path in (source, seal.sealed_name(source)):
        # Under whichever name the database is found, its log is beside it.
        assert not path.exists() or Path(f"{path}-wal").exists()
    work(source)

    assert rows(source if undone else seal.sealed_name(source)) == [(1,)]
    assert (seal.sealed_name(source) if undone else source).exists() is False


def _counted(function: Callable[..., object], left: object) -> Callable[..., object]:
    def count(*arguments: object, **options: object) -> object:
        try:
            next(left)  # type: ignore[call-overload]
        except StopIteration:
            raise KilledError from None
        return function(*arguments, **options)

    return count


def test_a_file_that_an_application_made_anew_is_not_lost(source: Path) -> None:
    seal.rename(source)
    source.write_text("made by an application that was forgotten")

    with pytest.raises(RefusedError):
        seal.rename_back(source)
    assert source.read_text().startswith("made")
    assert rows(seal.sealed_name(source)) == [(1,)]


def test_readonly_is_undone(source: Path) -> None:
    source.chmod(0o640)
    before = seal.modes(source)
    seal.make_readonly(source)
    assert source.stat().st_mode & 0o777 == 0o440

    seal.make_writable(before)
    assert source.stat().st_mode & 0o777 == 0o640


def test_a_file_whose_mode_nobody_may_change_is_named() -> None:
    # The kernel lets not even root change it.
    with pytest.raises(RefusedError, match="its mode cannot be changed: Operation not permitted") as refused:
        seal.make_readonly(Path("/proc/self/status"))
    assert refused.value.where == "/proc/self/status"
