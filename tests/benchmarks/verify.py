"""verify --mode full of 926,325 rows against the load of them.

python -m tests.benchmarks.verify [--pairs 3] [--rows 926325] [--paranoid]
"""

import argparse
import tempfile
from pathlib import Path

from tests.benchmarks import ohlcv
from tests.benchmarks.measuring import database, run, running_server, show, show_figure, syncd


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--pairs", type=int, default=3)
    options.add_argument("--rows", type=int, default=926_325)
    options.add_argument("--paranoid", action="store_true")
    chosen = options.parse_args()
    further = ["--paranoid"] if chosen.paranoid else []
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, running_server() as server:
        source, state = Path(folder, "ohlcv.db"), Path(folder, "state")
        ohlcv.make(source, chosen.rows)
        loads, ours, peaks = [], [], []
        for _ in range(chosen.pairs):
            with database(server) as dsn:
                loads.append(run(syncd("load", source=source, dsn=dsn, state_dir=state)).seconds)
                done = run(syncd("verify", *further, source=source, dsn=dsn, state_dir=state))
                ours.append(done.seconds)
                peaks.append(done.peak / 1e6)
        show(f"verify of {chosen.rows} rows / load", ours, loads, 2.2)
        show_figure("peak memory of verify", max(peaks), "MB", 200)


if __name__ == "__main__":
    main()
