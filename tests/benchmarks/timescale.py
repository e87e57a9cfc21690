"""What a hypertable costs a load, what compression saves, and what changes in compressed chunks take.

python -m tests.benchmarks.timescale [--pairs 3] [--rows 926325]

SYNCD_TEST_PG_BIN names the programs of a server that offers TimescaleDB.
"""

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg

from syncd.config import load
from syncd.engine.progress import Silent
from syncd.engine.sides import Ownership, Sides, opened
from syncd.engine.timescale import shape
from syncd.engine.timescale.shaped import read_shape
from syncd.target.database import Target, connect
from syncd.target.deleting import delete
from syncd.target.stage import Stage
from tests.benchmarks import ohlcv
from tests.benchmarks.measuring import database, run, running_server, show, show_figure, syncd

SETTINGS = "[hypertable:ohlcv]\ntime_column = date\ncompress_after = 1 day\n"
CHUNKED = "[hypertable:ohlcv]\ntime_column = date\n"
UPSERTS, DELETES = 10_000, 1_000
"""Rows of the same tickers over the whole year: 40 tickers are corrected, 4 are taken out of the list."""


@contextmanager
def sides(source: Path, dsn: str, state: Path, settings: str) -> Iterator[Sides]:
    file = state / "shape.ini"
    file.write_text(f"[sync]\nstate_dir = {state}\n{settings}")
    config = load(file, {("source", "path"): str(source)})
    with opened(config, Target(dsn), Ownership.TAKE) as both:
        yield both


def loads(server_dsn: str, source: Path, state: Path, settings: str) -> float:
    return run(syncd("load", source=source, dsn=server_dsn, state_dir=state, settings=settings)).seconds


def keys(source: Path, rows: int) -> list[tuple[str, str, str, str]]:
    with closing(sqlite3.connect(source)) as file:
        query = "SELECT ticker, region, date, timeframe FROM ohlcv ORDER BY ticker, date LIMIT ?"
        return file.execute(query, [rows]).fetchall()


def changes(both: Sides, source: Path) -> tuple[float, float]:
    """Seconds of the upserts, and of the deletes, as a pass applies them; both are taken back."""
    there = both.look_at_target()
    with both.source.transaction() as connection:
        (plan,) = both.plan(connection, there).tables
    names = [column.name for column in plan.columns]
    with closing(sqlite3.connect(source)) as file:
        query = f"SELECT {', '.join(names)} FROM ohlcv ORDER BY ticker, date LIMIT {UPSERTS}"
        rows = file.execute(query).fetchall()
    volume = names.index("volume")
    lines = (
        ",".join(repr(v + 1) if n == volume else f"'{v}'" for n, v in enumerate(row)) + f",'{number}','{number}'"
        for number, row in enumerate(rows)
    )
    payload = "\n".join(lines).encode()
    vanished = frozenset(",".join(f"'{part}'" for part in key) for key in keys(source, DELETES))
    with closing(connect(both.target)) as connection:
        stage = Stage(connection, both.schema)
        stage.prepare(plan)
        connection.execute("BEGIN")
        stage.begin()
        began = time.perf_counter()
        landed = stage.land_all(plan, payload)
        upserted = time.perf_counter() - began
        assert landed.applied.updated == UPSERTS, landed
        connection.execute("ROLLBACK")
        connection.execute("BEGIN")
        began = time.perf_counter()
        assert delete(connection, both.schema, plan, vanished, frozenset()).rows == DELETES
        deleted = time.perf_counter() - began
        connection.execute("ROLLBACK")
    return upserted, deleted


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--pairs", type=int, default=3)
    options.add_argument("--rows", type=int, default=926_325)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, running_server() as server:
        if not server.has_timescaledb:
            raise SystemExit(f"the server in {server.bin} does not offer TimescaleDB")
        source, state = Path(folder, "ohlcv.db"), Path(folder, "state")
        ohlcv.make(source, chosen.rows)
        plain, chunked = [], []
        for _ in range(chosen.pairs):
            with database(server) as dsn:
                plain.append(loads(dsn, source, state, ""))
            with database(server) as dsn:
                psycopg.connect(dsn, autocommit=True).execute("CREATE EXTENSION timescaledb")
                chunked.append(loads(dsn, source, state, CHUNKED))
        show(f"load of {chosen.rows} rows: hypertable / plain table", chunked, plain, 1.15)
        with database(server) as dsn:
            loads(dsn, source, state, CHUNKED)
            with sides(source, dsn, state, CHUNKED) as both:
                open_upsert, open_delete = changes(both, source)
            with sides(source, dsn, state, SETTINGS) as both:
                began = time.perf_counter()
                shape(both, Silent())
                show_figure("compressing all chunks", time.perf_counter() - began, "s", 60)
                (table,) = read_shape(both.control, both.schema).tables
                print(f"size before / after: {table.ratio or 0:.2f} (asked: at least 4)", flush=True)
                upserted, deleted = changes(both, source)
        show_figure(f"{UPSERTS} upserts into compressed chunks", upserted, f"s, {open_upsert:.2f} uncompressed", 1)
        show_figure(f"{DELETES} deletes from compressed chunks", deleted, f"s, {open_delete:.2f} uncompressed", 1)


if __name__ == "__main__":
    main()
