"""The market: its rows, and what a trader does to them."""

import json
import math
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from syncd.market import SCHEMA, Commit, MarketSize, Trader, TradeStatistics, create

EMPTY = ("technical_analysis", "trades", "portfolio", "market_sentiment")
FILLED = tuple(MarketSize.__dataclass_fields__)
ROWS = 2_000


@pytest.fixture
def market(tmp_path: Path) -> Path:
    path = tmp_path / "market.db"
    create(path, rows=ROWS)
    return path


@pytest.fixture
def reader(market: Path) -> Iterator[apsw.Connection]:
    connection = apsw.Connection(str(market), flags=apsw.SQLITE_OPEN_READONLY)
    yield connection
    connection.close()


def contents(connection: apsw.Connection) -> dict[str, list[tuple[object, ...]]]:
    tables = [str(name) for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return {table: list(connection.execute(f"SELECT rowid, * FROM {table} ORDER BY rowid")) for table in tables}


def commit(trader: Trader, count: int) -> TradeStatistics:
    stop, done = threading.Event(), []

    def count_down(each: Commit) -> None:
        done.append(each)
        if len(done) == count:
            stop.set()

    return trader.trade(math.inf, math.inf, stop, count_down)


def test_the_full_size_is_the_measured_one() -> None:
    assert MarketSize.of(966_301) == MarketSize(18_661, 926_325, 20_034, 1_029, 3, 238, 6, 5)
    assert MarketSize.of(966_301).rows == 966_301


def test_the_schema_has_twelve_tables() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(SCHEMA)
    names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    assert sorted(str(name) for (name,) in names) == sorted(FILLED + EMPTY)
    connection.close()


@pytest.mark.parametrize("rows", [0, 100, 1_000, 30_000])
def test_every_table_has_the_rows_that_create_says(tmp_path: Path, rows: int) -> None:
    size = create(tmp_path / "market.db", rows=rows)
    connection = apsw.Connection(str(tmp_path / "market.db"))
    counts = {table: connection.execute(f"SELECT count(*) FROM {table}").get for table in FILLED + EMPTY}
    connection.close()
    assert size.rows == max(rows, 68)
    assert counts == {table: getattr(size, table, 0) for table in FILLED + EMPTY}
    assert all(counts[table] >= 3 for table in FILLED)


def test_every_row_has_its_parent_and_the_file_is_sound(reader: apsw.Connection) -> None:
    assert reader.execute("PRAGMA foreign_key_check").fetchall() == []
    assert reader.execute("PRAGMA integrity_check").get == "ok"
    assert reader.execute("PRAGMA journal_mode").get == "wal"


def test_bars_are_possible(reader: apsw.Connection) -> None:
    impossible = "NOT (0 < low AND low <= min(open, close) AND max(open, close) <= high AND volume > 0)"
    assert reader.execute(f"SELECT count(*) FROM ohlcv_data WHERE {impossible}").get == 0
    assert reader.execute("SELECT max(date) FROM ohlcv_data").get == "2025-10-31"


def test_averages_are_those_of_the_closes(reader: apsw.Connection) -> None:
    worst, known, unknown = reader.execute(
        "SELECT max(abs(ma5 / mean - 1)), sum(ma5 IS NOT NULL), sum(ma5 IS NULL AND earlier >= 5) FROM ("
        " SELECT region, ma5, avg(close) OVER last_five AS mean, count(*) OVER last_five AS earlier FROM ohlcv_data"
        " WINDOW last_five AS (PARTITION BY ticker, region ORDER BY date ROWS 4 PRECEDING)) WHERE region = 'US'"
    ).get
    assert worst < 0.001
    assert known > 0
    assert unknown == 0


def test_one_seed_makes_the_same_rows_and_another_makes_others(tmp_path: Path) -> None:
    rows = []
    for number, seed in enumerate((7, 7, 8)):
        create(tmp_path / f"{number}.db", rows=ROWS, seed=seed)
        connection = apsw.Connection(str(tmp_path / f"{number}.db"))
        rows.append(contents(connection))
        connection.close()
    assert rows[0] == rows[1]
    assert rows[0] != rows[2]


def test_create_leaves_a_file_alone_that_is_there(market: Path) -> None:
    with pytest.raises(FileExistsError):
        create(market)
    assert market.stat().st_size > 0


@pytest.mark.parametrize("kind", ["inserts", "updates", "silent_updates"])
def test_each_kind_alone_changes_what_it_says(market: Path, reader: apsw.Connection, kind: str) -> None:
    before = contents(reader)
    only = {name: name == kind for name in ("inserts", "updates", "silent_updates")}
    with Trader(market, **only) as trader:
        done = commit(trader, 100)
    after = contents(reader)
    tables = [table for table in before if table != "sqlite_sequence"]
    added = sum(len(after[table]) - len(before[table]) for table in tables)
    known = [row for table in tables for row in before[table]]
    still = {row for table in tables for row in after[table]}
    assert added == done.inserted
    assert (done.inserted > 0) == (kind == "inserts")
    assert (done.updated > 0) == (kind != "inserts")
    assert done.commits == 100
    assert (set(known) <= still) == (kind == "inserts")
    assert reader.execute("PRAGMA foreign_key_check").fetchall() == []


def test_updates_show_in_a_timestamp_and_silent_updates_do_not(market: Path, reader: apsw.Connection) -> None:
    stamps = "SELECT (SELECT max(updated_at) FROM ohlcv_data), (SELECT max(last_updated) FROM tickers)"
    before = reader.execute(stamps).get
    with Trader(market, inserts=False, updates=False, silent_updates=True) as trader:
        commit(trader, 100)
    assert reader.execute(stamps).get == before
    with Trader(market, inserts=False) as trader:
        commit(trader, 100)
    assert all(new > old for new, old in zip(reader.execute(stamps).get, before, strict=True))


def test_deletes_cancel_trades(market: Path, reader: apsw.Connection) -> None:
    with Trader(market, updates=False, deletes=True) as trader:
        done = commit(trader, 300)
    counts = "SELECT (SELECT max(id) FROM ohlcv_data), (SELECT seq FROM sqlite_sequence WHERE name = 'trades'),"
    bars, orders, trades, positions = reader.execute(
        counts + " (SELECT count(*) FROM trades), (SELECT count(*) FROM portfolio)"
    ).get
    assert done.deleted == orders - trades > 0
    assert done.inserted == bars - MarketSize.of(ROWS).ohlcv_data + orders + positions


def test_every_commit_is_told_and_counted(market: Path) -> None:
    told: list[Commit] = []
    with Trader(market) as trader:
        done = trader.trade(0.3, math.inf, on_commit=told.append)
    seconds = sorted(commit.seconds for commit in told)
    assert done.commits == len(told) > 10
    assert done.inserted == sum(commit.inserted for commit in told)
    assert done.updated == sum(commit.updated for commit in told)
    assert seconds[0] <= done.p50 <= done.p99 <= done.max == seconds[-1]


def test_the_rate_is_kept(market: Path) -> None:
    with Trader(market) as trader:
        assert 0 < trader.trade(0.5, 40).commits <= 20


def test_a_stopped_trader_returns_at_once(market: Path) -> None:
    stop = threading.Event()
    with Trader(market) as trader:
        done = trader.trade(math.inf, 1_000, stop, lambda _: stop.set())
    assert done.commits == 1


def test_a_locked_file_is_counted_and_changes_nothing(market: Path) -> None:
    holder = apsw.Connection(str(market))
    holder.execute("BEGIN IMMEDIATE")
    with Trader(market, busy_timeout=0.01) as trader:
        locked = trader.trade(0.2, 50)
        holder.execute("ROLLBACK")
        freed = trader.trade(0.2, 50)
    holder.close()
    assert locked.commits == 0
    assert freed.busy == locked.busy > 0
    assert freed.commits > 0


def test_a_trader_needs_a_file_and_something_to_do(market: Path, tmp_path: Path) -> None:
    with pytest.raises(apsw.CantOpenError):
        Trader(tmp_path / "missing.db")
    with pytest.raises(ValueError, match="nothing to do"):
        Trader(market, inserts=False, updates=False)


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "syncd.market", *map(str, arguments)]


def test_the_command_makes_and_trades(tmp_path: Path) -> None:
    path = tmp_path / "market.db"
    made = subprocess.run(command("create", path, "--rows", "500"), capture_output=True, text=True, check=True)
    assert made.stdout == f"{path}: 500 rows\n"
    again = subprocess.run(command("create", path), capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "FileExistsError" in again.stderr
    trade = command("trade", path, "--seconds", "0.3", "--rate", "100", "--deletes", "--silent-updates")
    traded = subprocess.run(trade, capture_output=True, text=True, check=True)
    assert "rows inserted" in traded.stdout


def test_sigterm_ends_trading_with_the_statistics(market: Path, reader: apsw.Connection) -> None:
    trading = subprocess.Popen(command("trade", market, "--rate", "200", "--json"), stdout=subprocess.PIPE, text=True)
    assert trading.stdout
    events = [json.loads(trading.stdout.readline()), json.loads(trading.stdout.readline())]
    trading.send_signal(signal.SIGTERM)
    rest, _ = trading.communicate(timeout=20)
    events += map(json.loads, rest.splitlines())
    assert trading.returncode == 0
    assert [event["event"] for event in events][:2] == ["start", "progress"]
    assert events[-1]["event"] == "end"
    trades, bars, positions = reader.execute(
        "SELECT (SELECT count(*) FROM trades), (SELECT count(*) FROM ohlcv_data), (SELECT count(*) FROM portfolio)"
    ).get
    assert events[-1]["inserted"] == trades + positions + bars - MarketSize.of(ROWS).ohlcv_data
