"""The plan of a schema of 300 tables: twelve columns each, indexes, foreign keys, a thousand rows.

python -m tests.benchmarks.plan [--rounds 3] [--tables 300] [--rows 1000]
"""

import argparse
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

import apsw

from syncd.config import load
from syncd.engine.preview import preview_of_source
from syncd.source.database import Database
from tests.benchmarks.measuring import run, show_figure, syncd

_TABLE = """\
CREATE TABLE t{n} (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES t{parent} (id), name TEXT NOT NULL,
    code VARCHAR(20) UNIQUE, price NUMERIC(12,2) DEFAULT 0, amount REAL, active BOOLEAN DEFAULT 1, due DATE,
    created_at DATETIME NOT NULL DEFAULT '2024-01-01 00:00:00', updated_at TIMESTAMP NOT NULL, document JSON, free,
    CHECK (price >= 0));
CREATE INDEX t{n}_name ON t{n} (name, due DESC);
CREATE INDEX t{n}_active ON t{n} (updated_at) WHERE active = 1;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
INSERT INTO t{n} SELECT i, i, 'name ' || i, 'c' || i, i * 0.25, i / 3.0, i % 2, '2024-02-29',
    '2024-02-29 12:00:00', '2024-02-29 12:00:00', '{{"i": 1}}', i FROM n;
"""


def _make(path: Path, tables: int, rows: int) -> None:
    with closing(apsw.Connection(str(path))) as connection:
        script = "".join(_TABLE.format(n=n, parent=max(1, n - 1), rows=rows) for n in range(1, tables + 1))
        connection.execute(f"BEGIN; {script} COMMIT").fetchall()


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--tables", type=int, default=300)
    options.add_argument("--rows", type=int, default=1000)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder, "wide.db")
        _make(path, chosen.tables, chosen.rows)
        config = load(None, {("source", "path"): str(path)})
        planned, commands = [], []
        for _ in range(chosen.rounds):
            with closing(Database(path)) as source:
                began = time.perf_counter()
                assert len(preview_of_source(config, source).plan.tables) == chosen.tables
                planned.append(time.perf_counter() - began)
            command = syncd("plan", "--sql", source=path, dsn="embedded", state_dir=Path(folder, "state"))
            commands.append(run(command).seconds)
    show_figure(f"plan of {chosen.tables} tables, median", statistics.median(planned), "s", 2)
    show_figure("syncd plan --sql, median", statistics.median(commands), "s", 3)


if __name__ == "__main__":
    main()
