"""A cutover that is ended, or that somebody wants otherwise: hooks, fences, deadlines, operators, rejects, seals."""

import shlex
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.plugins.cli import RunSyncd, StartSyncd, Syncd
from tests.plugins.cutting import add, assert_as_before, change, hold, is_sleeping, killed_at, prepare_hold, state
from tests.plugins.patience import wait_until
from tests.plugins.postgres import OwnServer
from tests.plugins.scene import MakeScene, Scene
from tests.plugins.source import OpenWriter


@pytest.fixture
def scene(database: str, make_scene: MakeScene, run_syncd: RunSyncd) -> Scene:
    made = make_scene(database, rows=2000, interval="200ms")
    assert run_syncd("load", "-c", made.config).returncode == 0
    return made


@pytest.mark.parametrize(("hook", "said"), [("false", "exit status 1"), ("sleep 60", "took too long")])
def test_a_hook_that_fails_or_hangs_aborts(
    hook: str, said: str, scene: Scene, run_syncd: RunSyncd, open_writer: OpenWriter, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    script = f"env | grep SYNCD_HOOK > {told}"
    add(scene, on_fence=hook, timeout="500ms", on_abort=shlex.join(["sh", "-c", script]))

    done = run_syncd("cutover", "--yes", "-c", scene.config)

    assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    assert f"SYNCD_HOOK_SOURCE={scene.source}" in told.read_text()
    assert_as_before(scene, run_syncd, open_writer)


def test_a_hook_that_is_no_program_is_seen_before(scene: Scene, run_syncd: RunSyncd) -> None:
    add(scene, on_fence="/no/such/program")

    assert run_syncd("cutover", "--check", "-c", scene.config).returncode == 4
    assert run_syncd("cutover", "--yes", "-c", scene.config).returncode == 4


def test_a_name_that_is_taken_is_seen_before(scene: Scene, run_syncd: RunSyncd) -> None:
    add(scene, seal="rename")
    taken = scene.source.with_name(f"{scene.source.name}.sealed-wal")
    taken.touch()

    refused = run_syncd("cutover", "--check", "-c", scene.config)
    assert (refused.returncode, str(taken) in refused.stdout) == (4, True), refused.stdout
    taken.unlink()
    assert run_syncd("cutover", "--check", "-c", scene.config).returncode == 0


def test_a_view_over_a_key_that_goes_is_seen_before(scene: Scene, run_syncd: RunSyncd, open_writer: OpenWriter) -> None:
    writer = open_writer(scene.source)
    writer.execute("CREATE TABLE log (line TEXT)")
    writer.close()
    assert run_syncd("load", "-c", scene.config).returncode == 0
    change(scene, "CREATE VIEW lines AS SELECT line FROM log; CREATE VIEW whole AS SELECT * FROM log")

    refused = run_syncd("cutover", "--check", "-c", scene.config)
    assert (refused.returncode, "whole uses the column _syncd_rowid" in refused.stdout) == (4, True), refused.stdout
    assert "lines uses" not in refused.stdout
    change(scene, "DROP VIEW whole")
    assert run_syncd("cutover", "--yes", "-c", scene.config).returncode == 0


def test_a_pause_is_in_the_way_as_status_says(
    scene: Scene, run_syncd: RunSyncd, start_syncd: StartSyncd, open_writer: OpenWriter
) -> None:
    def count() -> list[tuple[object, ...]]:
        return scene.ask("SELECT count(*) FROM exchange_rate_history WHERE currency = 'CHF'")

    daemon = start_syncd("run", "-c", scene.config)
    daemon.wait_for("event=started")
    assert run_syncd("pause", "exchange_rate_history", "-c", scene.config).returncode == 0
    told = "No table stands still: paused: exchange_rate_history"
    wait_until(lambda: told in run_syncd("status", "--json", "-c", scene.config).stdout, "status tells of the pause")
    writer = open_writer(scene.source)
    writer.execute("INSERT INTO exchange_rate_history (currency, rate, rate_date) VALUES ('CHF', 1, '2031-01-01')")
    writer.close()

    refused = run_syncd("cutover", "--check", "-c", scene.config)

    assert (refused.returncode, refused.stdout.splitlines()[-1]) == (4, "NO-GO")
    assert "exchange_rate_history: paused by" in refused.stdout
    assert run_syncd("cutover", "--yes", "-c", scene.config).returncode == 4
    assert count() == [(0,)]
    assert run_syncd("resume", "exchange_rate_history", "-c", scene.config).returncode == 0
    assert run_syncd("cutover", "--yes", "-c", scene.config).returncode == 0
    assert count() == [(1,)]


def test_what_follows_the_promotion_is_done_again(scene: Scene, run_syncd: RunSyncd, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    add(scene, on_promote=f"test -e {flag}", seal="rename")

    first = run_syncd("cutover", "--yes", "-c", scene.config)
    assert (first.returncode, state(scene)) == (1, "promoted"), first.stderr
    flag.touch()
    assert run_syncd("cutover", "--yes", "-c", scene.config).returncode == 0
    assert run_syncd("cutover", "--abort", "-c", scene.config).returncode == 4


def test_an_application_that_a_hook_stops(scene: Scene, run_syncd: RunSyncd) -> None:
    trading = scene.trade(rate=50)
    add(scene, fence="command", on_fence=f"kill {trading.pid}")

    done = run_syncd("cutover", "--yes", "-c", scene.config)

    assert done.returncode == 0, done.stderr
    scene.assert_equal()


@pytest.mark.parametrize("settings", [{"fence": "command", "on_fence": "true"}, {"fence": "none"}])
def test_an_application_that_was_not_stopped_is_seen(
    settings: dict[str, str], scene: Scene, run_syncd: RunSyncd, open_writer: OpenWriter
) -> None:
    trading = scene.trade(rate=50)
    add(scene, **settings)

    done = run_syncd("cutover", "--yes", "-c", scene.config)

    assert (done.returncode, "still writes" in done.stderr) == (4, True), done.stderr
    trading.stop()
    assert_as_before(scene, run_syncd, open_writer)


@pytest.mark.usefixtures("held_at")
def test_the_deadline_lets_writers_in_again(
    scene: Scene, start_syncd: StartSyncd, run_syncd: RunSyncd, open_writer: OpenWriter
) -> None:
    add(scene, deadline="2s")
    hold(scene, "verify")
    cutover = start_syncd("cutover", "--yes", "-c", scene.config)
    wait_until(lambda: is_sleeping(scene), "at verify")
    writer = open_writer(scene.source, busy_seconds=20)
    writer.execute("UPDATE exchange_rate_history SET rate = 3")
    writer.close()
    assert cutover.returncode is None
    hold(scene, "")
    assert cutover.wait(30) != 0
    assert_as_before(scene, run_syncd, open_writer)


def test_a_reader_of_the_target_does_not_hold_up_the_way_back(
    scene: Scene, start_syncd: StartSyncd, run_syncd: RunSyncd, open_writer: OpenWriter
) -> None:
    with closing(psycopg.connect(scene.dsn)) as reader:
        reader.execute("SELECT FROM ohlcv_data")
        cutover = start_syncd("cutover", "--yes", "-c", scene.config)
        cutover.wait_for(f"process {reader.info.backend_pid} of")

        assert cutover.terminate(10) == 143

        assert_as_before(scene, run_syncd, open_writer)


@pytest.mark.usefixtures("held_at")
def test_what_the_target_is_at_does_not_hold_up_the_way_back(
    scene: Scene, start_syncd: StartSyncd, run_syncd: RunSyncd, open_writer: OpenWriter
) -> None:
    add(scene, deadline="4s")
    hold(scene, "promoted")
    cutover = start_syncd("cutover", "--yes", "-c", scene.config)

    assert cutover.wait(30) == 1

    assert "as long as [cutover] deadline allows" in cutover.stderr
    assert_as_before(scene, run_syncd, open_writer)


@pytest.mark.usefixtures("held_at")
def test_a_second_operator_is_kept_out_and_may_abort(
    scene: Scene, start_syncd: StartSyncd, run_syncd: RunSyncd, open_writer: OpenWriter
) -> None:
    add(scene, on_fence="sleep 55")
    cutover = start_syncd("cutover", "--yes", "-c", scene.config)
    fenced = "SELECT 1 FROM syncd.event WHERE event = 'fenced'"
    wait_until(lambda: scene.ask(fenced) != [], "fenced, though the hook has not ended")
    assert run_syncd("cutover", "--yes", "-c", scene.config).returncode == 5
    assert run_syncd("cutover", "--check", "-c", scene.config).returncode == 5

    assert run_syncd("cutover", "--abort", "-c", scene.config).returncode == 0

    assert cutover.wait(30) == 1
    assert "asked to abort" in cutover.stderr
    assert_as_before(scene, run_syncd, open_writer)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_aborts(
    number: signal.Signals, scene: Scene, start_syncd: StartSyncd, run_syncd: RunSyncd, open_writer: OpenWriter
) -> None:
    add(scene, on_fence="sleep 2")
    cutover = start_syncd("cutover", "--yes", "-c", scene.config)
    wait_until(lambda: scene.ask("SELECT 1 FROM syncd.cutover WHERE state = 'fence'") != [], "fenced")

    cutover.signal(number)

    assert cutover.wait(30) == 128 + number
    assert state(scene) == "aborted"
    assert_as_before(scene, run_syncd, open_writer)


_ON_A_TERMINAL = (sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])")


def test_a_terminal_that_is_lost_aborts(
    scene: Scene, start_syncd: StartSyncd, run_syncd: RunSyncd, open_writer: OpenWriter, tmp_path: Path
) -> None:
    goes_on = tmp_path / "goes on"
    add(scene, on_fence="sleep 55", on_abort=shlex.join(["touch", str(goes_on)]))
    terminal = start_syncd("cutover", "--yes", "-c", scene.config, prefix=_ON_A_TERMINAL)
    wait_until(lambda: scene.ask("SELECT 1 FROM syncd.cutover WHERE state = 'fence'") != [], "fenced")

    terminal.kill9()

    wait_until(lambda: state(scene) == "aborted", "aborted")
    assert goes_on.exists()
    wait_until(lambda: "interrupted" in run_syncd("report", "-c", scene.config).stdout, "the report is kept")
    assert_as_before(scene, run_syncd, open_writer)


def test_it_cannot_be_suspended(
    scene: Scene, start_syncd: StartSyncd, run_syncd: RunSyncd, open_writer: OpenWriter
) -> None:
    add(scene, deadline="3s", on_fence="sleep 55")
    cutover = start_syncd("cutover", "--yes", "-c", scene.config)
    wait_until(lambda: scene.ask("SELECT 1 FROM syncd.cutover WHERE state = 'fence'") != [], "fenced")

    cutover.signal(signal.SIGTSTP)

    assert cutover.wait(30) == 1, cutover.stderr
    assert_as_before(scene, run_syncd, open_writer)


def test_rejects_have_to_be_accepted_by_name(scene: Scene, run_syncd: RunSyncd, open_writer: OpenWriter) -> None:
    writer = open_writer(scene.source)
    writer.execute("INSERT INTO exchange_rate_history (currency, rate, rate_date) VALUES ('BAD', x'00', '2031-01-01')")
    writer.close()
    scene.config.write_text(scene.config.read_text() + "max_reject_ratio = 1\n")

    refused = run_syncd("cutover", "--yes", "-c", scene.config)
    assert (refused.returncode, "exchange_rate_history=1" in refused.stderr) == (4, True), refused.stderr
    accepted = run_syncd("cutover", "--yes", "--accept-rejects", "exchange_rate_history=1", "-c", scene.config)
    assert accepted.returncode == 0, accepted.stderr


def test_postgresql_gone_during_verify(
    own_server: OwnServer, make_scene: MakeScene, run_syncd: RunSyncd, start_syncd: StartSyncd, tmp_path: Path
) -> None:
    scene = make_scene(own_server.dsn())
    goes_on = tmp_path / "goes on"
    add(scene, on_abort=shlex.join(["touch", str(goes_on)]))
    assert run_syncd("load", "-c", scene.config).returncode == 0
    prepare_hold(scene)
    hold(scene, "verify")
    cutover: Syncd = start_syncd("cutover", "--yes", "-c", scene.config)
    wait_until(lambda: is_sleeping(scene), "at verify", 60)
    with closing(psycopg.connect(scene.dsn)) as other:
        other.execute("LOCK TABLE exchange_rate_history")
        hold(scene, "")
        waiting = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'exchange_rate_history'::regclass"
        wait_until(lambda: scene.ask(waiting) != [], "a comparison waits")
        # The session of the steps is idle, and learns from nobody that it is gone.
        own_server.stop("immediate")

    assert cutover.wait(60) == 75
    assert goes_on.exists()
    with closing(sqlite3.connect(scene.source)) as database, database:
        database.execute("UPDATE exchange_rate_history SET rate = 9")
    own_server.start()
    assert run_syncd("cutover", "--yes", "-c", scene.config).returncode == 0
    scene.assert_equal()


@pytest.mark.usefixtures("held_at")
def test_an_application_that_a_killed_cutover_stopped_is_started_by_whoever_aborts(
    scene: Scene, run_syncd: RunSyncd, start_syncd: StartSyncd, tmp_path: Path
) -> None:
    said, may_start = tmp_path / "said", tmp_path / "may start"
    start = f"echo start >> '{said}'; test -e '{may_start}'"
    add(scene, fence="command", on_fence=shlex.join(["touch", str(said)]), on_abort=shlex.join(["sh", "-c", start]))
    killed_at(scene, "final drain", start_syncd)

    refused = run_syncd("cutover", "--yes", "--accept-rejects", "nosuch=1", "-c", scene.config)
    assert (refused.returncode, "--abort runs it again" in refused.stderr) == (4, True), refused.stderr
    assert said.read_text() == "start\n"
    may_start.touch()
    for _ in range(2):
        assert run_syncd("cutover", "--abort", "-c", scene.config).returncode == 0
        assert said.read_text() == "start\nstart\n"


def test_readonly_takes_the_rights_and_gives_them_back(scene: Scene, run_syncd: RunSyncd) -> None:
    add(scene, seal="readonly")
    mode = scene.source.stat().st_mode

    assert run_syncd("cutover", "--yes", "-c", scene.config).returncode == 0
    assert scene.source.stat().st_mode & 0o222 == 0

    assert run_syncd("cutover", "--release", "-c", scene.config).returncode == 0
    assert scene.source.stat().st_mode == mode


def test_a_rehearsal_leaves_no_trace(
    scene: Scene, run_syncd: RunSyncd, start_syncd: StartSyncd, open_writer: OpenWriter
) -> None:
    schemas = scene.ask("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1")
    killed = start_syncd("cutover", "--rehearse", "-c", scene.config)
    wait_until(lambda: scene.ask("SELECT count(*) FROM syncd.source") == [(2,)], "at work")
    killed.kill9()
    assert list(scene.state_dir.glob("rehearsal*")) != []

    done = run_syncd("cutover", "--rehearse", "-c", scene.config)

    assert done.returncode == 0, done.stderr
    assert "predicted" in done.stdout
    assert scene.ask("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1") == schemas
    assert scene.ask("SELECT count(*) FROM syncd.source") == [(1,)]
    assert list(scene.state_dir.glob("rehearsal*")) == []
    assert_as_before(scene, run_syncd, open_writer)
