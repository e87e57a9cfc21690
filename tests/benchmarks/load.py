"""The load of 926,325 rows against psql's \\copy of the same rows from a ready file and building the key.

Twice: the whole command, which also starts, plans and takes its private copy of the source; and what stands against
\\copy and its key alone, the seconds that the command's own report gives for the table.

python -m tests.benchmarks.load [--pairs 5] [--rows 926325]
"""

import argparse
import json
import tempfile
from pathlib import Path

from tests.benchmarks import ohlcv
from tests.benchmarks.measuring import OwnServer, database, run, running_server, show, show_figure, syncd

_TABLE = """\
CREATE TABLE ohlcv (ticker text NOT NULL, region text NOT NULL, date date NOT NULL, timeframe text NOT NULL,
    open numeric(15,4) NOT NULL, high numeric(15,4) NOT NULL, low numeric(15,4) NOT NULL, close numeric(15,4) NOT NULL,
    volume bigint NOT NULL, updated_at timestamp NOT NULL)"""


def copy(server: OwnServer, dsn: str, file: Path) -> float:
    """Seconds of \\copy into a table without indexes, and of building its key then."""
    psql = [str(server.bin / "psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", dsn]
    run([*psql, "--command", _TABLE])
    key = "ALTER TABLE ohlcv ADD PRIMARY KEY (ticker, region, date, timeframe)"
    return run([*psql, "--command", f"\\copy ohlcv FROM '{file}' (FORMAT csv)", "--command", key]).seconds


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--pairs", type=int, default=5)
    options.add_argument("--rows", type=int, default=926_325)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, running_server() as server:
        source, file, state = Path(folder, "ohlcv.db"), Path(folder, "ohlcv.csv"), Path(folder, "state")
        ohlcv.make(source, chosen.rows)
        ohlcv.export(source, file)
        theirs, ours, tables, peaks = [], [], [], []
        for _ in range(chosen.pairs):
            with database(server) as dsn:
                theirs.append(copy(server, dsn, file))
            with database(server) as dsn:
                done = run(syncd("load", "--json", "-q", source=source, dsn=dsn, state_dir=state))
                ours.append(done.seconds)
                tables.append(json.loads(done.said)["tables"][0]["seconds"])
                peaks.append(done.peak / 1e6)
        show(f"load of {chosen.rows} rows, the whole command / psql \\copy and key", ours, theirs, 1.25)
        show("the table in it: rendered, copied, its key built / psql \\copy and key", tables, theirs, 1.25)
        show_figure("peak memory of the load", max(peaks), "MB", 150)


if __name__ == "__main__":
    main()
