"""The difference of two private copies of 926,325 rows: nothing changed, 1,800 scattered changes, 100,000 changes.

python -m tests.benchmarks.difference [--rows 926325]
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

import apsw

from syncd.plan import TablePlan
from syncd.source import snapshot
from syncd.source.database import Database
from syncd.source.difference import differing
from tests.benchmarks import ohlcv
from tests.benchmarks.measuring import show_figure
from tests.plugins.planned import planned


@contextmanager
def timed(title: str, most: float) -> Iterator[None]:
    """Print the seconds of what is done within, beside what is asked for."""
    began = time.perf_counter()
    yield
    show_figure(title, time.perf_counter() - began, "s", most)


def copy(source: Path, folder: Path) -> str:
    """The name of a new snapshot, safe on the disk."""
    with closing(Database(source)) as database, database.transaction():
        name = snapshot.take(database, folder)
    snapshot.secure(folder, name)
    return name


def plan_of(source: Path) -> TablePlan:
    with closing(Database(source)) as database, database.transaction() as connection:
        return planned(connection, "ohlcv")


def compare(folder: Path, base: str, new: str, plan: TablePlan) -> int:
    """How many rows differ."""
    with closing(snapshot.opened(folder, base)) as older, closing(snapshot.opened(folder, new)) as newer:
        return sum(1 for _ in differing(older, newer, plan))


def change(source: Path, rows: int, changes: int) -> None:
    """Scattered changes: of twelve ten are updates, one is a delete, one an insert."""
    random = Random(changes)
    with closing(apsw.Connection(str(source))) as connection, connection:
        for number, rowid in enumerate(random.sample(range(1, rows + 1), changes)):
            if number % 12 == 0:
                connection.execute("DELETE FROM ohlcv WHERE rowid = ?", (rowid,))
            elif number % 12 == 1:
                connection.execute(
                    "INSERT INTO ohlcv SELECT ticker, region, date, ?, open, high, low, close, volume, updated_at"
                    " FROM ohlcv WHERE rowid = ?",
                    (f"new {number}", rowid),
                )
            else:
                connection.execute("UPDATE ohlcv SET close = close + 0.01 WHERE rowid = ?", (rowid,))


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--rows", type=int, default=926_325)
    rows = options.parse_args().rows
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder, source = Path(name), Path(name, "ohlcv.db")
        ohlcv.make(source, rows)
        plan = plan_of(source)
        with timed("private copy, brought to the disk", 1):
            base = copy(source, folder)
        same = copy(source, folder)
        with timed("nothing changed", 0.5):
            compare(folder, base, same, plan)
        change(source, rows, 1_800)
        few = copy(source, folder)
        with timed("1,800 scattered changes", 1):
            found = compare(folder, base, few, plan)
        print(f"{found} rows differ")
        change(source, rows, 100_000)
        many = copy(source, folder)
        with timed("100,000 scattered changes", rows / 200_000):
            found = compare(folder, few, many, plan)
        print(f"{found} rows differ")


if __name__ == "__main__":
    main()
