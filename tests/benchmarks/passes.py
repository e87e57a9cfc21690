"""A pass that finds one changed row, and one that finds none, in tables of 10,000 and of 1,000,000 rows.

python -m tests.benchmarks.passes [--passes 200]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from syncd.config import load as load_config
from syncd.engine.catchup import Catchup
from syncd.engine.load import load
from syncd.engine.progress import Silent
from syncd.engine.sides import Ownership, Sides, opened
from syncd.target.database import Target
from tests.benchmarks.measuring import database, running_server, show_figure

_WRITER = """
import sqlite3, sys
live = sqlite3.connect(sys.argv[1], isolation_level=None)
live.executescript(
    "PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, name TEXT NOT NULL,"
    " price NUMERIC(12,4), updated_at DATETIME NOT NULL); CREATE INDEX IF NOT EXISTS t_updated_at ON t (updated_at)"
)
live.execute("BEGIN")
row = "('name ' || value, value / 100.0, strftime('%Y-%m-%d %H:%M:%S', 1700000000 + value, 'unixepoch'))"
series = "WITH RECURSIVE s(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM s WHERE value < ?)"
live.execute(f"{series} INSERT INTO t (name, price, updated_at) SELECT {row[1:-1]} FROM s", (int(sys.argv[2]),))
live.execute("COMMIT")
print("ready", flush=True)
moment = 1900000000
for line in sys.stdin:
    moment += 1
    when = "strftime('%Y-%m-%d %H:%M:%S', ?, 'unixepoch')"
    price = "(CAST(price * 100 AS INTEGER) + 1) / 100.0"
    live.execute(f"UPDATE t SET price = {price}, updated_at = {when} WHERE id = ?", (moment, int(line)))
    print("done", flush=True)
"""


def measure(sides: Sides, writer: "subprocess.Popen[str]", passes: int, rows: int) -> tuple[list[float], list[float]]:
    """Seconds of each pass that found one row, and of each that found none."""
    load(sides, Silent())
    catchup = Catchup(sides)
    one, none = [], []
    try:
        for _ in range(10):
            catchup.run()
        for number in range(passes):
            _change(writer, 1 + number * 7919 % rows)
            began = time.perf_counter()
            assert catchup.run().applied.updated == 1
            one.append(time.perf_counter() - began)
            began = time.perf_counter()
            assert catchup.run().applied.written == 0
            none.append(time.perf_counter() - began)
    finally:
        catchup.close()
    return one, none


def _change(writer: "subprocess.Popen[str]", row: int) -> None:
    assert writer.stdin is not None
    assert writer.stdout is not None
    writer.stdin.write(f"{row}\n")
    writer.stdin.flush()
    assert writer.stdout.readline() == "done\n"


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--passes", type=int, default=200)
    passes = options.parse_args().passes
    medians = {}
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, running_server() as server:
        for rows in (10_000, 1_000_000):
            source = Path(folder, f"{rows}.db")
            command = [sys.executable, "-c", _WRITER, str(source), str(rows)]
            writer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ)
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            settings = {("source", "path"): str(source), ("sync", "state_dir"): str(Path(folder, "state"))}
            with database(server) as dsn, opened(load_config(None, settings), Target(dsn), Ownership.TAKE) as sides:
                one, none = measure(sides, writer, passes, rows)
            writer.communicate()
            medians[rows] = statistics.median(one)
            show_figure(f"pass with one changed row of {rows}, median", statistics.median(one) * 1000, "ms", 10)
            show_figure(f"pass with no changed row of {rows}, median", statistics.median(none) * 1000, "ms", 10)
    print(f"one row of 1,000,000 / one row of 10,000: ratio {medians[1_000_000] / medians[10_000]:.2f}")


if __name__ == "__main__":
    main()
