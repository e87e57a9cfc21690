"""Snapshots: private, whole, and refused as a base where they are not."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from syncd.errors import SnapshotError, StopError
from syncd.source import snapshot
from syncd.source.database import Database
from syncd.source.difference import ChangedKey, Difference, differing
from syncd.source.pages import Image
from tests.plugins.images import Images

FILLED = """
    CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
    INSERT INTO t SELECT i, 'row ' || i, i * 1.5 FROM n;
"""


@pytest.fixture
def filled(tmp_path: Path) -> Images:
    return Images(tmp_path, FILLED)


@pytest.mark.parametrize("wal", [True, False])
def test_both_journal_modes(tmp_path: Path, wal: bool) -> None:
    images = Images(tmp_path, FILLED, wal=wal)
    base = images.copy()
    images.write("UPDATE t SET a = 'x' WHERE id = 1")
    assert images.found(base, images.copy(), images.plan()) == {"1": "1"}


def test_one_that_is_private_to_its_owner(filled: Images) -> None:
    assert snapshot.path_of(filled.folder, filled.copy()).stat().st_mode & 0o777 == 0o600


def test_one_that_is_secured_stays_as_it_is(filled: Images) -> None:
    base = filled.copy()
    before = snapshot.path_of(filled.folder, base).read_bytes()
    snapshot.secure(filled.folder, base)
    assert snapshot.path_of(filled.folder, base).read_bytes() == before


def test_one_that_the_disk_does_not_take(filled: Images) -> None:
    # Of a device, fsync fails.
    snapshot.path_of(filled.folder, "0123").symlink_to("/dev/null")
    with pytest.raises(StopError, match=r"private copy of the source failed: .*Invalid argument") as failed:
        snapshot.secure(filled.folder, "0123")
    assert str(filled.folder) in failed.value.where
    assert "state_dir" in failed.value.advice


def test_one_that_the_disk_does_not_give_any_longer(filled: Images) -> None:
    path = snapshot.path_of(filled.folder, name := filled.copy())
    with closing(snapshot.opened(filled.folder, name)) as image:
        path.unlink()
        with pytest.raises(SnapshotError, match="cannot be read: No such file"):
            Image(image)
        path.mkdir()
        with pytest.raises(SnapshotError, match="cannot be read: Is a directory"):
            Image(image)


def test_one_that_is_gone(filled: Images) -> None:
    with pytest.raises(SnapshotError, match="is gone"):
        snapshot.opened(filled.folder, "0123")


def test_one_that_cannot_be_read(filled: Images) -> None:
    snapshot.path_of(filled.folder, "0123").mkdir()
    with pytest.raises(SnapshotError, match="cannot be read: Is a directory"):
        snapshot.opened(filled.folder, "0123")


@pytest.mark.parametrize("kept", [0, 50, 1000, 20_000])
def test_one_that_is_cut_short(filled: Images, kept: int) -> None:
    path = snapshot.path_of(filled.folder, name := filled.copy())
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(SnapshotError, match="damaged"):
        snapshot.opened(filled.folder, name)


def test_a_base_with_emptied_pages(filled: Images) -> None:
    path = snapshot.path_of(filled.folder, base := filled.copy())
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:1024] + bytes(size - 1024))
    with pytest.raises(SnapshotError):
        filled.found(base, filled.copy(), filled.plan())


def test_the_live_file_is_never_opened(filled: Images) -> None:
    base = filled.copy()
    with (
        closing(snapshot.opened(filled.folder, base)) as older,
        closing(Database(filled.path)) as live,
        pytest.raises(ValueError, match="not private"),
    ):
        Difference(older, live)


def test_one_table_by_itself(filled: Images) -> None:
    base = filled.copy()
    filled.write("DELETE FROM t WHERE id = 1")
    with (
        closing(snapshot.opened(filled.folder, base)) as older,
        closing(snapshot.opened(filled.folder, filled.copy())) as newer,
    ):
        assert list(differing(older, newer, filled.plan())) == [ChangedKey("1", "1")]


def test_no_room_is_told_before_anything_is_written(filled: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "SPARE_BYTES", 2**62)
    with pytest.raises(StopError, match="no room"):
        filled.copy()
    assert list(filled.folder.glob("*.snapshot")) == []


def test_closing_ends_what_a_thread_is_still_at(filled: Images) -> None:
    database = Database(filled.path)
    begun = threading.Event()
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

    def look() -> None:
        begun.set()
        with pytest.raises((apsw.InterruptError, apsw.CursorClosedError, apsw.ConnectionClosedError)):
            database.connection.execute(endless).fetchall()

    with ThreadPoolExecutor(1) as thread:
        looking = thread.submit(look)
        begun.wait()
        database.close()
        looking.result(30)
