"""Makes the market's file."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from random import Random

import apsw

from syncd.market import contents
from syncd.market.listing import listings
from syncd.market.prices import first_price, provide_bars
from syncd.market.schema import INDEXES, TABLES


@dataclass(frozen=True)
class MarketSize:
    """How many rows each table of a new market holds; the four tables that are not named here are empty."""

    tickers: int
    ohlcv_data: int
    stock_details: int
    etf_details: int
    etf_holdings: int
    ticker_fundamentals: int
    global_market_indices: int
    exchange_rate_history: int

    @property
    def rows(self) -> int:
        """The rows of all tables together."""
        return sum(astuple(self))

    @classmethod
    def of(cls, rows: int) -> "MarketSize":
        """The full size scaled to `rows` in all; each table keeps a few, so that 68 is the least."""

        def scaled(full: int, least: int) -> int:
            return max(least, round(full * rows / FULL_SIZE.rows))

        size = cls(
            tickers=scaled(FULL_SIZE.tickers, 12),
            ohlcv_data=0,
            stock_details=scaled(FULL_SIZE.stock_details, 12),
            etf_details=scaled(FULL_SIZE.etf_details, 3),
            etf_holdings=scaled(FULL_SIZE.etf_holdings, 3),
            ticker_fundamentals=scaled(FULL_SIZE.ticker_fundamentals, 3),
            global_market_indices=scaled(FULL_SIZE.global_market_indices, 6),
            exchange_rate_history=scaled(FULL_SIZE.exchange_rate_history, 5),
        )
        return replace(size, ohlcv_data=max(2 * size.tickers, rows - size.rows))


FULL_SIZE = MarketSize(
    tickers=18_661,
    ohlcv_data=926_325,
    stock_details=20_034,
    etf_details=1_029,
    etf_holdings=3,
    ticker_fundamentals=238,
    global_market_indices=6,
    exchange_rate_history=5,
)


def create(path: Path, *, rows: int = FULL_SIZE.rows, seed: int = 7) -> MarketSize:
    """Make a market of `rows` rows in a new file in WAL mode; the same seed makes the same rows.

    Every row has its parent. The full size takes some seconds and about 200 MB.
    Raises FileExistsError if the file is there.
    """
    if path.exists():
        raise FileExistsError(path)
    size = MarketSize.of(rows)
    connection = apsw.Connection(str(path))
    try:
        # A file that nobody else has seen needs no protection: a build that fails is thrown away.
        connection.execute("PRAGMA synchronous = OFF; PRAGMA cache_size = -64000; PRAGMA journal_mode = OFF")
        connection.execute("BEGIN")
        connection.execute(TABLES)
        _fill(connection, size, Random(seed))  # noqa: S311
        connection.execute(INDEXES)
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
    except BaseException:
        path.unlink()
        raise
    finally:
        connection.close()
    return size


def _fill(connection: apsw.Connection, size: MarketSize, random: Random) -> None:
    listed = list(listings(size.tickers, size.etf_details, random))
    prices = [first_price(listing, random) for listing in listed]
    stocks = [listing for listing in listed if not listing.is_etf]
    etfs = [listing for listing in listed if listing.is_etf]

    def columns(table: str) -> str:
        names = connection.execute("SELECT name FROM pragma_table_info(?) WHERE name <> 'id'", (table,))
        return ", ".join(str(name) for (name,) in names)

    def insert(table: str, rows: Iterable[contents.Row]) -> None:
        named = columns(table)
        places = ", ".join("?" * (named.count(",") + 1))
        connection.executemany(f"INSERT INTO {table} ({named}) VALUES ({places})", rows)

    insert("tickers", contents.tickers(listed, prices, random))
    provide_bars(connection, listed, prices, size.ohlcv_data, random)
    connection.execute(f"INSERT INTO ohlcv_data ({columns('ohlcv_data')}) SELECT {columns('ohlcv_data')} FROM bar")
    insert("stock_details", contents.stock_details(stocks, size.stock_details, random))
    insert("etf_details", contents.etf_details(etfs, random))
    insert("etf_holdings", contents.etf_holdings(etfs, stocks, size.etf_holdings, random))
    insert("ticker_fundamentals", contents.ticker_fundamentals(stocks, size.ticker_fundamentals, random))
    insert("global_market_indices", contents.global_market_indices(size.global_market_indices, random))
    insert("exchange_rate_history", contents.exchange_rate_history(size.exchange_rate_history, random))
