"""Signals to the daemon and to a load, and what a crash leaves on the disk."""

import json
import shutil
import signal
from contextlib import closing
from functools import partial
from pathlib import Path

import psycopg
import pytest

from syncd.engine import pending, spool
from syncd.engine.pending import Pending
from syncd.errors import StopError
from syncd.model import Batch
from tests.plugins.cli import RunSyncd, StartSyncd, Syncd
from tests.plugins.disk import MakeDisk, fill
from tests.plugins.images import Images
from tests.plugins.patience import wait_until
from tests.plugins.scene import MakeScene, Scene
from tests.plugins.source import MakeSource, OpenWriter

QUICKLY = 5.0
TERMINATED = 143


@pytest.fixture
def scene(database: str, make_scene: MakeScene) -> Scene:
    return make_scene(database, rows=3000, batch_rows=5, interval="100ms")


@pytest.fixture
def daemon(scene: Scene, start_syncd: StartSyncd) -> Syncd:
    """A daemon that has loaded everything."""
    started = start_syncd("run", "-c", scene.config)
    wait_until(lambda: scene.is_loaded, "loaded")
    return started


def test_sigterm_ends_a_daemon_in_its_load_and_the_next_goes_on(scene: Scene, start_syncd: StartSyncd) -> None:
    daemon = start_syncd("run", "-c", scene.config)
    scene.wait_until_applied()
    assert daemon.terminate(QUICKLY) == 0
    assert not scene.is_loaded
    daemon = start_syncd("run", "-c", scene.config)
    scene.wait_until_equal()
    assert daemon.terminate(QUICKLY) == 0


def test_sigterm_ends_a_load_and_the_next_goes_on(scene: Scene, start_syncd: StartSyncd, run_syncd: RunSyncd) -> None:
    load = start_syncd("load", "-c", scene.config)
    scene.wait_until_applied()
    assert load.terminate(QUICKLY) == TERMINATED
    assert not scene.is_loaded
    assert run_syncd("load", "-c", scene.config).returncode == 0
    scene.assert_equal()


def test_sigterm_ends_a_daemon_that_waits_for_its_server(make_scene: MakeScene, start_syncd: StartSyncd) -> None:
    nowhere = make_scene("host=127.0.0.1 port=1 dbname=nowhere user=nobody")
    daemon = start_syncd("run", "-c", nowhere.config)
    daemon.wait_for("event=waiting")
    assert daemon.terminate(QUICKLY) == 0


def test_a_new_column_and_a_new_table_are_taken_up_by_a_daemon_at_work(
    make_source: MakeSource, open_writer: OpenWriter, database: str, start_syncd: StartSyncd, run_syncd: RunSyncd
) -> None:
    source = make_source("CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO item VALUES (1, 'a');")
    sides = ("--source", source, "--target", database)
    daemon = start_syncd("run", *sides)
    daemon.wait_for("event=table_loaded")
    writer = open_writer(source)
    writer.execute("ALTER TABLE item ADD COLUMN grade TEXT DEFAULT 'new'")
    writer.execute("CREATE TABLE later (id INTEGER PRIMARY KEY, item INTEGER REFERENCES item (id))")
    writer.execute("INSERT INTO later VALUES (1, 1)")
    writer.execute("INSERT INTO item VALUES (2, 'b', 'own')")

    def rows(query: str) -> list[tuple[object, ...]]:
        with closing(psycopg.connect(database, autocommit=True)) as connection:
            exists = connection.execute("SELECT to_regclass('later') IS NOT NULL").fetchone() == (True,)
            return connection.execute(query.encode()).fetchall() if exists else []

    wait_until(lambda: rows("SELECT * FROM later") == [(1, 1)], "the new table is loaded")
    wait_until(lambda: rows("SELECT id, grade FROM item ORDER BY id") == [(1, "new"), (2, "own")], "filled")
    writer.execute("INSERT INTO later VALUES (2, 2)")
    wait_until(lambda: rows("SELECT count(*) FROM later") == [(2,)], "the new table is kept current")
    told = "SELECT event, table_name, detail FROM syncd.event WHERE event IN ('column_added', 'tables_new') ORDER BY 1"
    assert rows(told) == [("column_added", "item", "grade text"), ("tables_new", "", "later")]
    assert daemon.terminate(QUICKLY) == 0
    verified = run_syncd("verify", "--mode", "full", *sides)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_new_table_that_cannot_be_carried_keeps_no_other_from_going_on(
    make_source: MakeSource, open_writer: OpenWriter, database: str, start_syncd: StartSyncd, run_syncd: RunSyncd
) -> None:
    source = make_source("CREATE TABLE item (id INTEGER PRIMARY KEY); CREATE TABLE odd (id INTEGER, xmin TEXT);")
    sides = ("--source", source, "--target", database)
    writer = open_writer(source)
    assert run_syncd("run", *sides).returncode == 4
    writer.execute("DROP TABLE odd")

    def told() -> dict[str, tuple[str, str]]:
        status = json.loads(run_syncd("status", "--json", *sides).stdout)
        return {table["table"]: (table["phase"], table["error"]) for table in status["tables"]}

    def landed(id_: int) -> bool:
        with closing(psycopg.connect(database, autocommit=True)) as connection:
            return connection.execute("SELECT FROM item WHERE id = %s", [id_]).fetchone() is not None

    daemon = start_syncd("run", *sides)
    daemon.wait_for("event=table_loaded")
    writer.execute("CREATE TABLE odd (id INTEGER, xmin TEXT)")
    for id_ in (1, 2):
        wait_until(lambda: "odd" in told(), "the table is seen in status")
        phase, error = told()["odd"]
        assert (phase, "xmin_of_the_source" in error) == ("stopped", True)
        writer.execute(f"INSERT INTO item VALUES ({id_})")
        wait_until(partial(landed, id_), "the other goes on")
        assert daemon.terminate(QUICKLY) == 0
        daemon = start_syncd("run", *sides)
        daemon.wait_for("event=table_refused")
    assert "event=check_no_go" in daemon.stderr
    assert daemon.terminate(QUICKLY) == 0
    assert "odd" in run_syncd("sync", *sides).stderr


def test_sighup_reads_a_changed_interval(scene: Scene, start_syncd: StartSyncd) -> None:
    scene.configure(interval="1h", watch="no")
    daemon = start_syncd("run", "-c", scene.config)
    wait_until(lambda: scene.is_loaded, "loaded")
    scene.trade("--seconds", "0.3").wait()
    scene.configure(interval="100ms", watch="no")
    daemon.signal(signal.SIGHUP)
    daemon.wait_for("event=reloaded")
    scene.trade("--seconds", "0.3").wait()
    scene.wait_until_equal()
    assert daemon.terminate(QUICKLY) == 0


def test_a_wrong_configuration_is_reported_and_the_old_one_stays(scene: Scene, daemon: Syncd) -> None:
    scene.configure(interval="sometimes")
    daemon.signal(signal.SIGHUP)
    daemon.wait_for("event=reload_failed")
    assert "interval" in daemon.stderr
    scene.trade("--seconds", "0.3").wait()
    scene.wait_until_equal()
    assert daemon.terminate(QUICKLY) == 0


def test_what_a_crash_left_on_the_disk_is_removed(scene: Scene, start_syncd: StartSyncd, run_syncd: RunSyncd) -> None:
    load = start_syncd("load", "-c", scene.config)
    scene.wait_until_applied()
    load.kill9()
    (snapshot,) = scene.state_dir.rglob("*.snapshot")
    stale = snapshot.with_name("0123456789abcdef.snapshot")
    shutil.copy(snapshot, stale)
    stale.with_name(stale.name + "-journal").touch()
    assert run_syncd("load", "-c", scene.config).returncode == 0
    assert [path for path in scene.state_dir.rglob("*") if path.is_file()] == [snapshot]
    scene.assert_equal()


@pytest.fixture
def small_disk(make_disk: MakeDisk) -> Path:
    return make_disk(1024)


def test_without_room_for_a_copy_the_live_file_is_loaded(
    scene: Scene, small_disk: Path, start_syncd: StartSyncd
) -> None:
    trading = scene.trade()
    daemon = start_syncd("run", "-c", scene.config, env={"SYNCD_STATE_DIR": str(small_disk)})
    daemon.wait_for("event=no_room_for_snapshot")
    scene.wait_until_applied(scene.applied)
    trading.stop()
    scene.wait_until_equal()
    assert daemon.terminate(QUICKLY) == 0


def test_a_disk_that_is_full_altogether_is_named(scene: Scene, small_disk: Path, run_syncd: RunSyncd) -> None:
    fill(small_disk)
    ended = run_syncd("load", "-c", scene.config, env={"SYNCD_STATE_DIR": str(small_disk)})
    assert ended.returncode in (0, 1)
    assert "this should not happen" not in ended.stderr
    assert str(small_disk) in ended.stderr


def test_a_pass_that_the_disk_cannot_hold_stops(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(small_disk)
    monkeypatch.setattr(spool, "IN_MEMORY", 1)
    kept = spool.Spool(small_disk)
    with pytest.raises(StopError, match="No space left"):
        kept.add(Batch(bytes(2**20), rows=1, read=1, last="1"))
    kept.close()


def test_a_pass_that_the_disk_refuses_late_stops(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", 1)
    with closing(spool.Spool(small_disk)) as kept:
        kept.add(Batch(b"on disk", rows=1, read=1, last="1"))
        fill(small_disk)
        last = kept.add(Batch(bytes(5000), rows=1, read=1, last="2"))
        with pytest.raises(StopError, match="No space left"):
            kept.payload(last)


def test_a_sweep_that_the_disk_refuses_late_stops(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "IN_MEMORY", 1)
    table = Images(tmp_path, "CREATE TABLE t (id INTEGER PRIMARY KEY)").plan()
    fill(small_disk)
    with closing(Pending(small_disk, table)) as found:
        found.add("1", ["1"])
        with pytest.raises(StopError, match="No space left"):
            list(found.chunks(1))


def test_a_sweep_whose_keys_the_disk_cannot_hold_stops(small_disk: Path, tmp_path: Path) -> None:
    table = Images(tmp_path, "CREATE TABLE t (id INTEGER PRIMARY KEY)").plan()
    fill(small_disk)
    with closing(Pending(small_disk, table)) as found, pytest.raises(StopError, match="No space left"):
        for key in range(200_000):
            found.add(str(key), [str(key)])


def test_a_state_directory_that_cannot_be_made_is_named(scene: Scene, tmp_path: Path, run_syncd: RunSyncd) -> None:
    (tmp_path / "file").touch()
    ended = run_syncd("load", "-c", scene.config, env={"SYNCD_STATE_DIR": str(tmp_path / "file" / "state")})
    assert ended.returncode == 77
    assert "the directory for private files cannot be made" in ended.stderr
