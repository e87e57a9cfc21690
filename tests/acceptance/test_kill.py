"""kill -9 at random moments: the command is run again, and nothing is lost, doubled or left to a person."""

import random
import time
from pathlib import Path

import pytest

from tests.plugins.cli import RunSyncd, StartSyncd, Syncd
from tests.plugins.patience import wait_until
from tests.plugins.scene import MakeScene, Scene

KILLS = 10
FOREIGN_KEYS = 9
"""Of the market, all of which its rows obey."""
LONGEST_LIFE = 0.5
"""Seconds between a process's beginning of work and its death."""


@pytest.fixture
def dice() -> random.Random:
    seed = random.randrange(2**32)
    print(f"seed: {seed}")
    return random.Random(seed)


@pytest.mark.parametrize("number", range(5))
def test_nothing_is_lost_or_doubled_by_ten_deaths(
    number: int, dice: random.Random, database: str, make_scene: MakeScene, run_syncd: RunSyncd, start_syncd: StartSyncd
) -> None:
    scene = make_scene(database, rows=3000, batch_rows=5, workers=3, interval="50ms")
    trading = scene.trade(rate=50)
    kills = 0
    while kills < KILLS // 2 and not scene.is_loaded:
        kills += killed_at_random(start_syncd("load", "-c", scene.config), scene, dice)
    assert run_syncd("load", "-c", scene.config, timeout=180).returncode == 0
    while kills < KILLS:
        kills += killed_at_random(start_syncd("run", "-c", scene.config), scene, dice)
    trading.stop()
    assert run_syncd("sync", "-c", scene.config).returncode == 0
    scene.assert_equal()
    assert foreign_keys(scene) == FOREIGN_KEYS
    # The load's snapshot is the base of the first sweep.
    assert [path.stem for path in left_behind(scene.state_dir)] == bases(scene)


def killed_at_random(syncd: Syncd, scene: Scene, dice: random.Random) -> bool:
    """Kill it a random moment after it has reached the target; whether it still lived."""
    wait_until(lambda: syncd.returncode is not None or is_at_work(syncd, scene), f"{syncd.pid} at work")
    time.sleep(dice.uniform(0, LONGEST_LIFE))
    lived = syncd.returncode is None
    assert lived or syncd.returncode == 0, syncd.stderr
    syncd.kill9()
    return lived


def is_at_work(syncd: Syncd, scene: Scene) -> bool:
    """Whether the daemon says so, or a load is connected: that begins with the first tables at once."""
    if "run" in syncd.arguments:
        return "at work on" in syncd.stderr
    return bool(
        scene.ask("SELECT FROM pg_stat_activity WHERE application_name = 'syncd' AND datname = current_database()")
    )


def foreign_keys(scene: Scene) -> int:
    return int(
        scene.ask("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace")[
            0
        ][0]
    )


def bases(scene: Scene) -> list[str]:
    return [name for (name,) in scene.ask("SELECT DISTINCT base_snapshot FROM syncd.checkpoint")]


def left_behind(state_dir: Path) -> list[Path]:
    """Files that no process uses any longer."""
    return [path for path in state_dir.rglob("*") if path.is_file()]
