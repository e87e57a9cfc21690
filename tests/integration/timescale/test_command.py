"""The command line: what it shows, what it exits with, and the daemon that shapes by itself and goes on."""

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.plugins.cli import RunSyncd, StartSyncd
from tests.plugins.shaping import BARS, SHAPED
from tests.plugins.source import MakeSource

pytestmark = pytest.mark.usefixtures("timescale")


@pytest.fixture
def both(make_source: MakeSource, database: str, tmp_path: Path) -> list[str]:
    (tmp_path / "shape.ini").write_text(SHAPED)
    return ["-c", "shape.ini", "--source", str(make_source(BARS)), "--target", database]


def test_nothing_loaded_exits_4(both: list[str], run_syncd: RunSyncd) -> None:
    done = run_syncd("timescale", *both)

    assert done.returncode == 4
    assert "nothing is loaded yet" in done.stderr


def test_the_dry_run_shows_the_sql_and_the_run_tells_what_was_done(both: list[str], run_syncd: RunSyncd) -> None:
    run_syncd("load", *both)

    planned = run_syncd("timescale", "--dry-run", *both)
    done = run_syncd("timescale", *both)
    again = run_syncd("timescale", "--json", *both)
    status = run_syncd("status", *both)

    assert (planned.returncode, done.returncode, again.returncode) == (0, 0, 0)
    assert "CREATE MATERIALIZED VIEW" in planned.stdout
    assert "retention bar waits: rows older than 100 years are dropped" in planned.stdout
    assert "refresh      bar_yearly" in done.stdout
    document = json.loads(again.stdout)
    assert document["steps"] == []
    (table,) = document["shape"]["hypertables"]
    assert table["chunks"] == table["compressed_chunks"] >= 4
    assert [policy["kind"] for policy in document["shape"]["policies"]] == ["compression", "refresh", "refresh"]
    assert "hypertable" in status.stdout
    assert "compression  bar" in status.stdout


def test_the_plan_is_a_script_that_makes_the_hypertable(both: list[str], database: str, run_syncd: RunSyncd) -> None:
    script = run_syncd("plan", "--sql", *both)

    assert script.returncode == 0, script.stderr
    assert script.stdout.index("CREATE TABLE") < script.stdout.index("create_hypertable") < script.stdout.index("KEY (")
    with closing(psycopg.connect(database, autocommit=True)) as connection:
        connection.execute(script.stdout.encode())
        found = connection.execute("SELECT hypertable_name FROM timescaledb_information.hypertables").fetchall()
    assert found == [("bar",)]


def test_queries_are_timed_before_and_after(both: list[str], run_syncd: RunSyncd, tmp_path: Path) -> None:
    run_syncd("load", *both)
    (tmp_path / "shape.ini").write_text(SHAPED + "[benchmark:all]\nquery = SELECT count(*) FROM bar\n")
    own = run_syncd("timescale", "--benchmark", "--json", *both)
    (tmp_path / "shape.ini").write_text(SHAPED)
    usual = run_syncd("timescale", "--benchmark", *both)

    (timing,) = json.loads(own.stdout)["benchmark"]
    assert (timing["name"], timing["before"] > 0, timing["after"] > 0) == ("all", True, True)
    for name in ("bar: one ticker over a year", "bar: every ticker on one day", "bar: by month"):
        assert name in usual.stdout


def test_numbers_that_are_times_are_not_timed_unasked(both: list[str], run_syncd: RunSyncd, tmp_path: Path) -> None:
    with closing(sqlite3.connect(both[3])) as application, application:
        application.execute("CREATE TABLE tick (id INTEGER PRIMARY KEY, at INTEGER NOT NULL)")
        application.execute("INSERT INTO tick VALUES (1, 1672531200000)")
    (tmp_path / "shape.ini").write_text("[hypertable:tick]\ntime_column = at\n")
    run_syncd("load", *both)

    done = run_syncd("timescale", "--benchmark", *both)

    assert (done.returncode, "no query was timed" in done.stderr) == (0, True)


def test_a_setting_that_cannot_be_had_exits_1(both: list[str], run_syncd: RunSyncd, tmp_path: Path) -> None:
    run_syncd("load", *both)
    (tmp_path / "shape.ini").write_text(SHAPED.replace("max(close)", "max(closing)", 1))

    done = run_syncd("timescale", *both)

    assert done.returncode == 1
    assert "Correct [aggregate:bar_monthly] query" in done.stdout


def test_the_daemon_goes_on_without_an_aggregate_that_cannot_be_had(
    both: list[str], start_syncd: StartSyncd, run_syncd: RunSyncd, tmp_path: Path
) -> None:
    query = "SELECT time_bucket('1 month', date) AS month, sum(1 / (volume - 50)) FROM bar GROUP BY 1"
    settings = SHAPED.partition("[aggregate")[0]
    (tmp_path / "shape.ini").write_text(f"{settings}[aggregate:inverse]\nquery = {query}\n")
    daemon = start_syncd("run", *both)
    daemon.wait_for("aggregate:inverse: division by zero", 60)
    with closing(sqlite3.connect(both[3], timeout=30)) as application, application:
        application.execute("UPDATE bar SET volume = volume + 1")

    assert run_syncd("verify", "--mode", "full", *both).returncode == 0
    assert daemon.terminate() == 0


def test_the_daemon_shapes_by_itself_lends_its_lock_and_keeps_compressed_chunks_current(
    both: list[str], start_syncd: StartSyncd, run_syncd: RunSyncd, database: str
) -> None:
    daemon = start_syncd("run", *both)
    daemon.wait_for("bar_yearly: policy", 60)
    source = both[3]
    with closing(sqlite3.connect(source, timeout=30)) as application:
        for day in range(1, 20):
            with application:
                application.execute("UPDATE bar SET volume = volume + 1 WHERE date = ?", [f"2023-05-{day:02}"])
                application.execute("DELETE FROM bar WHERE ticker = 'T1' AND date = ?", [f"2023-06-{day:02}"])
                application.execute("INSERT INTO bar VALUES ('T9', ?, 1, 1)", [f"2023-07-{day:02}"])
            time.sleep(0.05)

    beside = run_syncd("timescale", *both)
    verified = run_syncd("verify", "--mode", "full", *both)

    assert beside.returncode == 0
    assert "nothing to do" in beside.stderr
    assert verified.returncode == 0, verified.stdout
    assert daemon.terminate() == 0
    with closing(psycopg.connect(database, autocommit=True)) as connection:
        connection.execute("CALL refresh_continuous_aggregate('bar_monthly', NULL, NULL)")
        monthly = "SELECT ticker, date_trunc('month', date)::date, max(close), sum(volume) FROM bar GROUP BY 1, 2"
        aggregated = connection.execute("SELECT * FROM bar_monthly").fetchall()
        assert sorted(aggregated) == sorted(connection.execute(monthly.encode()).fetchall())
