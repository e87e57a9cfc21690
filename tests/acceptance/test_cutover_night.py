"""The night of the cutover with real processes: a market that trades, a daemon, an operator, and bad luck."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.plugins.cli import RunSyncd, StartSyncd
from tests.plugins.cutting import add, assert_as_before, change, forms, hold, is_sleeping, killed_at, state
from tests.plugins.patience import wait_until
from tests.plugins.scene import MakeScene, Scene
from tests.plugins.source import OpenWriter

STEPS = ["ready", "drain", "fence", "final drain", "sweep", "verify", "sequences", "finish"]


@pytest.fixture
def scene(database: str, make_scene: MakeScene, run_syncd: RunSyncd) -> Scene:
    made = make_scene(database, rows=2000, interval="200ms")
    assert run_syncd("load", "-c", made.config).returncode == 0
    return made


def test_the_night_goes_well(scene: Scene, run_syncd: RunSyncd, start_syncd: StartSyncd) -> None:
    add(scene, seal="rename")
    daemon = start_syncd("run", "-c", scene.config)
    trading = scene.trade("--deletes", "--silent-updates", rate=50)
    wait_until(lambda: scene.applied > 2100, "the daemon is at work")
    ready = run_syncd("cutover", "--check", "-c", scene.config)
    assert (ready.returncode, ready.stdout.splitlines()[-1]) == (0, "GO"), ready.stdout

    done = run_syncd("cutover", "--yes", "-c", scene.config)

    assert done.returncode == 0, done.stderr
    assert [line.split()[1] for line in done.stderr.splitlines() if " done " in line] != []
    assert daemon.wait(20) == 0
    assert "event=promoted" in daemon.stderr
    trading.stop()
    assert not scene.source.exists()
    refused = run_syncd("sync", "-c", scene.config)
    assert (refused.returncode, "took over" in refused.stderr) == (4, True)
    assert run_syncd("run", "-c", scene.config).returncode == 0
    assert scene.ask("SELECT count(*) FROM pg_constraint WHERE condeferrable") == [(0,)]
    largest = scene.ask("SELECT max(id) FROM exchange_rate_history")[0][0]
    new = scene.ask(
        "INSERT INTO exchange_rate_history (currency, rate, rate_date) VALUES ('YYY', 1, '2031-01-01') RETURNING id"
    )
    assert new == [(largest + 1,)]
    assert run_syncd("cutover", "--release", "-c", scene.config).returncode == 0
    assert scene.source.exists()


@pytest.mark.usefixtures("held_at")
def test_nothing_is_late_behind_the_fence(scene: Scene, start_syncd: StartSyncd) -> None:
    daemon = start_syncd("run", "-c", scene.config)
    trading = scene.trade(rate=50)
    wait_until(lambda: scene.applied > 2100, "the daemon is at work")
    hold(scene, "verify")
    cutover = start_syncd("cutover", "--yes", "-c", scene.config)
    wait_until(lambda: is_sleeping(scene), "at verify")

    told = "SELECT report ->> 'stage', (report ->> 'lag')::float8 FROM syncd.beat"
    wait_until(lambda: scene.ask(told) == [("fenced", 0.0)], "nothing waits")

    hold(scene, "")
    assert (cutover.wait(), daemon.wait()) == (0, 0), cutover.stderr
    trading.stop()


_ACKNOWLEDGING = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], timeout=0.01, isolation_level=None)
INSERT = "INSERT INTO exchange_rate_history (currency, rate, rate_date) VALUES ('ACK', ?, ?)"
day = 0
while True:
    try:
        date = f"{2100 + day // 336}-{day // 28 % 12 + 1:02}-{day % 28 + 1:02}"
        database.execute(INSERT, (day, date))
    except sqlite3.OperationalError:
        continue
    print(f"{time.time()} {day}", flush=True)
    day += 1
    time.sleep(0.002)
"""


def test_every_acknowledged_row_is_there_and_none_was_acknowledged_behind_the_fence(
    scene: Scene, run_syncd: RunSyncd, tmp_path: Path
) -> None:
    script, said = tmp_path / "writer.py", tmp_path / "writer.out"
    script.write_text(_ACKNOWLEDGING)
    with said.open("w") as out:
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, str(script), str(scene.source)],
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, out.fileno(), 1)],
        )
    try:
        wait_until(lambda: said.read_text().count("\n") > 20, "the writer writes")
        done = run_syncd("cutover", "--yes", "-c", scene.config)
        time.sleep(0.3)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert done.returncode == 0, done.stderr
    (fenced,) = scene.ask("SELECT extract(epoch FROM began)::float8 FROM syncd.cutover_step WHERE step = 'final drain'")
    (promoted,) = scene.ask("SELECT extract(epoch FROM ended)::float8 FROM syncd.cutover")
    acknowledged = [(float(at), int(day)) for at, day in (line.split() for line in said.read_text().splitlines()[:-1])]
    before = [day for at, day in acknowledged if at < fenced[0]]
    assert [day for at, day in acknowledged if fenced[0] < at < promoted[0]] == []
    assert [day for at, day in acknowledged if at > promoted[0]] != []
    held = [int(rate) for (rate,) in scene.ask("SELECT rate FROM exchange_rate_history WHERE currency = 'ACK'")]
    assert sorted(held) == before


@pytest.mark.usefixtures("held_at")
@pytest.mark.parametrize("step", [*STEPS[1:], "promoted"])
def test_killed_before_any_step_it_goes_on(
    step: str, scene: Scene, run_syncd: RunSyncd, start_syncd: StartSyncd, open_writer: OpenWriter
) -> None:
    killed_at(scene, step, start_syncd)
    assert_as_before(scene, run_syncd, open_writer)

    assert run_syncd("cutover", "--yes", "-c", scene.config).returncode == 0

    assert state(scene) == "promoted"
    assert (True,) not in forms(scene)


@pytest.mark.usefixtures("held_at")
@pytest.mark.parametrize("step", ["drain", "sequences", "promoted"])
def test_killed_before_any_step_it_can_be_aborted(
    step: str, scene: Scene, run_syncd: RunSyncd, start_syncd: StartSyncd, open_writer: OpenWriter
) -> None:
    killed_at(scene, step, start_syncd)

    assert run_syncd("cutover", "--abort", "-c", scene.config).returncode == 0

    assert state(scene) == "aborted"
    assert_as_before(scene, run_syncd, open_writer)


@pytest.mark.usefixtures("held_at")
def test_a_planted_difference_aborts_by_itself(
    scene: Scene, start_syncd: StartSyncd, run_syncd: RunSyncd, open_writer: OpenWriter
) -> None:
    trading = scene.trade("--busy-timeout", "30", rate=50)
    hold(scene, "verify")
    cutover = start_syncd("cutover", "--yes", "-c", scene.config)
    wait_until(lambda: is_sleeping(scene), "at verify")
    scene.ask(
        "UPDATE exchange_rate_history SET rate = 78 WHERE id = (SELECT min(id) FROM exchange_rate_history) RETURNING 1"
    )
    hold(scene, "")

    assert cutover.wait(30) == 3, cutover.stderr
    assert "1 difference at" in cutover.stderr
    assert state(scene) == "aborted"
    before = trading.stop()
    assert before["busy"] == 0
    assert run_syncd("verify", "--repair", "-c", scene.config).returncode == 0
    assert_as_before(scene, run_syncd, open_writer)


def test_a_difference_among_what_changed_is_found(scene: Scene, run_syncd: RunSyncd, open_writer: OpenWriter) -> None:
    assert run_syncd("verify", "-c", scene.config).returncode == 0
    writer = open_writer(scene.source)
    writer.execute("UPDATE exchange_rate_history SET rate = 77")
    assert run_syncd("sweep", "-c", scene.config).returncode == 0
    assert run_syncd("sweep", "-c", scene.config).returncode == 0
    scene.ask(
        "UPDATE exchange_rate_history SET rate = 78 WHERE id = (SELECT min(id) FROM exchange_rate_history) RETURNING 1"
    )

    done = run_syncd("cutover", "--yes", "--verify", "changed", "-c", scene.config)

    assert done.returncode == 3, done.stderr
    writer.close()
    assert run_syncd("verify", "--repair", "-c", scene.config).returncode == 0
    done = run_syncd("cutover", "--yes", "--verify", "changed", "-c", scene.config)
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("held_at")
@pytest.mark.parametrize(
    ("mode", "definition"),
    [
        ("changed", "CREATE TABLE late (id INTEGER PRIMARY KEY, said TEXT)"),
        ("full", "CREATE TABLE late (rowid TEXT, oid TEXT, _rowid_ TEXT)"),
    ],
)
def test_a_table_that_came_after_the_ready_check_is_not_left_behind(
    mode: str, definition: str, scene: Scene, start_syncd: StartSyncd, run_syncd: RunSyncd, open_writer: OpenWriter
) -> None:
    assert run_syncd("verify", "-c", scene.config).returncode == 0
    hold(scene, "fence")
    cutover = start_syncd("cutover", "--yes", "--verify", mode, "-c", scene.config)
    wait_until(lambda: is_sleeping(scene), "before the fence", 60)
    writer = open_writer(scene.source)
    writer.execute(definition)
    writer.execute(
        "INSERT INTO late VALUES (1, 'precious')" if mode == "changed" else "INSERT INTO late VALUES (1, 2, 3)"
    )
    hold(scene, "")

    assert cutover.wait(60) == 3, cutover.stderr
    assert "late: not compared" in cutover.stderr
    assert state(scene) == "aborted"
    if mode == "changed":
        assert run_syncd("load", "-c", scene.config).returncode == 0
        assert run_syncd("cutover", "--yes", "--verify", mode, "-c", scene.config).returncode == 0
        assert scene.ask("SELECT said FROM late") == [("precious",)]


def test_a_loaded_table_that_is_left_out_now_is_told(scene: Scene, run_syncd: RunSyncd) -> None:
    scene.config.write_text(scene.config.read_text() + "skip = exchange_rate_history\n")

    ready = run_syncd("cutover", "--check", "-c", scene.config)

    assert (ready.returncode, "note   exchange_rate_history: it was loaded" in ready.stdout) == (0, True)


@pytest.mark.parametrize(
    ("statement", "planted"),
    [
        (
            "DELETE FROM exchange_rate_history WHERE id = 1",
            "INSERT INTO exchange_rate_history SELECT * FROM aside.kept",
        ),
        ("UPDATE exchange_rate_history SET rate = 5", "DELETE FROM exchange_rate_history WHERE id = 2"),
    ],
)
def test_rows_too_many_and_too_few_among_what_changed_are_found(
    statement: str, planted: str, scene: Scene, run_syncd: RunSyncd, open_writer: OpenWriter
) -> None:
    change(scene, "CREATE SCHEMA aside; CREATE TABLE aside.kept AS SELECT * FROM exchange_rate_history WHERE id = 1")
    assert run_syncd("verify", "-c", scene.config).returncode == 0
    open_writer(scene.source).execute(statement)
    for _ in range(2):
        # What the last sweep read again, the next one reads again, and mends.
        assert run_syncd("sweep", "-c", scene.config).returncode == 0
    change(scene, planted)

    done = run_syncd("cutover", "--yes", "--verify", "changed", "-c", scene.config)

    assert (done.returncode, "at the frozen position" in done.stderr) == (3, True), done.stderr


def test_a_writer_that_holds_a_transaction_open_ends_it(
    scene: Scene, run_syncd: RunSyncd, open_writer: OpenWriter
) -> None:
    writer = open_writer(scene.source)
    writer.begin()
    writer.execute("UPDATE exchange_rate_history SET rate = 1")

    done = run_syncd("cutover", "--yes", "-c", scene.config)

    assert (done.returncode, "keeps a write transaction open" in done.stderr) == (75, True), done.stderr
    writer.commit()
    writer.close()
    assert_as_before(scene, run_syncd, open_writer)
