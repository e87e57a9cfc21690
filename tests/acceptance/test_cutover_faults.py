"""Bad luck of the machines at the worst moments of a cutover: an answer that is lost, a disk that is full."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.plugins.cli import RunSyncd, StartSyncd, Syncd
from tests.plugins.cutting import assert_as_before, hold, is_sleeping, state
from tests.plugins.disk import MakeDisk, fill
from tests.plugins.patience import wait_until
from tests.plugins.proxy import OpenProxy, Proxy
from tests.plugins.scene import MakeScene, Scene
from tests.plugins.source import OpenWriter


@pytest.fixture
def way(database: str, proxy: OpenProxy) -> Proxy:
    return proxy(database)


@pytest.fixture
def scene(database: str, way: Proxy, make_scene: MakeScene, run_syncd: RunSyncd) -> Scene:
    made = make_scene(database, rows=2000, through=way.dsn())
    assert run_syncd("load", "-c", made.config).returncode == 0
    return made


def cut_at_promotion(scene: Scene, way: Proxy, start_syncd: StartSyncd, *, arrives: bool) -> Syncd:
    """Cut the connection at the COMMIT that promotes: before the server gets it, or before its answer gets back."""
    hold(scene, "promoted")
    cutover = start_syncd("cutover", "--yes", "-c", scene.config)
    wait_until(lambda: is_sleeping(scene), "at the promotion", 60)
    way.cut_on(b"COMMIT", after=arrives)
    hold(scene, "")
    way.wait_until_cut()
    return cutover


@pytest.mark.usefixtures("held_at")
def test_a_promotion_whose_answer_was_lost_is_one(
    scene: Scene, way: Proxy, start_syncd: StartSyncd, run_syncd: RunSyncd
) -> None:
    cutover = cut_at_promotion(scene, way, start_syncd, arrives=True)
    assert cutover.wait(60) == 0, cutover.stderr
    assert state(scene) == "promoted"
    assert run_syncd("sync", "-c", scene.config).returncode == 4
    scene.assert_equal()


@pytest.mark.usefixtures("held_at")
def test_a_promotion_that_never_arrived_is_none(
    scene: Scene, way: Proxy, start_syncd: StartSyncd, run_syncd: RunSyncd, open_writer: OpenWriter
) -> None:
    cutover = cut_at_promotion(scene, way, start_syncd, arrives=False)
    assert cutover.wait(60) == 75, cutover.stderr
    assert state(scene) == "aborted"
    assert_as_before(scene, run_syncd, open_writer)
    assert run_syncd("cutover", "--yes", "-c", scene.config).returncode == 0


@pytest.fixture
def tablespace(scene: Scene, make_disk: MakeDisk) -> Iterator[Path]:
    """A small disk on which the server keeps what a session needs for a moment."""
    folder = make_disk(2048) / "temporary"
    folder.mkdir()
    with closing(psycopg.connect(scene.dsn, autocommit=True)) as connection:
        owner = Path(f"/proc/{connection.info.backend_pid}").stat()
        os.chown(folder, owner.st_uid, owner.st_gid)
        name = f"small_{os.getpid()}"
        connection.execute(f"CREATE TABLESPACE {name} LOCATION '{folder}'".encode())
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET temp_tablespaces = {name}".encode())
        yield folder
        connection.execute(f"ALTER DATABASE {connection.info.dbname} RESET temp_tablespaces".encode())
        wait_until(lambda: not any(folder.rglob("t*_*")), "the sessions that used it have ended")
        connection.execute(f"DROP TABLESPACE {name}".encode())


@pytest.mark.usefixtures("held_at")
def test_a_disk_of_the_server_that_is_full_behind_the_fence_lets_writers_in_again(
    scene: Scene, tablespace: Path, start_syncd: StartSyncd, run_syncd: RunSyncd, open_writer: OpenWriter
) -> None:
    hold(scene, "verify")
    cutover = start_syncd("cutover", "--yes", "-c", scene.config)
    wait_until(lambda: is_sleeping(scene), "at verify", 60)
    fill(tablespace)
    hold(scene, "")
    assert cutover.wait(60) == 75
    assert "No space left on device" in cutover.stderr
    assert state(scene) == "aborted"
    (tablespace / "rubbish").unlink()
    assert_as_before(scene, run_syncd, open_writer)


@pytest.mark.usefixtures("held_at")
def test_a_disk_of_ours_that_is_full_behind_the_fence_costs_a_comparison_of_all(
    scene: Scene, make_disk: MakeDisk, start_syncd: StartSyncd, run_syncd: RunSyncd
) -> None:
    disk = make_disk(8192)
    moved = {"SYNCD_STATE_DIR": str(disk)}
    assert run_syncd("sweep", "-c", scene.config, env=moved).returncode == 0
    hold(scene, "sweep")
    cutover = start_syncd("cutover", "--yes", "-c", scene.config, env=moved)
    wait_until(lambda: is_sleeping(scene), "behind the fence", 60)
    fill(disk)
    hold(scene, "")
    assert cutover.wait(60) == 0, cutover.stderr
    assert state(scene) == "promoted"
    scene.assert_equal()
    assert "no checksums" in scene.ask("SELECT report ->> 'warnings' FROM syncd.cutover")[0][0]
