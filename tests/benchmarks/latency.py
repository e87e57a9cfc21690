"""From a writer's COMMIT in SQLite to the row's COMMIT in PostgreSQL, with `watch`, at 200 commits a second.

python -m tests.benchmarks.latency [--seconds 30] [--rate 200]
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import psycopg

from tests.benchmarks.measuring import database, percentile, running_server, show_figure, syncd

_WRITER = """
import json, sqlite3, sys, time
live = sqlite3.connect(sys.argv[1], isolation_level=None)
rate, seconds, committed = float(sys.argv[2]), float(sys.argv[3]), []
began = time.time()
for number in range(int(rate * seconds)):
    time.sleep(max(0.0, began + number / rate - time.time()))
    live.execute("INSERT INTO tick (price, note) VALUES (?, 'a tick')", (number / 7,))
    committed.append(time.time())
print(json.dumps(committed))
"""
_TABLE = "CREATE TABLE tick (id INTEGER PRIMARY KEY, price REAL NOT NULL, note TEXT NOT NULL)"
_ARRIVED = "SELECT id, extract(epoch FROM pg_xact_commit_timestamp(xmin)) FROM tick ORDER BY id"
_MAKE = """
import sqlite3, sys
live = sqlite3.connect(sys.argv[1])
live.executescript("PRAGMA journal_mode = WAL; " + sys.argv[2])
"""


def _wait_for_rows(dsn: str, rows: int) -> list[tuple[int, float]]:
    deadline = time.monotonic() + 30
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        while True:
            arrived = connection.execute(_ARRIVED).fetchall()
            if len(arrived) == rows or time.monotonic() > deadline:
                return [(key, float(at)) for key, at in arrived]
            time.sleep(0.1)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=30)
    options.add_argument("--rate", type=float, default=200)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, running_server() as server:
        server.execute("ALTER SYSTEM SET track_commit_timestamp = on")
        server.restart()
        source = Path(folder, "app.db")
        subprocess.run([sys.executable, "-c", _MAKE, str(source), _TABLE], check=True)
        with database(server) as dsn:
            daemon = subprocess.Popen(
                syncd("run", source=source, dsn=dsn, state_dir=Path(folder, "state")), stderr=subprocess.DEVNULL
            )
            try:
                time.sleep(5)
                writer = [sys.executable, "-c", _WRITER, str(source), str(chosen.rate), str(chosen.seconds)]
                committed = json.loads(subprocess.run(writer, check=True, capture_output=True, text=True).stdout)
                arrived = _wait_for_rows(dsn, len(committed))
            finally:
                daemon.send_signal(signal.SIGTERM)
                daemon.wait(30)
    lags = [at - committed[key - 1] for key, at in arrived]
    print(f"{len(committed)} commits in SQLite, {len(arrived)} rows in PostgreSQL")
    show_figure("COMMIT to COMMIT, p50", percentile(lags, 0.50) * 1000, "ms", 20)
    show_figure("COMMIT to COMMIT, p95", percentile(lags, 0.95) * 1000, "ms", 50)
    show_figure("COMMIT to COMMIT, largest", max(lags) * 1000, "ms", float("inf"))


if __name__ == "__main__":
    main()
