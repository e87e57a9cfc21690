"""The night of the cutover with real processes: a market that trades, a daemon, an operator, and bad luck."""

import os
import shlex
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.plugins.cli import RunSyncd, StartSyncd, Syncd
from tests.plugins.patience import wait_until
from tests.plugins.postgres import OwnServer
from tests.plugins.scene import MakeScene, Scene
from tests.plugins.source import OpenWriter

STEPS = ["ready", "drain", "fence", "final drain", "sweep", "verify", "sequences", "finish"]


def add(scene: Scene, **settings: str) -> None:
    """Add settings of [cutover] and [hooks] to the configuration."""
    hooks = {name: text for name, text in settings.items() if name.startswith("on_") or name == "timeout"}
    others = {name: text for name, text in settings.items() if name not in hooks}
    for section, keys in (("cutover", others), ("hooks", hooks)):
        lines = "".join(f"{name} = {text}\n" for name, text in keys.items())
        scene.config.write_text(f"{scene.config.read_text()}[{section}]\n{lines}")


@pytest.fixture
def scene(database: str, make_scene: MakeScene, run_syncd: RunSyncd) -> Scene:
    made = make_scene(database, rows=2000, interval="200ms")
    assert run_syncd("load", "-c", made.config).returncode == 0
    return made


def change(scene: Scene, script: str) -> None:
    """Change the target behind syncd's back."""
    with closing(psycopg.connect(scene.dsn, autocommit=True)) as connection:
        connection.execute(script.encode())


def state(scene: Scene) -> str:
    return str(scene.ask("SELECT state FROM syncd.cutover")[0][0])


def forms(scene: Scene) -> list[tuple[bool, ...]]:
    """Whether constraints of the tables can be deferred: false after promotion."""
    return scene.ask(
        "SELECT DISTINCT condeferrable FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
        " AND contype IN ('f', 'u', 'x') AND conname !~ 'tickers|etf_details_'"
    )


def assert_as_before(scene: Scene, run_syncd: RunSyncd, open_writer: OpenWriter) -> None:
    """Nothing of a cutover is left: writers write, syncd syncs, and no constraint has its final form."""
    writer = open_writer(scene.source)
    writer.execute("INSERT INTO exchange_rate_history (currency, rate, rate_date) VALUES ('CHF', 1, '2031-01-01')")
    writer.close()
    assert run_syncd("sweep", "-c", scene.config).returncode == 0
    assert scene.ask("SELECT count(*) FROM exchange_rate_history WHERE currency = 'CHF'") == [(1,)]
    assert (True,) in forms(scene)
    scene.assert_equal()


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


@pytest.fixture
def held_at(scene: Scene) -> Iterator[None]:
    """Let a cutover wait in the target before a step begins; `syncd_test.step` names it."""
    with closing(psycopg.connect(scene.dsn, autocommit=True)) as connection:
        connection.execute(
            "CREATE SCHEMA syncd_test; CREATE TABLE syncd_test.hold (step text);"
            "CREATE FUNCTION syncd_test.wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " WHILE EXISTS (SELECT FROM syncd_test.hold h WHERE h.step = to_jsonb(NEW) ->> TG_ARGV[0]) LOOP"
            " PERFORM pg_sleep(0.3); END LOOP; RETURN NEW; END $$;"
            "CREATE TRIGGER hold BEFORE INSERT ON syncd.cutover_step FOR EACH ROW"
            " EXECUTE FUNCTION syncd_test.wait('step');"
            "CREATE TRIGGER hold BEFORE UPDATE ON syncd.cutover FOR EACH ROW"
            " WHEN (NEW.state = 'promoted' AND OLD.state <> 'promoted') EXECUTE FUNCTION syncd_test.wait('state')"
        )
    yield


def hold(scene: Scene, step: str) -> None:
    with closing(psycopg.connect(scene.dsn, autocommit=True)) as connection:
        connection.execute("DELETE FROM syncd_test.hold")
        if step:
            connection.execute("INSERT INTO syncd_test.hold VALUES (%s)", [step])


def is_sleeping(scene: Scene) -> bool:
    return bool(scene.ask("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"))


def killed_at(scene: Scene, step: str, start_syncd: StartSyncd) -> None:
    hold(scene, step)
    cutover = start_syncd("cutover", "--yes", "-c", scene.config)
    wait_until(lambda: is_sleeping(scene), f"at {step}")
    cutover.kill9()
    hold(scene, "")
    wait_until(lambda: not is_sleeping(scene), "the backend ended")


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
    assert "1 differences" in cutover.stderr
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


@pytest.mark.usefixtures("held_at")
def test_a_second_operator_is_kept_out_and_may_abort(
    scene: Scene, start_syncd: StartSyncd, run_syncd: RunSyncd, open_writer: OpenWriter
) -> None:
    add(scene, on_fence="sleep 20")
    cutover = start_syncd("cutover", "--yes", "-c", scene.config)
    wait_until(lambda: scene.ask("SELECT 1 FROM syncd.cutover WHERE state = 'fence'") != [], "fenced")
    began = time.monotonic()
    assert run_syncd("cutover", "--yes", "-c", scene.config).returncode == 5
    assert run_syncd("cutover", "--check", "-c", scene.config).returncode == 5
    assert time.monotonic() - began < 15

    assert run_syncd("cutover", "--abort", "-c", scene.config).returncode == 0

    assert cutover.wait(30) == 1
    assert "asked to abort" in cutover.stderr
    assert_as_before(scene, run_syncd, open_writer)


def test_sigterm_aborts(scene: Scene, start_syncd: StartSyncd, run_syncd: RunSyncd, open_writer: OpenWriter) -> None:
    add(scene, on_fence="sleep 2")
    cutover = start_syncd("cutover", "--yes", "-c", scene.config)
    wait_until(lambda: scene.ask("SELECT 1 FROM syncd.cutover WHERE state = 'fence'") != [], "fenced")

    assert cutover.terminate() == 143

    assert state(scene) == "aborted"
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
    own_server: OwnServer, make_scene: MakeScene, run_syncd: RunSyncd, start_syncd: StartSyncd, open_writer: OpenWriter
) -> None:
    scene = make_scene(own_server.dsn(), rows=60_000)
    assert run_syncd("load", "-c", scene.config).returncode == 0
    cutover: Syncd = start_syncd("cutover", "--yes", "-c", scene.config)
    wait_until(lambda: scene.ask("SELECT 1 FROM syncd.cutover WHERE state = 'verify'") != [], "at verify", 60)
    own_server.stop("immediate")

    assert cutover.wait(60) == 75
    with closing(sqlite3.connect(scene.source)) as database, database:
        database.execute("UPDATE exchange_rate_history SET rate = 9")
    own_server.start()
    assert run_syncd("cutover", "--yes", "-c", scene.config).returncode == 0
    scene.assert_equal()


def test_readonly_takes_the_rights_and_gives_them_back(scene: Scene, run_syncd: RunSyncd) -> None:
    add(scene, seal="readonly")
    mode = scene.source.stat().st_mode

    assert run_syncd("cutover", "--yes", "-c", scene.config).returncode == 0
    assert scene.source.stat().st_mode & 0o222 == 0

    assert run_syncd("cutover", "--release", "-c", scene.config).returncode == 0
    assert scene.source.stat().st_mode == mode


def test_a_rehearsal_leaves_no_trace(scene: Scene, run_syncd: RunSyncd, open_writer: OpenWriter) -> None:
    schemas = scene.ask("SELECT nspname FROM pg_namespace ORDER BY 1")

    done = run_syncd("cutover", "--rehearse", "-c", scene.config)

    assert done.returncode == 0, done.stderr
    assert "predicted" in done.stdout
    assert scene.ask("SELECT nspname FROM pg_namespace ORDER BY 1") == schemas
    assert scene.ask("SELECT count(*) FROM syncd.source") == [(1,)]
    assert list(scene.state_dir.glob("rehearsal*")) == []
    assert_as_before(scene, run_syncd, open_writer)
