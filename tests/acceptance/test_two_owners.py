"""One source has one owner: a second one is turned away, a dead one replaced, a command's loan given back."""

import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from syncd import config as configuration
from syncd.engine.sides import Ownership, opened
from syncd.errors import LockHeldError
from syncd.target.database import Target, transaction
from tests.plugins.cli import RunSyncd, StartSyncd, Syncd
from tests.plugins.patience import wait_until
from tests.plugins.scene import MakeScene, Scene

LOCK_HELD = 5


@pytest.fixture
def scene(database: str, make_scene: MakeScene) -> Scene:
    return make_scene(database, interval="100ms")


@pytest.fixture
def daemon(scene: Scene, start_syncd: StartSyncd) -> Syncd:
    """A daemon that has loaded everything."""
    first = start_syncd("run", "-c", scene.config)
    wait_until(lambda: scene.is_loaded, "loaded")
    return first


def test_a_second_daemon_is_turned_away_and_the_first_unharmed(
    scene: Scene, daemon: Syncd, run_syncd: RunSyncd
) -> None:
    second = run_syncd("run", "-c", scene.config, timeout=10)
    assert second.returncode == LOCK_HELD
    assert "another syncd works on this source" in second.stderr
    scene.trade("--seconds", "0.5").wait()
    scene.wait_until_equal()
    assert daemon.terminate() == 0


def test_a_daemon_takes_over_from_one_that_was_killed(scene: Scene, daemon: Syncd, start_syncd: StartSyncd) -> None:
    trading = scene.trade()
    for _ in range(3):
        daemon.kill9()
        daemon = start_syncd("run", "-c", scene.config)
        daemon.wait_for("at work on")
    trading.stop()
    scene.wait_until_equal()
    assert daemon.terminate() == 0


def test_commands_borrow_the_lock_from_a_daemon_and_give_it_back(
    scene: Scene, daemon: Syncd, run_syncd: RunSyncd
) -> None:
    trading = scene.trade()
    for _ in range(5):
        assert run_syncd("sync", "-c", scene.config, timeout=20).returncode == 0
    trading.stop()
    scene.wait_until_equal()
    assert daemon.terminate() == 0
    assert daemon.stderr.count("event=lock_lent") >= 5
    assert daemon.stderr.count("event=lock_lent") == daemon.stderr.count("event=lock_returned")


def test_two_commands_at_once_borrow_one_after_the_other(scene: Scene, daemon: Syncd, start_syncd: StartSyncd) -> None:
    commands = [start_syncd("sync", "-c", scene.config) for _ in range(3)]
    assert [command.wait(40) for command in commands] == [0, 0, 0]
    scene.trade("--seconds", "0.3").wait()
    scene.wait_until_equal()
    assert daemon.terminate() == 0


def test_a_loan_ends_with_the_death_of_the_borrower(scene: Scene, daemon: Syncd, start_syncd: StartSyncd) -> None:
    seed = random.randrange(2**32)
    print(f"seed: {seed}")
    dice = random.Random(seed)
    trading = scene.trade()
    for loan in range(1, 6):
        borrower = start_syncd("sync", "-c", scene.config)
        wait_for_loan(daemon, loan)
        time.sleep(dice.uniform(0, 0.3))
        borrower.kill9()
    trading.stop()
    scene.wait_until_equal()
    assert daemon.terminate() == 0


def test_a_daemon_that_is_stopped_while_it_lends_just_stops(scene: Scene, daemon: Syncd) -> None:
    with opened(configuration.load(scene.config), Target(scene.dsn), Ownership.BORROW):
        wait_for_loan(daemon, 1)
        scene.trade("--seconds", "0.5").wait()

        assert daemon.terminate() == 0

    assert "took over" not in daemon.stderr


def test_a_load_and_a_daemon_started_together_do_the_work_once(scene: Scene, start_syncd: StartSyncd) -> None:
    load = start_syncd("load", "-c", scene.config)
    daemon = start_syncd("run", "-c", scene.config)
    assert load.wait(60) == 0, load.stderr
    if daemon.returncode is None:
        scene.wait_until_equal()
        assert daemon.terminate() == 0
    assert daemon.returncode in (0, LOCK_HELD), daemon.stderr
    scene.assert_equal()


def test_an_owner_that_slept_through_its_replacement_commits_nothing(
    scene: Scene, daemon: Syncd, start_syncd: StartSyncd
) -> None:
    daemon.signal(signal.SIGSTOP)
    scene.ask("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
    successor = start_syncd("run", "-c", scene.config)
    successor.wait_for("at work on")
    scene.trade("--seconds", "0.5").wait()
    daemon.signal(signal.SIGCONT)
    assert daemon.wait(20) == LOCK_HELD
    scene.wait_until_equal()
    assert successor.terminate() == 0


def test_a_new_owner_waits_for_the_old_ones_transaction_which_is_its_last(scene: Scene) -> None:
    config, target = configuration.load(scene.config), Target(scene.dsn)
    with opened(config, target, Ownership.TAKE) as old, closing(old.connect()) as connection:
        with ThreadPoolExecutor(1) as pool:
            with transaction(connection):
                old.state.confirm_epoch(connection)
                old.control.close()
                taking = pool.submit(take_over, scene)
                wait_until(lambda: is_waiting_for_a_lock(scene), "the new owner waiting")
            assert taking.result(10) == old.state.epoch + 1
        with pytest.raises(LockHeldError), transaction(connection):
            old.state.confirm_epoch(connection)


def wait_for_loan(daemon: Syncd, number: int) -> None:
    wait_until(lambda: daemon.stderr.count("event=lock_lent") >= number, f"loan {number}")


def take_over(scene: Scene) -> int:
    with opened(configuration.load(scene.config), Target(scene.dsn), Ownership.TAKE) as sides:
        return sides.state.epoch


def is_waiting_for_a_lock(scene: Scene) -> bool:
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE syncd.source%'"
    return bool(scene.ask(waiting))
