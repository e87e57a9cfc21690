"""PostgreSQL crashes, hangs, hangs up or refuses: the work goes on by itself, or ends with one clear message."""

import pytest
from psycopg.conninfo import make_conninfo

from tests.plugins.cli import RunSyncd, StartSyncd, Syncd
from tests.plugins.patience import wait_until
from tests.plugins.postgres import OwnServer, wait_until_caught_up
from tests.plugins.proxy import OpenProxy
from tests.plugins.scene import MakeScene, Scene

TEMPORARY = 75
REFUSED = 77
MISCONFIGURED = 78


@pytest.fixture
def moved(own_server: OwnServer, make_scene: MakeScene) -> Scene:
    """A market on its way into a server that may be broken."""
    return make_scene(own_server.dsn(), rows=3000, batch_rows=5, workers=3, interval="50ms")


def test_a_load_goes_on_after_crashes_of_the_server(
    own_server: OwnServer, moved: Scene, start_syncd: StartSyncd
) -> None:
    load = start_syncd("load", "-c", moved.config)
    for _ in range(3):
        wait_for_batches(moved)
        own_server.restart("immediate")
    assert load.wait(60) == 0, load.stderr
    moved.assert_equal()


def test_a_load_goes_on_after_its_sessions_were_terminated(moved: Scene, start_syncd: StartSyncd) -> None:
    load = start_syncd("load", "-c", moved.config)
    for _ in range(5):
        wait_for_batches(moved)
        terminate_sessions(moved)
    assert load.wait(60) == 0, load.stderr
    moved.assert_equal()


def test_a_daemon_goes_on_after_crashes_of_the_server(
    own_server: OwnServer, moved: Scene, start_syncd: StartSyncd
) -> None:
    trading = moved.trade()
    daemon = start_syncd("run", "-c", moved.config)
    for _ in range(3):
        moved.wait_until_applied(moved.applied)
        own_server.restart("immediate")
    trading.stop()
    moved.wait_until_equal()
    assert daemon.terminate() == 0


def test_a_daemon_goes_on_after_its_sessions_were_terminated(moved: Scene, start_syncd: StartSyncd) -> None:
    trading = moved.trade()
    daemon = start_syncd("run", "-c", moved.config)
    for _ in range(5):
        moved.wait_until_applied(moved.applied)
        terminate_sessions(moved)
    trading.stop()
    moved.wait_until_equal()
    assert daemon.terminate() == 0


@pytest.mark.parametrize("command", ["load", "run"])
def test_a_connection_cut_in_the_middle_of_copy_costs_nothing(
    command: str, database: str, proxy: OpenProxy, make_scene: MakeScene, start_syncd: StartSyncd
) -> None:
    between = proxy(database)
    scene = make_scene(database, through=between.dsn(), batch_rows=500, interval="50ms")
    between.cut_after_bytes(60_000)
    syncd = start_syncd(command, "-c", scene.config)
    between.wait_until_cut()
    if command == "run":
        wait_until(lambda: scene.is_loaded, "loaded")
        between.cut_after_bytes(40_000)
        scene.trade("--seconds", "1", rate=200).wait()
    finish(syncd, scene)


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("command", ["load", "run", "sync"])
def test_a_commit_whose_answer_is_lost_is_made_once(
    command: str, after: bool, database: str, proxy: OpenProxy, make_scene: MakeScene, start_syncd: StartSyncd
) -> None:
    between = proxy(database)
    scene = make_scene(database, through=between.dsn(), batch_rows=50, interval="50ms")
    if command != "load":
        assert start_syncd("load", "-c", scene.config).wait() == 0
        scene.trade("--seconds", "0.5", rate=200).wait()
    between.cut_on(b"COMMIT", after=after)
    syncd = start_syncd(command, "-c", scene.config)
    between.wait_until_cut()
    finish(syncd, scene)


def test_cuts_at_one_commit_after_the_other_cost_nothing(
    database: str, proxy: OpenProxy, make_scene: MakeScene, start_syncd: StartSyncd
) -> None:
    between = proxy(database)
    scene = make_scene(database, through=between.dsn(), batch_rows=50, interval="50ms")
    load = start_syncd("load", "-c", scene.config)
    for _ in range(5):
        between.cut_on(b"COMMIT")
        wait_until(lambda: between.was_cut or load.returncode is not None, "cut")
    finish(load, scene)


def test_a_wrong_password_is_told_at_once_and_not_shown(
    password_dsn: str, make_scene: MakeScene, run_syncd: RunSyncd
) -> None:
    scene = make_scene(password_dsn)
    for command in ("load", "sync", "run"):
        ended = run_syncd(command, "-c", scene.config, env={"PGPASSWORD": "wrong horse"}, timeout=15)
        assert ended.returncode == REFUSED
        assert "password authentication failed" in ended.stderr
        assert "wrong horse" not in ended.stdout + ended.stderr


@pytest.mark.parametrize("command", ["load", "sync", "run", "status"])
def test_a_database_that_is_not_there_is_told_at_once(
    command: str, database: str, make_scene: MakeScene, run_syncd: RunSyncd
) -> None:
    scene = make_scene(make_conninfo(database, dbname="nowhere"))
    ended = run_syncd(command, "-c", scene.config, timeout=15)
    assert ended.returncode == MISCONFIGURED
    assert 'database "nowhere" does not exist' in ended.stderr


@pytest.mark.parametrize("command", ["load", "run"])
def test_a_role_that_is_not_there_is_told_at_once(
    command: str, database: str, make_scene: MakeScene, run_syncd: RunSyncd
) -> None:
    scene = make_scene(make_conninfo(database, user="nobody_at_all"))
    ended = run_syncd(command, "-c", scene.config, timeout=15)
    assert ended.returncode == REFUSED
    assert 'role "nobody_at_all" does not exist' in ended.stderr


def test_a_server_that_is_not_there_is_a_temporary_failure(
    own_server: OwnServer, moved: Scene, run_syncd: RunSyncd
) -> None:
    own_server.stop()
    for command in ("load", "sync", "status"):
        ended = run_syncd(command, "-c", moved.config, timeout=15)
        assert ended.returncode == TEMPORARY, ended.stderr


def test_a_daemon_waits_for_a_server_that_is_not_there(
    own_server: OwnServer, moved: Scene, start_syncd: StartSyncd
) -> None:
    own_server.stop()
    daemon = start_syncd("run", "-c", moved.config)
    daemon.wait_for("event=waiting")
    own_server.start()
    moved.wait_until_equal()
    assert daemon.terminate() == 0


def test_a_read_only_standby_is_refused(
    own_server: OwnServer, standby: OwnServer, make_scene: MakeScene, run_syncd: RunSyncd
) -> None:
    wait_until_caught_up(own_server, standby)
    scene = make_scene(standby.dsn())
    for command in ("load", "run"):
        ended = run_syncd(command, "-c", scene.config, timeout=15)
        assert ended.returncode == 1
        assert "read-only standby" in ended.stderr
        assert "Connect to the primary server" in ended.stderr


def test_a_role_without_rights_is_told_what_it_lacks(
    own_server: OwnServer, make_scene: MakeScene, run_syncd: RunSyncd
) -> None:
    own_server.execute("CREATE ROLE modest LOGIN")
    scene = make_scene(make_conninfo(own_server.dsn(), user="modest"))
    ended = run_syncd("load", "-c", scene.config, timeout=15)
    assert ended.returncode == REFUSED
    assert "permission denied" in ended.stderr


def wait_for_batches(scene: Scene) -> None:
    """Wait until a load has done a little more."""
    before = scene.applied
    wait_until(lambda: scene.applied > before or scene.is_loaded, f"more than {before} rows")


def terminate_sessions(scene: Scene) -> None:
    scene.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'syncd'")


def finish(syncd: Syncd, scene: Scene) -> None:
    """Let a command end by itself, the daemon when it is in step; then every row is compared."""
    if "run" in syncd.arguments:
        scene.wait_until_equal()
        assert syncd.terminate() == 0
    else:
        assert syncd.wait(60) == 0, syncd.stderr
    scene.assert_equal()
