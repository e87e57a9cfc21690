"""The cutover where tables are hypertables: the final refresh, the policies, what only promotion may do."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.plugins.cli import RunSyncd, StartSyncd
from tests.plugins.shaping import BARS, SHAPED
from tests.plugins.source import MakeSource

pytestmark = pytest.mark.usefixtures("timescale")
RELATED = """
CREATE TABLE ticker (ticker TEXT PRIMARY KEY);
INSERT INTO ticker VALUES ('T1'), ('T2'), ('T3'), ('T4'), ('T5'), ('T6'), ('T7'), ('T8');
CREATE TABLE bar (id INTEGER PRIMARY KEY, ticker TEXT NOT NULL REFERENCES ticker, date DATE NOT NULL,
    close NUMERIC(15,4) NOT NULL, volume INTEGER NOT NULL, UNIQUE (ticker, date));
WITH RECURSIVE day(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM day WHERE n < 729)
INSERT INTO bar (ticker, date, close, volume)
SELECT 'T' || t.value, date('2023-01-01', '+' || n || ' days'), 100, n * 10 FROM day, json_each('[1,2,3,4,5,6,7,8]') t;
"""
FORMS = """
SELECT contype::text, condeferrable, convalidated FROM pg_constraint
 WHERE conrelid = 'bar'::regclass AND contype IN ('f', 'u') ORDER BY 1
"""
RAW = "SELECT ticker, date_trunc('month', date)::date, max(close), sum(volume) FROM bar GROUP BY 1, 2"


@pytest.fixture
def both(make_source: MakeSource, database: str, tmp_path: Path) -> list[str]:
    (tmp_path / "shape.ini").write_text(SHAPED)
    return ["-c", "shape.ini", "--source", str(make_source(BARS)), "--target", database]


def policies(run_syncd: RunSyncd, both: list[str]) -> list[str]:
    document = json.loads(run_syncd("status", "--json", *both).stdout)
    return sorted(policy["kind"] for policy in document["timescale"]["policies"])


def write(both: list[str], statement: str) -> None:
    with closing(sqlite3.connect(both[3], timeout=30)) as application, application:
        application.execute(statement)


def test_the_aggregates_hold_the_last_row_and_retention_begins(
    both: list[str], database: str, start_syncd: StartSyncd, run_syncd: RunSyncd
) -> None:
    daemon = start_syncd("run", *both)
    daemon.wait_for("bar_yearly: policy", 60)
    assert policies(run_syncd, both) == ["compression", "refresh", "refresh"]
    write(both, "UPDATE bar SET volume = volume + 1 WHERE date = '2023-05-01'")
    write(both, "DELETE FROM bar WHERE ticker = 'T1' AND date < '2023-03-01'")
    write(both, "UPDATE bar SET date = '2022-12-31' WHERE ticker = 'T2' AND date = '2024-02-29'")

    done = run_syncd("cutover", "--yes", *both)

    assert done.returncode == 0, done.stderr
    assert daemon.wait(20) == 0
    assert policies(run_syncd, both) == ["compression", "refresh", "refresh", "retention"]
    told = run_syncd("report", *both).stdout
    assert "hypertable" in told
    assert "retention" in told
    with closing(psycopg.connect(database, autocommit=True)) as connection:
        aggregated = connection.execute("SELECT * FROM bar_monthly").fetchall()
        assert sorted(aggregated) == sorted(connection.execute(RAW.encode()).fetchall())
        paused = connection.execute("SELECT count(*) FROM timescaledb_information.jobs WHERE NOT scheduled").fetchall()
    assert paused == [(0,)]


def test_the_rehearsal_shapes_its_copy_and_leaves_no_trace_of_it(
    both: list[str], database: str, run_syncd: RunSyncd
) -> None:
    assert run_syncd("load", *both).returncode == 0
    assert run_syncd("timescale", *both).returncode == 0

    done = run_syncd("cutover", "--rehearse", *both)

    assert done.returncode == 0, done.stderr
    assert policies(run_syncd, both) == ["compression", "refresh", "refresh"]
    with closing(psycopg.connect(database, autocommit=True)) as connection:
        left = "SELECT count(*) FROM timescaledb_information.hypertables WHERE hypertable_schema LIKE 'syncd%'"
        assert connection.execute(left).fetchall() == [(0,)]


def test_an_abort_leaves_retention_waiting(both: list[str], database: str, run_syncd: RunSyncd) -> None:
    assert run_syncd("load", *both).returncode == 0
    assert run_syncd("timescale", *both).returncode == 0
    with closing(psycopg.connect(database, autocommit=True)) as connection:
        connection.execute("UPDATE bar SET close = 1 WHERE ticker = 'T3' AND date = '2023-05-01'")

    assert run_syncd("cutover", "--yes", *both).returncode == 3

    assert "retention" not in policies(run_syncd, both)
    assert run_syncd("verify", "--repair", *both).returncode == 0
    assert run_syncd("cutover", "--yes", *both).returncode == 0
    assert "retention" in policies(run_syncd, both)


def test_constraints_of_a_compressed_hypertable_get_their_final_form(
    make_source: MakeSource, database: str, tmp_path: Path, run_syncd: RunSyncd
) -> None:
    (tmp_path / "shape.ini").write_text(SHAPED)
    both = ["-c", "shape.ini", "--source", str(make_source(RELATED)), "--target", database]
    assert run_syncd("load", *both).returncode == 0
    assert run_syncd("timescale", *both).returncode == 0
    with closing(psycopg.connect(database, autocommit=True)) as connection:
        assert connection.execute(FORMS.encode()).fetchall() == [("f", True, True), ("u", True, True)]

        done = run_syncd("cutover", "--yes", *both)

        assert done.returncode == 0, done.stderr
        assert connection.execute(FORMS.encode()).fetchall() == [("f", False, True), ("u", False, True)]
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            connection.execute("INSERT INTO bar (ticker, date, close, volume) VALUES ('T9', '2023-05-05', 1, 1)")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO bar (ticker, date, close, volume) VALUES ('T1', '2023-05-05', 1, 1)")
