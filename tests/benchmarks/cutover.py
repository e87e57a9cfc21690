"""For how long a cutover stops writes, with its parts, and how near the prediction comes.

python -m tests.benchmarks.cutover [--runs 3] [--rows 966301] [--rate 50]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from syncd.market import create
from tests.benchmarks.measuring import OwnServer, database, run, running_server, show_figure, syncd

MOST = {"full": 15.0, "changed": 2.0}


def _night(server: OwnServer, source: Path, state: Path, mode: str, rate: float) -> dict[str, Any]:
    """One whole cutover beside a writer and a daemon; what `cutover --json` tells of it."""
    with database(server) as dsn:
        run(syncd("load", source=source, dsn=dsn, state_dir=state))
        trade = [sys.executable, "-m", "syncd.market", "trade", str(source), "--rate", str(rate), "--deletes"]
        trading = subprocess.Popen([*trade, "--silent-updates"], stdout=subprocess.DEVNULL)
        daemon = subprocess.Popen(
            syncd("run", "-q", source=source, dsn=dsn, state_dir=state), stderr=subprocess.DEVNULL
        )
        try:
            time.sleep(5)
            run(syncd("verify", source=source, dsn=dsn, state_dir=state))
            time.sleep(5)
            command = syncd("cutover", "--yes", "--verify", mode, "--json", source=source, dsn=dsn, state_dir=state)
            told: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            daemon.wait(60)
        finally:
            for process in (trading, daemon):
                process.kill()
                process.wait()
    return told


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--rows", type=int, default=966_301)
    options.add_argument("--rate", type=float, default=50)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, running_server() as server:
        for mode, most in MOST.items():
            stopped, off = [], []
            for number in range(chosen.runs):
                source = Path(folder, f"{mode}-{number}.db")
                create(source, rows=chosen.rows)
                told = _night(server, source, Path(folder, "state"), mode, chosen.rate)
                stopped.append(told["stopped_seconds"])
                off.append(abs(told["predicted_seconds"] / told["stopped_seconds"] - 1) * 100)
                predicted = {part["step"]: part["seconds"] for part in told["predicted"]}
                parts = ", ".join(
                    f"{step['step']} {step['seconds']:.2f} ({predicted.get(step['step'], 0):.2f})"
                    for step in told["steps"]
                )
                print(
                    f"{mode}: stopped {stopped[-1]:.2f} s, predicted {told['predicted_seconds']:.2f}: {parts}",
                    flush=True,
                )
            show_figure(f"writes stopped, verify {mode}, {chosen.rows} rows", statistics.median(stopped), "s", most)
            show_figure(f"prediction off by, verify {mode}", statistics.median(off), "%", 30)


if __name__ == "__main__":
    main()
