"""The profile of 926,325 rows of ten columns: the complete scan, and a sample of 1,000 rows of a million.

python -m tests.benchmarks.profile [--rounds 3] [--rows 926325]
"""

import argparse
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

from syncd.plan.typing import Profiled
from syncd.quoting import identifier
from syncd.source import catalog
from syncd.source.database import Database
from syncd.source.profile import profile
from tests.benchmarks import ohlcv
from tests.benchmarks.measuring import show_figure


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--rows", type=int, default=926_325)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder, "ohlcv.db")
        ohlcv.make(path, chosen.rows)
        with closing(Database(path)) as source:
            table = catalog.read(source.connection).tables[0]
            columns = [Profiled(c.name, identifier(c.name), c.affinity, c.declared_type) for c in table.columns]
            whole, sample, processor = [], [], []
            for _ in range(chosen.rounds):
                began = time.perf_counter()
                profile(source.connection, table, columns, sample=1_000)
                sample.append(time.perf_counter() - began)
                began, used = time.perf_counter(), time.process_time()
                profile(source.connection, table, columns)
                whole.append(time.perf_counter() - began)
                processor.append(time.process_time() - used)
    show_figure("sample of 1,000 rows, median", 1000 * statistics.median(sample), "ms", 50)
    show_figure("complete scan, median", statistics.median(whole), "s", chosen.rows / 150_000)
    show_figure("complete scan, processor", statistics.median(processor), "s", chosen.rows / 150_000)


if __name__ == "__main__":
    main()
