"""The source is locked, gone, damaged or replaced: syncd waits, or stops with a clear message and moves no mark."""

import os
import shutil
from pathlib import Path

import pytest

from syncd.market.build import create
from tests.plugins.cli import RunSyncd, StartSyncd
from tests.plugins.damage import damage_last_page
from tests.plugins.patience import wait_until
from tests.plugins.scene import MakeScene, Scene
from tests.plugins.source import MakeSource, OpenWriter

NOT_PERMITTED = 77
WAITS = {"load": "event=retry", "sync": "event=retry", "run": "event=waiting"}
"""The events by which each command tells that it waits for the source."""


@pytest.fixture
def scene(database: str, make_scene: MakeScene) -> Scene:
    return make_scene(database, interval="100ms")


@pytest.mark.parametrize("command", ["load", "sync", "run"])
def test_a_locked_source_is_waited_for(
    command: str, scene: Scene, run_syncd: RunSyncd, start_syncd: StartSyncd, open_writer: OpenWriter
) -> None:
    writer = open_writer(scene.source)
    writer.execute("PRAGMA journal_mode = DELETE")
    if command == "sync":
        assert run_syncd("load", "-c", scene.config).returncode == 0
    writer.begin("EXCLUSIVE")
    writer.execute("UPDATE tickers SET name = 'renamed', last_updated = '2030-01-01 00:00:00' WHERE rowid % 2")
    syncd = start_syncd(command, "-c", scene.config)
    wait_until(lambda: syncd.stderr.count(WAITS[command]) >= 2, "waiting twice")
    writer.commit()
    if command == "run":
        scene.wait_until_equal()
        assert syncd.terminate() == 0
    else:
        assert syncd.wait(30) == 0, syncd.stderr
    scene.assert_equal()


def test_a_source_that_is_locked_for_a_while_holds_a_daemon_up_and_no_longer(
    scene: Scene, start_syncd: StartSyncd, open_writer: OpenWriter
) -> None:
    writer = open_writer(scene.source)
    writer.execute("PRAGMA journal_mode = DELETE")
    daemon = start_syncd("run", "-c", scene.config)
    wait_until(lambda: scene.is_loaded, "loaded")
    writer.begin("EXCLUSIVE")
    writer.execute("UPDATE tickers SET name = 'renamed', last_updated = '2030-01-01 00:00:00' WHERE rowid % 2")
    daemon.wait_for("the source is locked by another process")
    writer.commit()
    scene.wait_until_equal()
    assert daemon.terminate() == 0


def test_a_writer_in_rollback_mode_is_never_refused(
    scene: Scene, start_syncd: StartSyncd, open_writer: OpenWriter
) -> None:
    writer = open_writer(scene.source)
    writer.execute("PRAGMA journal_mode = DELETE")
    writer.close()
    trading = scene.trade(rate=50)
    daemon = start_syncd("run", "-c", scene.config)
    wait_until(lambda: scene.is_loaded, "loaded")
    scene.wait_until_applied(scene.applied + 100)
    assert trading.stop()["busy"] == 0
    scene.wait_until_equal()
    assert daemon.terminate() == 0


def test_a_daemon_goes_on_while_the_application_stops_and_starts(scene: Scene, start_syncd: StartSyncd) -> None:
    daemon = start_syncd("run", "-c", scene.config)
    wait_until(lambda: scene.is_loaded, "loaded")
    for _ in range(3):
        scene.trade("--seconds", "0.3").wait()
        scene.wait_until_equal()
    assert daemon.terminate() == 0


@pytest.mark.parametrize("command", ["load", "sync", "run"])
@pytest.mark.parametrize("fault", ["missing", "directory", "empty", "text", "truncated"])
def test_a_source_that_is_no_database_stops_the_command(
    fault: str, command: str, scene: Scene, run_syncd: RunSyncd
) -> None:
    spoil(scene.source, fault)
    ended = run_syncd(command, "-c", scene.config, timeout=20)
    assert ended.returncode == 1, ended.stderr
    assert str(scene.source) in ended.stderr
    assert "this should not happen" not in ended.stderr
    assert scene.applied == 0


@pytest.mark.parametrize("command", ["sync", "run"])
def test_a_damaged_page_stops_a_pass_and_moves_no_mark(command: str, scene: Scene, run_syncd: RunSyncd) -> None:
    assert run_syncd("load", "-c", scene.config).returncode == 0
    before = scene.marks
    scene.trade("--seconds", "0.5", rate=500).wait()
    damage_last_page(scene.source, "ohlcv_data")
    ended = run_syncd(command, "-c", scene.config, timeout=20)
    assert ended.returncode == 1, ended.stderr
    assert "the database is damaged" in ended.stderr
    assert scene.marks == before


def test_a_damaged_page_stops_a_load(scene: Scene, run_syncd: RunSyncd) -> None:
    damage_last_page(scene.source, "ohlcv_data")
    ended = run_syncd("load", "-c", scene.config, timeout=20)
    assert ended.returncode == 1, ended.stderr
    assert "the database is damaged" in ended.stderr
    assert not scene.is_loaded


def test_damage_where_no_row_lies_is_found_by_a_load(scene: Scene, run_syncd: RunSyncd) -> None:
    damage_last_page(scene.source, "idx_trades_status")
    ended = run_syncd("load", "-c", scene.config, timeout=20)
    assert ended.returncode == 1, ended.stderr
    assert "the database is damaged" in ended.stderr


def test_damage_that_a_load_found_is_told_again_until_the_source_is_mended(scene: Scene, run_syncd: RunSyncd) -> None:
    sound = scene.source.read_bytes()
    damage_last_page(scene.source, "idx_trades_status")
    assert run_syncd("load", "-c", scene.config, timeout=20).returncode == 1
    assert scene.is_loaded
    for command in ("run", "sync", "load"):
        ended = run_syncd(command, "-c", scene.config, timeout=20)
        assert ended.returncode == 1, ended.stderr
        assert f"{scene.source}: the database is damaged" in ended.stderr
    checked = run_syncd("cutover", "--check", "-c", scene.config)
    assert checked.returncode == 4 and "the database is damaged" in checked.stdout, checked.stderr

    scene.source.write_bytes(sound)

    assert run_syncd("sync", "-c", scene.config).returncode == 0
    assert "the database is damaged" not in run_syncd("cutover", "--check", "-c", scene.config).stdout


def test_rows_against_a_constraint_are_no_damage(
    make_source: MakeSource, database: str, tmp_path: Path, run_syncd: RunSyncd
) -> None:
    source = make_source(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, NULL), (2, 'b');"
        "PRAGMA writable_schema = ON;"
        "UPDATE sqlite_schema SET sql = 'CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT NOT NULL CHECK (v > 1))'"
    )
    ended = run_syncd(
        "load", "--force", "--source", source, "--target", database, env={"SYNCD_STATE_DIR": str(tmp_path)}
    )
    assert "damaged" not in ended.stderr


def test_a_replaced_source_stops_a_daemon_until_it_is_accepted(
    scene: Scene, start_syncd: StartSyncd, run_syncd: RunSyncd, tmp_path: Path
) -> None:
    daemon = start_syncd("run", "-c", scene.config)
    wait_until(lambda: scene.is_loaded, "loaded")
    before = scene.marks
    create(tmp_path / "other.db", rows=1000, seed=8)
    (tmp_path / "other.db").replace(scene.source)
    assert daemon.wait(20) == 1
    for command in ("run", "sync", "load"):
        refused = run_syncd(command, "-c", scene.config, timeout=20)
        assert refused.returncode == 1
        assert "another file stands where the source stood" in refused.stderr
        assert "--accept-new-source" in refused.stderr
    assert scene.marks == before


def test_a_copy_that_is_accepted_in_the_sources_place_is_loaded_over_what_is_there(
    scene: Scene, start_syncd: StartSyncd, run_syncd: RunSyncd, open_writer: OpenWriter, tmp_path: Path
) -> None:
    assert run_syncd("load", "-c", scene.config).returncode == 0
    copy = tmp_path / "copy.db"
    open_writer(scene.source).execute(f"VACUUM INTO '{copy}'")
    writer = open_writer(copy)
    writer.execute("UPDATE ohlcv_data SET close = close + 1")
    new = "SELECT ticker || 'X', region, 'new', 'X' FROM tickers"
    writer.execute(f"INSERT INTO tickers (ticker, region, name, exchange) {new}")
    writer.close()
    copy.replace(scene.source)
    daemon = start_syncd("run", "--accept-new-source", "-c", scene.config)
    scene.wait_until_equal(20)
    assert daemon.terminate() == 0
    assert run_syncd("sync", "-c", scene.config).returncode == 0


@pytest.fixture
def closed_folder(scene: Scene) -> tuple[str, ...]:
    """Close the application's folder to our writing; how to start a program to which that applies."""
    if os.geteuid() != 0:
        scene.source.parent.chmod(0o555)
        return ()
    if not shutil.which("setpriv"):
        pytest.skip("root may write everywhere, and there is no setpriv to take that away")
    for path in (scene.source.parent, scene.source):
        os.chown(path, 65534, 65534)
    return ("setpriv", "--inh-caps=-all", "--bounding-set=-all")


def test_a_folder_that_may_not_be_written_to_is_enough_while_the_application_runs(
    scene: Scene, closed_folder: tuple[str, ...], start_syncd: StartSyncd, open_writer: OpenWriter
) -> None:
    application = open_writer(scene.source)
    application.execute("UPDATE tickers SET last_updated = '2030-01-01 00:00:00'")
    daemon = start_syncd("run", "-c", scene.config, prefix=closed_folder)
    wait_until(lambda: scene.is_loaded, "loaded")
    application.execute("UPDATE tickers SET last_updated = '2030-01-01 00:00:01'")
    scene.wait_until_equal()
    application.close()
    again = open_writer(scene.source)
    again.execute("UPDATE tickers SET last_updated = '2030-01-01 00:00:02'")
    scene.wait_until_equal()
    assert daemon.terminate() == 0


def test_a_folder_that_may_not_be_written_to_is_named_when_the_application_does_not_run(
    scene: Scene, closed_folder: tuple[str, ...], start_syncd: StartSyncd
) -> None:
    for command in ("load", "run"):
        syncd = start_syncd(command, "-c", scene.config, prefix=closed_folder)
        assert syncd.wait(20) == NOT_PERMITTED, syncd.stderr
        assert "write to the directory" in syncd.stderr


def spoil(source: Path, fault: str) -> None:
    """Put something else where the source stands; nobody has it open."""
    if fault == "truncated":
        os.truncate(source, source.stat().st_size // 2)
        return
    source.unlink()
    match fault:
        case "directory":
            source.mkdir()
        case "empty":
            source.touch()
        case "text":
            source.write_text("ticker,region\n" * 1000)
