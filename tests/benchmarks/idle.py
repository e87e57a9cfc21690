"""The processor time of an idle daemon: 12 tables, an interval of 5 s.

python -m tests.benchmarks.idle [--seconds 30]
"""

import argparse
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from syncd.market import create
from tests.benchmarks.measuring import database, running_server, show_figure, syncd


def cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=30)
    seconds = options.parse_args().seconds
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, running_server() as server, database(server) as dsn:
        source = Path(folder, "market.db")
        create(source, rows=20_000)
        daemon = subprocess.Popen(
            syncd("run", source=source, dsn=dsn, state_dir=Path(folder, "state")), stderr=subprocess.DEVNULL
        )
        try:
            time.sleep(8)
            before = cpu_seconds(daemon.pid)
            time.sleep(seconds)
            used = cpu_seconds(daemon.pid) - before
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(30)
    show_figure("an idle daemon, 12 tables, every 5 s", 100 * used / seconds, "% of a core", 1)


if __name__ == "__main__":
    main()
