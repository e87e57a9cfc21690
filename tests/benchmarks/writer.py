"""What a writer in WAL mode feels of a load, or of sweeps, beside it: SQLITE_BUSY never, and the p99 of its commits.

python -m tests.benchmarks.writer [--pairs 3] [--rows 966301] [--rate 100]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from syncd.market import create
from tests.benchmarks.measuring import OwnServer, database, run, running_server, show, syncd


def _trade(source: Path, seconds: float, rate: float) -> dict[str, float]:
    command = [
        sys.executable,
        "-m",
        "syncd.market",
        "trade",
        str(source),
        "--seconds",
        str(seconds),
        "--rate",
        str(rate),
    ]
    said = subprocess.run([*command, "--json"], check=True, capture_output=True, text=True).stdout
    ended: dict[str, float] = json.loads(said.splitlines()[-1])
    return ended


def _beside_load(server: OwnServer, source: Path, state: Path, seconds: float, rate: float) -> dict[str, float]:
    """Trade while loads of the whole source follow each other."""
    ended = threading.Event()

    def load_again_and_again() -> None:
        while not ended.is_set():
            with database(server) as dsn:
                run(syncd("load", source=source, dsn=dsn, state_dir=state))

    loads = threading.Thread(target=load_again_and_again)
    loads.start()
    try:
        return _trade(source, seconds, rate)
    finally:
        ended.set()
        loads.join()


def _beside_sweeps(server: OwnServer, source: Path, state: Path, seconds: float, rate: float) -> dict[str, float]:
    """Trade while a daemon sweeps again and again."""
    with database(server) as dsn:
        run(syncd("load", source=source, dsn=dsn, state_dir=state))
        daemon = subprocess.Popen(
            syncd("run", source=source, dsn=dsn, state_dir=state, settings="sweep = 10ms\n"), stderr=subprocess.DEVNULL
        )
        try:
            return _trade(source, seconds, rate)
        finally:
            daemon.terminate()
            daemon.wait()


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--pairs", type=int, default=3)
    options.add_argument("--rows", type=int, default=966_301)
    options.add_argument("--rate", type=float, default=100)
    options.add_argument("--seconds", type=float, default=15)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, running_server() as server:
        source = Path(folder, "market.db")
        create(source, rows=chosen.rows)
        for what, trade_beside in (("a load", _beside_load), ("sweeps", _beside_sweeps)):
            alone, beside, busy = [], [], 0.0
            for _ in range(chosen.pairs):
                alone.append(_trade(source, chosen.seconds, chosen.rate)["p99"] * 1000)
                ended = trade_beside(server, source, Path(folder, "state"), chosen.seconds, chosen.rate)
                beside.append(ended["p99"] * 1000)
                busy += ended["busy"]
            show(f"p99 of a commit beside {what} / alone, ms", beside, alone, 2)
            print(f"SQLITE_BUSY met beside {what}: {busy:.0f} (asked: 0)")


if __name__ == "__main__":
    main()
