"""The load with an expression on two columns against the load without.

python -m tests.benchmarks.mapping [--pairs 3] [--rows 926325]
"""

import argparse
import tempfile
from pathlib import Path

from tests.benchmarks import ohlcv
from tests.benchmarks.measuring import database, run, running_server, show, syncd

_MAPPING = """\
[table:ohlcv]
column.region = coalesce(region, 'US')
column.volume = max(volume, 0)
type.region = text
type.volume = bigint
"""


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--pairs", type=int, default=3)
    options.add_argument("--rows", type=int, default=926_325)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, running_server() as server:
        source = Path(folder, "ohlcv.db")
        ohlcv.make(source, chosen.rows)
        plain: list[float] = []
        mapped: list[float] = []
        for _ in range(chosen.pairs):
            for settings, seconds in (("", plain), (_MAPPING, mapped)):
                with database(server) as dsn:
                    state = Path(folder, "state")
                    command = syncd("load", source=source, dsn=dsn, state_dir=state, settings=settings)
                    seconds.append(run(command).seconds)
        show(f"load of {chosen.rows} rows with two expressions / without", mapped, plain, 1.15)


if __name__ == "__main__":
    main()
