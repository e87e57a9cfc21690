"""A sweep after deletes and updates that no mark shows, one that finds nothing, and one without a base.

python -m tests.benchmarks.sweep [--rows 1000000] [--changes 100000]
"""

import argparse
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import psycopg

from syncd.collecting import collect_seldom
from syncd.config import load as load_config
from syncd.engine.catchup import Catchup
from syncd.engine.load import load
from syncd.engine.progress import Silent
from syncd.engine.sides import Ownership, opened
from syncd.engine.sweep import SweepReport, sweep
from syncd.target.database import Target
from tests.benchmarks.measuring import database, running_server, show_figure

_WRITER = "import sqlite3, sys; live = sqlite3.connect(sys.argv[1]); live.executescript(sys.argv[2]); live.close()"
_MAKE = """
CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price NUMERIC(12,4), volume INTEGER, at DATE);
WITH RECURSIVE s(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM s WHERE x < {rows})
INSERT INTO t SELECT x, 'name ' || x, x / 100.0, x * 7, date(1700000000 + x * 60, 'unixepoch') FROM s;
"""
_AGAIN = """
INSERT INTO t SELECT id + (SELECT max(id) FROM t), name, price, volume, at FROM t LIMIT {}
"""


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--changes", type=int, default=100_000)
    chosen = options.parse_args()
    step = chosen.rows // chosen.changes
    # As every command does.
    collect_seldom()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, running_server() as server, database(server) as dsn:
        source = Path(folder, "source.db")
        with closing(sqlite3.connect(source)) as made:
            made.execute("PRAGMA journal_mode = WAL")
            made.executescript(_MAKE.format(rows=chosen.rows))
        settings = {("source", "path"): str(source), ("sync", "state_dir"): str(Path(folder, "state"))}
        with opened(load_config(None, settings), Target(dsn), Ownership.TAKE) as sides:
            load(sides, Silent())
            with closing(Catchup(sides)) as catchup:

                def changed(script: str) -> tuple[float, SweepReport]:
                    subprocess.run([sys.executable, "-c", _WRITER, str(source), script], check=True)
                    began = time.perf_counter()
                    report = sweep(sides, catchup)
                    return time.perf_counter() - began, report

                seconds, _ = changed("SELECT 1")
                show_figure(f"sweep of {chosen.rows} rows, none changed", seconds, "s", 2)
                seconds, report = changed(f"DELETE FROM t WHERE id % {step} = 1")
                assert report.applied.deleted == chosen.changes, report
                show_figure("rows deleted per ms", chosen.changes / seconds / 1000, "", 50)
                print(f"  {seconds:.2f} s")
                seconds, report = changed(f"UPDATE t SET volume = volume + 1 WHERE id % {step} = 2")
                assert report.applied.updated == chosen.changes, report
                show_figure("rows updated per ms", chosen.changes / seconds / 1000, "", 50)
                print(f"  {seconds:.2f} s")
                subprocess.run([sys.executable, "-c", _WRITER, str(source), _AGAIN.format(chosen.changes)], check=True)
                catchup.run()
                # As autovacuum does within a minute.
                with closing(psycopg.connect(dsn, autocommit=True)) as connection:
                    connection.execute("ANALYZE syncd.touched")
                seconds, report = changed(f"UPDATE t SET volume = volume + 1 WHERE id > {chosen.rows}")
                assert report.applied.updated == chosen.changes, report
                show_figure("rows updated per ms that passes touched before", chosen.changes / seconds / 1000, "", 50)
                print(f"  {seconds:.2f} s")
                seconds, report = changed("UPDATE t SET volume = volume + 1 WHERE id = 3; DELETE FROM t WHERE id = 4")
                assert (report.applied.updated, report.applied.deleted) == (1, 1), report
                show_figure("sweep of one update and one delete", seconds, "s", 2)
            with closing(psycopg.connect(dsn)) as connection, connection:
                connection.execute("UPDATE syncd.checkpoint SET base_snapshot = NULL")
            with closing(Catchup(sides)) as catchup:
                seconds, report = changed("UPDATE t SET volume = volume + 1 WHERE id = 3; DELETE FROM t WHERE id = 5")
                assert (report.applied.updated, report.applied.deleted) == (1, 1), report
                show_figure("sweep without a base", seconds, "s", 12)


if __name__ == "__main__":
    main()
