"""What the dashboard costs, and what hostile viewers cost the passes.

python -m tests.benchmarks.web [--seconds 20]
"""

import argparse
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psycopg

from syncd.engine.report import judged
from syncd.market import create
from syncd.service.metrics import Metrics
from tests.benchmarks.idle import cpu_seconds
from tests.benchmarks.measuring import database, percentile, running_server, show_figure, syncd
from tests.plugins.reports import FakeSampler, full_report

STREAM = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"
_MAKE = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('CREATE TABLE probe (id INTEGER PRIMARY KEY)')"
_WRITE = """
import sqlite3, sys
live = sqlite3.connect(sys.argv[1], isolation_level=None)
for line in sys.stdin:
    live.execute("INSERT INTO probe VALUES (?)", (int(line),))
    print(flush=True)
"""
_ATTACK = """
import contextlib, socket, sys, time
said = [b"GET /events HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n", b"GET / HTTP/1.1\\r\\nX: " + b"x" * 60000]
while True:
    open_now = []
    for number in range(200):
        with contextlib.suppress(OSError):
            one = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=1)
            open_now.append(one)
            one.sendall(said[number % 2])
    time.sleep(1)
"""


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        return int(free.getsockname()[1])


@contextmanager
def _viewers(port: int, count: int) -> Iterator[None]:
    """So many who look on, and read what they get."""
    ended = threading.Event()

    def look() -> None:
        with socket.create_connection(("127.0.0.1", port)) as viewer:
            viewer.settimeout(0.5)
            viewer.sendall(STREAM)
            while not ended.is_set():
                with suppress(TimeoutError):
                    viewer.recv(1 << 20)

    threads = [threading.Thread(target=look) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


@contextmanager
def _hostile(port: int) -> Iterator[None]:
    """Two hundred connections that say too much or read nothing, made anew again and again, by another process."""
    attacker = subprocess.Popen([sys.executable, "-c", _ATTACK, str(port)])
    try:
        yield
    finally:
        attacker.kill()
        attacker.wait()


def _latencies(source: Path, dsn: str, seconds: float, first: int) -> list[float]:
    """From a commit in SQLite until its row shows in PostgreSQL, one row after the other."""
    command = [sys.executable, "-c", _WRITE, str(source)]
    writer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert writer.stdin is not None
    assert writer.stdout is not None
    found, number, deadline = [], first, time.monotonic() + seconds
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        while time.monotonic() < deadline:
            number += 1
            writer.stdin.write(f"{number}\n")
            writer.stdin.flush()
            writer.stdout.readline()
            began = time.perf_counter()
            while connection.execute("SELECT max(id) FROM probe").fetchall()[0][0] != number:
                time.sleep(0.001)
            found.append(time.perf_counter() - began)
            time.sleep(0.02)
    writer.stdin.close()
    writer.wait()
    return found


def _scrape() -> float:
    """Seconds of a scrape with 300 tables, the median of 20."""
    report = full_report()
    tables = tuple(replace(report.tables[0], name=f"table_{n}") for n in range(300))
    metrics = Metrics(FakeSampler(judged(replace(report, tables=tables))))
    taken = []
    for _ in range(20):
        began = time.perf_counter()
        metrics.page()
        taken.append(time.perf_counter() - began)
    return percentile(taken, 0.5)


def _used(process: int, seconds: float) -> float:
    """Per cent of a core over so many seconds."""
    before = cpu_seconds(process)
    time.sleep(seconds)
    return 100 * (cpu_seconds(process) - before) / seconds


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=20)
    seconds = options.parse_args().seconds
    show_figure("a scrape of 300 tables", _scrape() * 1000, "ms", 20)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, running_server() as server, database(server) as dsn:
        source, port = Path(folder, "market.db"), _free_port()
        create(source, rows=20_000)
        subprocess.run([sys.executable, "-c", _MAKE, str(source)], check=True)
        settings = f"[web]\nlisten = 127.0.0.1:{port}\n"
        command = syncd("run", source=source, dsn=dsn, state_dir=Path(folder, "state"), settings=settings)
        daemon = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            time.sleep(12)
            idle = _used(daemon.pid, seconds)
            show_figure("an idle daemon with a dashboard that nobody looks at", idle, "% of a core", 1)
            for count, most in ((1, 2), (20, 5)):
                with _viewers(port, count):
                    time.sleep(2)
                    show_figure(f"{count} viewers", _used(daemon.pid, seconds) - idle, "% of a core more", most)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                answer.read()
            calm = _latencies(source, dsn, seconds, 0)
            with _hostile(port):
                time.sleep(2)
                attacked = _latencies(source, dsn, seconds, 1_000_000)
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(30)
    for share in (0.5, 0.95):
        before, during = (percentile(taken, share) * 1000 for taken in (calm, attacked))
        print(f"latency of a row, {share:.0%}: {before:.1f} ms, with hostile viewers {during:.1f} ms", flush=True)


if __name__ == "__main__":
    main()
