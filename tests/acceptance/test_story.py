"""A migration that went wrong table after table: its source, its target schema, and what one check makes of it.

A first tool met each of these faults only when it reached the table: rows without a region that name a ticker which
nobody lists, a key that the source has no column for, a region too long for its column, tables that do not exist.
"""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.plugins.cli import RunSyncd

TICKERS, STOCKS, STRAY_STOCKS = 18_661, 17_600, 2_434
ETFS, STRAY_ETFS = 893, 136
FUNDAMENTALS, STRAY_FUNDAMENTALS = 39, 199
BARS, OLD_BARS = 5_000, 700

SOURCE = """\
CREATE TABLE tickers (ticker TEXT NOT NULL, region TEXT NOT NULL, name TEXT, PRIMARY KEY (ticker, region));
CREATE TABLE stock_details (id INTEGER PRIMARY KEY, ticker TEXT NOT NULL, region TEXT, sector TEXT);
CREATE TABLE etf_details (ticker TEXT PRIMARY KEY, rank INTEGER, listed INTEGER);
CREATE TABLE ticker_fundamentals (id INTEGER PRIMARY KEY, ticker TEXT NOT NULL, date TEXT NOT NULL, per REAL);
CREATE TABLE global_market_indices (symbol TEXT PRIMARY KEY, region TEXT NOT NULL);
CREATE TABLE ohlcv_data (id INTEGER PRIMARY KEY, ticker TEXT NOT NULL, region TEXT, date TEXT NOT NULL,
    timeframe TEXT NOT NULL, close REAL, ma5 REAL, ma20 REAL);
CREATE TABLE exchange_rate_history (id INTEGER PRIMARY KEY, rate REAL);
CREATE TABLE market_sentiment (id INTEGER PRIMARY KEY, score REAL);
CREATE TABLE portfolio (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE trades (id INTEGER PRIMARY KEY, portfolio_id INTEGER REFERENCES portfolio, price REAL);
"""
TARGET = """\
CREATE TABLE tickers (ticker varchar(20), region varchar(2), name text, PRIMARY KEY (ticker, region));
CREATE TABLE stock_details (ticker varchar(20), region varchar(2), sector text, PRIMARY KEY (ticker, region),
    FOREIGN KEY (ticker, region) REFERENCES tickers);
CREATE TABLE etf_details (ticker varchar(20), region varchar(2), rank_in_etf integer, listed boolean,
    PRIMARY KEY (ticker, region), FOREIGN KEY (ticker, region) REFERENCES tickers);
CREATE TABLE ticker_fundamentals (ticker varchar(20), region varchar(2), date date, per numeric(10, 2),
    PRIMARY KEY (ticker, region, date), FOREIGN KEY (ticker, region) REFERENCES tickers);
CREATE TABLE global_market_indices (symbol text PRIMARY KEY, region varchar(2) NOT NULL);
CREATE TABLE ohlcv_data (ticker varchar(20), region varchar(2), date date, timeframe varchar(10),
    close numeric(15, 4), adj_close numeric(15, 4), PRIMARY KEY (ticker, region, date, timeframe));
"""


def region_of(number: int) -> str:
    return "KR" if number % 5 == 0 else "US"


def day(number: int) -> str:
    years, rest = divmod(number, 336)
    return f"{2010 + years}-{rest // 28 + 1:02}-{rest % 28 + 1:02}"


def fill(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(SOURCE)
        many = database.executemany
        many("INSERT INTO tickers VALUES (?, ?, 'x')", ((f"T{n}", region_of(n)) for n in range(TICKERS)))
        stock = "INSERT INTO stock_details (ticker, region, sector) VALUES (?, ?, 'tech')"
        many(stock, ((f"T{n}", region_of(n)) for n in range(STOCKS)))
        many(stock, ((f"S{n}", None) for n in range(STRAY_STOCKS)))
        many("INSERT INTO etf_details VALUES (?, ?, 1)", ((f"T{n}", n) for n in range(ETFS)))
        many("INSERT INTO etf_details VALUES (?, ?, 0)", ((f"E{n}", n) for n in range(STRAY_ETFS)))
        fundamental = "INSERT INTO ticker_fundamentals (ticker, date, per) VALUES (?, '2024-01-31', 11.5)"
        many(fundamental, ((f"T{n}",) for n in range(FUNDAMENTALS)))
        many(fundamental, ((f"F{n}",) for n in range(STRAY_FUNDAMENTALS)))
        regions = ["US", "KR", "JP", "CN", "VN", "ASIA"]
        many("INSERT INTO global_market_indices VALUES (?, ?)", ((f"^{region}", region) for region in regions))
        many(
            "INSERT INTO ohlcv_data (ticker, region, date, timeframe, close, ma5) VALUES (?, ?, ?, '1d', ?, 1)",
            ((f"T{n % 50}", None if n < OLD_BARS else region_of(n % 50), day(n), n / 4) for n in range(BARS)),
        )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "quant.db"
    fill(path)
    return path


def query(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def counts(dsn: str) -> dict[str, int]:
    tables = ("tickers", "stock_details", "etf_details", "ticker_fundamentals", "global_market_indices", "ohlcv_data")
    return {table: query(dsn, f"SELECT count(*) FROM {table}")[0][0] for table in tables}


def test_one_check_tells_all_and_its_advice_lets_every_row_land_that_can(
    source: Path, database: str, tmp_path: Path, run_syncd: RunSyncd
) -> None:
    query(database, TARGET)
    config = tmp_path / "quant.ini"
    config.write_text("")

    def syncd(*arguments: str, code: int = 0) -> str:
        done = run_syncd(*arguments, "-c", config, "--source", source, "--target", database)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    report = json.loads(syncd("check", "--json", code=4))
    told = {(f["table"], f["column"], f["count"]): f["what"] for f in report["findings"]}
    assert told["stock_details", "region", STRAY_STOCKS] == "NULL, where the target wants a value"
    assert told["etf_details", "region", STRAY_ETFS] == "NULL, where the target wants a value"
    assert told["ticker_fundamentals", "region", STRAY_FUNDAMENTALS] == "NULL, where the target wants a value"
    assert told["ohlcv_data", "region", OLD_BARS] == "NULL, where the target wants a value"
    assert "character varying(2) cannot hold" in told["global_market_indices", "region", 1]
    blocked = {f["table"]: f["what"] for f in report["findings"] if f["count"] is None and f["gravity"] == "blocker"}
    assert "nothing fills the target's columns region" in blocked["etf_details"]
    assert "lacks the source's columns id, ma5, ma20" in blocked["ohlcv_data"]

    # So many would stay behind that they are to be left out on purpose, until their tickers are listed.
    assert "ticker_fundamentals.ticker)) IS NOT NULL" in report["ini"] and "max_reject_ratio = 0.1" in report["ini"]

    config.write_text(report["ini"])
    assert json.loads(syncd("check", "--json"))["go"] is True
    syncd("load")
    assert counts(database) == {
        "tickers": TICKERS,
        "stock_details": STOCKS,
        "etf_details": ETFS,
        "ticker_fundamentals": FUNDAMENTALS,
        "global_market_indices": 5,
        "ohlcv_data": BARS,
    }
    assert query(database, "SELECT rank_in_etf, listed FROM etf_details WHERE ticker = 'T7'") == [(7, True)]
    rejects = json.loads(syncd("rejects", "list", "--json"))
    assert {(r["table"], r["rows"]) for r in rejects["rejects"]} >= {
        ("stock_details", STRAY_STOCKS),
        ("etf_details", STRAY_ETFS),
        ("global_market_indices", 1),
    }

    with closing(sqlite3.connect(source)) as application, application:
        for letter, strays in (("S", STRAY_STOCKS), ("E", STRAY_ETFS), ("F", STRAY_FUNDAMENTALS)):
            rows = ((f"{letter}{n}",) for n in range(strays))
            application.executemany("INSERT INTO tickers VALUES (?, 'US', 'late')", rows)
    syncd("sync")
    arrived = counts(database)
    assert arrived["stock_details"] == STOCKS + STRAY_STOCKS
    assert arrived["etf_details"] == ETFS + STRAY_ETFS
    syncd("sweep")
    assert counts(database)["ticker_fundamentals"] == FUNDAMENTALS + STRAY_FUNDAMENTALS
