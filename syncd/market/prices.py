"""Prices: a calendar of trading days, a random walk, and the bars that follow from both.

SQLite multiplies the walk by the listings' prices itself; a million bars made in Python would take three times as long.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import accumulate
from math import exp, log
from random import Random

import apsw

from syncd.market.listing import Listing

LAST_DAY = date(2025, 10, 31)
"""The day of every listing's newest bar in a market that nobody has traded on."""

_OFFSETS = 4096

_BARS = """\
CREATE TEMP TABLE walk (
    step INTEGER PRIMARY KEY, open REAL, high REAL, low REAL, close REAL, volume REAL, ma5 REAL, ma20 REAL
);
CREATE TEMP TABLE trading_day (number INTEGER PRIMARY KEY, date TEXT);
CREATE TEMP TABLE listing (
    number INTEGER PRIMARY KEY, ticker TEXT, region TEXT, price REAL, digits INTEGER, volume INTEGER,
    first_step INTEGER, first_day INTEGER
);
CREATE TEMP VIEW bar AS
SELECT
    ticker,
    region,
    'D' AS timeframe,
    date,
    round(open * price, digits) AS open,
    round(high * price, digits) AS high,
    round(low * price, digits) AS low,
    round(close * price, digits) AS close,
    CAST(walk.volume * listing.volume AS INTEGER) AS volume,
    iif(day.number >= first_day + 4, round(ma5 * price, 4), NULL) AS ma5,
    iif(day.number >= first_day + 19, round(ma20 * price, 4), NULL) AS ma20,
    date || ' 18:05:00' AS created_at,
    date || ' 18:05:00' AS updated_at
FROM listing
CROSS JOIN trading_day AS day ON day.number >= first_day
CROSS JOIN walk ON step = first_step + day.number
ORDER BY listing.number, day.number;
"""


def next_trading_day(day: date) -> date:
    """The weekday after `day`."""
    return day + timedelta(days={4: 3, 5: 2}.get(day.weekday(), 1))


def trading_days(count: int) -> list[str]:
    """The last `count` weekdays up to `LAST_DAY`, as ISO text, oldest first."""
    days = (LAST_DAY - timedelta(days=back) for back in range(7 * (count // 5 + 1)))
    return [day.isoformat() for day in days if day.weekday() < 5][:count][::-1]


def first_price(listing: Listing, random: Random) -> float:
    """A price in the region's range, small ones as likely as large ones in proportion."""
    region = listing.region
    return round(exp(random.uniform(log(region.lowest), log(region.highest))), region.digits)


def provide_bars(
    connection: apsw.Connection, listed: Sequence[Listing], prices: Sequence[float], total: int, random: Random
) -> None:
    """Create the temporary view `bar` of `total` daily bars: in equal shares, listing by listing, oldest first.

    Its columns are those of `ohlcv_data` without the id; averages are NULL until they have 5 and 20 closes.
    """
    longest = -(-total // len(listed))

    def listing_row(number: int) -> tuple[str | int | float, ...]:
        listing, price = listed[number], prices[number]
        share = total * (number + 1) // len(listed) - total * number // len(listed)
        volume, first_step = random.randrange(1_000, 2_000_000), random.randrange(_OFFSETS)
        region = listing.region
        return number, listing.ticker, region.code, price, region.digits, volume, first_step, longest - share

    def insert(table: str, rows: Sequence[tuple[str | int | float, ...]]) -> None:
        connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)

    connection.execute(_BARS)
    insert("walk", _walk(longest + _OFFSETS, random))
    insert("trading_day", list(enumerate(trading_days(longest))))
    insert("listing", [listing_row(number) for number in range(len(listed))])


def _walk(length: int, random: Random) -> list[tuple[float, ...]]:
    """Steps around a level of 1, to which the walk returns, so that no listing runs to zero."""
    gauss = random.gauss
    logs = accumulate((gauss(0, 0.02) for _ in range(length + 19)), lambda level, change: 0.98 * level + change)
    closes = [exp(level) for level in logs]
    steps: list[tuple[float, ...]] = []
    for step in range(length):
        day = step + 19
        close = closes[day]
        open_ = closes[day - 1] * (1 + gauss(0, 0.004))
        high = max(open_, close) * (1 + abs(gauss(0, 0.006)))
        low = min(open_, close) * (1 - abs(gauss(0, 0.006)))
        ma5, ma20 = sum(closes[day - 4 : day + 1]) / 5, sum(closes[day - 19 : day + 1]) / 20
        steps.append((step, open_, high, low, close, exp(gauss(0, 0.5)), ma5, ma20))
    return steps
