"""kill -9 at every step of a sweep, while an application deletes and updates what no mark shows."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.plugins.cli import RunSyncd, StartSyncd, Syncd
from tests.plugins.comparison import assert_every_row_is_equal, differences
from tests.plugins.patience import wait_until
from tests.plugins.source import MakeSource

KILLS = 4
_TABLES = """
CREATE TABLE shop (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, region TEXT);
CREATE TABLE sale (id INTEGER PRIMARY KEY, shop INTEGER NOT NULL REFERENCES shop ON DELETE CASCADE, price INTEGER);
CREATE TABLE note (code TEXT PRIMARY KEY, said TEXT);
WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 300)
INSERT INTO shop SELECT x, 'shop ' || x, 'KR' FROM n;
WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3000)
INSERT INTO sale SELECT x, 1 + x % 300, x FROM n;
INSERT INTO note SELECT 'code ' || id, name FROM shop;
"""
_VANDAL = """
import random, sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
database.execute("PRAGMA foreign_keys = ON")
dice = random.Random(int(sys.argv[2]))
one = "(SELECT id FROM {0} ORDER BY id LIMIT 1 OFFSET abs(random()) % (SELECT count(*) FROM {0}))"
sale, shop = one.format("sale"), one.format("shop")
code = "(SELECT code FROM note ORDER BY random() LIMIT 1)"
acts = [
    f"UPDATE sale SET price = price + 1 WHERE id = {sale}",
    f"DELETE FROM sale WHERE id = {sale}",
    "DELETE FROM sale WHERE id = (SELECT max(id) FROM sale)",
    f"INSERT INTO sale (shop, price) SELECT {shop}, abs(random()) % 1000",
    f"INSERT INTO sale (shop, price) SELECT {shop}, abs(random()) % 1000",
    f"INSERT INTO sale (shop, price) SELECT {shop}, abs(random()) % 1000",
    f"UPDATE sale SET id = (SELECT max(id) + 5 FROM sale) WHERE id = {sale}",
    f"UPDATE shop SET region = hex(randomblob(2)) WHERE id = {shop}",
    f"DELETE FROM shop WHERE id = {shop} AND (SELECT count(*) FROM shop) > 250",
    "INSERT INTO shop (name) SELECT 'new ' || hex(randomblob(4))",
    f"INSERT OR REPLACE INTO shop (name, region) SELECT name, 'moved' FROM shop WHERE id = {shop}",
    f"UPDATE note SET said = hex(randomblob(2)) WHERE code = {code}",
    f"UPDATE note SET code = hex(randomblob(3)) WHERE code = {code}",
    f"DELETE FROM note WHERE code = {code} AND (SELECT count(*) FROM note) > 200",
    "INSERT INTO note VALUES (hex(randomblob(3)), 'new')",
]
while True:
    for act in dice.choices(acts, k=dice.randint(1, 5)):
        database.execute(act)
    if dice.random() < 0.2:
        # There and back: only what was read in between can tell.
        (key,) = database.execute("SELECT id FROM sale ORDER BY random() LIMIT 1").fetchone()
        database.execute("UPDATE sale SET price = -price WHERE id = ?", (key,))
        time.sleep(dice.random() * 0.1)
        database.execute("UPDATE sale SET price = -price WHERE id = ?", (key,))
    time.sleep(0.01)
"""

_LAST_WRITE = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=30) as database:
    database.execute("UPDATE note SET said = said")
"""


class Vandal:
    """An application, in a process of its own, whose writes few marks show."""

    def __init__(self, source: Path, seed: int) -> None:
        self.source = source
        self._process = subprocess.Popen([sys.executable, "-c", _VANDAL, source, str(seed)])

    def stop(self) -> None:
        assert self._process.poll() is None
        self._process.kill()
        self._process.wait()
        # Killed between a commit in the WAL and in its index, it leaves one that nobody sees until the WAL is read
        # anew, when all have closed it (https://sqlite.org/walformat.html#recovery). The next commit overwrites it.
        subprocess.run([sys.executable, "-c", _LAST_WRITE, self.source], check=True)


@pytest.fixture
def dice() -> random.Random:
    seed = random.randrange(2**32)
    print(f"seed: {seed}")
    return random.Random(seed)


@pytest.fixture
def source(make_source: MakeSource) -> Path:
    return make_source(_TABLES)


@pytest.fixture
def vandal(source: Path, dice: random.Random) -> Iterator[Vandal]:
    vandal = Vandal(source, dice.randrange(1000))
    yield vandal
    if vandal._process.poll() is None:
        vandal.stop()


@pytest.fixture
def config(source: Path, database: str, tmp_path: Path) -> Path:
    path = tmp_path / "syncd.ini"
    path.write_text(
        f"[source]\npath = {source}\n[target]\ndsn = {database}\n"
        f"[sync]\ninterval = 50ms\nsweep = 20ms\nstate_dir = {tmp_path / 'state'}\nmax_reject_ratio = 1\n"
    )
    return path


def snapshots(config: Path) -> list[Path]:
    return list((config.parent / "state").rglob("*.snapshot"))


def sweeps(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        return int(connection.execute("SELECT count(*) FROM syncd.event WHERE event = 'swept'").fetchall()[0][0])


@pytest.mark.parametrize("step", ["at random", "while it looks", "once it committed"])
def test_a_sweep_that_is_killed_loses_nothing(
    step: str,
    vandal: Vandal,
    config: Path,
    database: str,
    dice: random.Random,
    run_syncd: RunSyncd,
    start_syncd: StartSyncd,
) -> None:
    assert run_syncd("load", "-c", config).returncode == 0
    for _ in range(KILLS):
        daemon = start_syncd("run", "-c", config)
        done = sweeps(database)
        wait_until(lambda done=done: sweeps(database) > done, "a first sweep")  # type: ignore[misc]
        wait_for(step, daemon, config, database, dice)
        daemon.kill9()
    vandal.stop()
    for _ in range(2):
        # What a row's reject waited for may come with the first sweep.
        ended = run_syncd("sweep", "-c", config)
        assert ended.returncode == 0, ended.stderr
    assert_every_row_is_equal(vandal.source, database)
    assert len(snapshots(config)) == 1


def wait_for(step: str, daemon: Syncd, config: Path, database: str, dice: random.Random) -> None:
    """Wait for the moment of the daemon's death."""
    match step:
        case "while it looks":
            wait_until(lambda: len(snapshots(config)) > 1, "two snapshots")
            time.sleep(dice.uniform(0, 0.1))
        case "once it committed":
            done = sweeps(database)
            wait_until(lambda: sweeps(database) > done, "another sweep")
        case _:
            time.sleep(dice.uniform(0, 1))
    assert daemon.returncode is None, daemon.stderr


def test_a_daemon_sweeps_by_itself(
    vandal: Vandal, config: Path, database: str, run_syncd: RunSyncd, start_syncd: StartSyncd, source: Path
) -> None:
    daemon = start_syncd("run", "-c", config)
    daemon.wait_for("event=swept")
    time.sleep(2)
    vandal.stop()
    # A pass that is under way may bring a row that is gone by now; when the daemon lends its lock, it is over.
    assert run_syncd("sync", "-c", config).returncode == 0
    # A sweep that ends now may have begun before the last write: what counts is that one comes which sees it.
    wait_until(lambda: not differences(source, database), "a sweep of what is left")
    assert daemon.terminate() == 0
    assert_every_row_is_equal(source, database)
