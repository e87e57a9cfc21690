"""The single table of the load benchmark: ten columns, a key of four texts, numeric prices."""

import csv
from pathlib import Path
from random import Random

import apsw

from syncd.market.listing import listings
from syncd.market.prices import first_price, provide_bars

_BARS_A_TICKER = 250

_SCHEMA = """\
CREATE TABLE ohlcv (
    ticker TEXT NOT NULL,
    region TEXT NOT NULL,
    date DATE NOT NULL,
    timeframe TEXT NOT NULL,
    open NUMERIC(15, 4) NOT NULL,
    high NUMERIC(15, 4) NOT NULL,
    low NUMERIC(15, 4) NOT NULL,
    close NUMERIC(15, 4) NOT NULL,
    volume INTEGER NOT NULL,
    updated_at DATETIME NOT NULL,
    PRIMARY KEY (ticker, region, date, timeframe)
)
"""


def make(path: Path, rows: int = 926_325) -> None:
    """Make `path` with `rows` daily bars, a year for each ticker; always the same, in WAL mode.

    Prices have two to four decimals. Raises FileExistsError if the file is there.
    """
    if path.exists():
        raise FileExistsError(path)
    random = Random(7)
    tickers = -(-rows // _BARS_A_TICKER)
    listed = [listing for listing in listings(4 * tickers, 0, random) if listing.region.digits >= 2][:tickers]
    prices = [first_price(listing, random) for listing in listed]
    connection = apsw.Connection(str(path))
    try:
        connection.execute("PRAGMA synchronous = OFF; PRAGMA cache_size = -64000; PRAGMA journal_mode = OFF")
        connection.execute("BEGIN")
        connection.execute(_SCHEMA)
        provide_bars(connection, listed, prices, rows, random)
        connection.execute(
            "INSERT INTO ohlcv"
            " SELECT ticker, region, date, timeframe, open, high, low, close, volume, updated_at FROM bar"
        )
        connection.execute("COMMIT; PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def export(path_db: Path, path_csv: Path) -> None:
    """Write the rows in rowid order, without header, as psql's `\\copy ohlcv FROM FILE (FORMAT csv)` reads them."""
    connection = apsw.Connection(str(path_db), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        with path_csv.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(connection.execute("SELECT * FROM ohlcv ORDER BY rowid"))
    finally:
        connection.close()
