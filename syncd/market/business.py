"""What the application does all day: each function is the inside of one transaction and tells what it changed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from random import Random
from typing import cast

import apsw

from syncd.market.listing import REGIONS
from syncd.market.prices import next_trading_day

Ticker = tuple[str, str]
"""(ticker, region)"""


@dataclass(frozen=True)
class Changes:
    """Rows that one transaction changed."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    def __add__(self, other: "Changes") -> "Changes":
        return Changes(self.inserted + other.inserted, self.updated + other.updated, self.deleted + other.deleted)


@dataclass(frozen=True)
class Kinds:
    """Which changes the application makes; see `Trader`."""

    inserts: bool
    updates: bool
    deletes: bool
    silent_updates: bool


@dataclass(frozen=True)
class Desk:
    """What a transaction works with. Orders are for the first tickers only, so that positions are met again."""

    connection: apsw.Connection
    random: Random
    kinds: Kinds
    tickers: list[Ticker]

    def watched(self) -> Ticker:
        """One of the two hundred tickers that are traded."""
        return self.random.choice(self.tickers[:200])

    def some(self, most: int) -> list[Ticker]:
        """One to `most` different tickers."""
        return self.random.sample(self.tickers, self.random.randint(1, min(most, len(self.tickers))))

    def changed(self, statement: str, values: tuple[str | int | float | None, ...] = ()) -> int:
        """Execute one statement; the number of rows that it changed."""
        self.connection.execute(statement, values)
        return self.connection.changes()


Business = Callable[[Desk], Changes]


def choices(kinds: Kinds) -> dict[Business, int]:
    """What may be done, with its weight. Raises ValueError if every kind is switched off."""
    weights: dict[Business, int] = {}
    if kinds.inserts:
        weights |= {new_bars: 30, place_order: 30}
    if kinds.updates:
        weights |= {quote: 30, correct_bar: 10}
    if kinds.deletes:
        weights |= {cancel_trade: 10}
    if kinds.silent_updates:
        weights |= {correct_silently: 10}
    if not weights:
        raise ValueError("a trader without any kind of change has nothing to do")
    return weights


def new_bars(desk: Desk) -> Changes:
    """The next day's bar of some tickers."""
    return Changes(inserted=sum(_next_bar(desk, ticker) for ticker in desk.some(20)))


def _next_bar(desk: Desk, ticker: Ticker) -> int:
    found = desk.connection.execute(
        "SELECT date, close FROM ohlcv_data WHERE (ticker, region, timeframe) = (?, ?, 'D')"
        " ORDER BY date DESC LIMIT 19",
        ticker,
    ).fetchall()
    last = cast("list[tuple[str, float]]", found)
    if not last:
        return 0
    digits, gauss = REGIONS[ticker[1]].digits, desk.random.gauss
    open_ = last[0][1]
    close = round(open_ * (1 + gauss(0, 0.02)), digits)
    high = round(max(open_, close) * 1.004, digits)
    low = round(min(open_, close) * 0.996, digits)
    closes = [close, *(earlier for _, earlier in last)]
    ma5, ma20 = (round(sum(closes[:n]) / n, 4) if len(closes) >= n else None for n in (5, 20))
    day = next_trading_day(date.fromisoformat(last[0][0])).isoformat()
    return desk.changed(
        "INSERT INTO ohlcv_data (ticker, region, date, open, high, low, close, volume, ma5, ma20)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*ticker, day, open_, high, low, close, desk.random.randrange(1_000, 2_000_000), ma5, ma20),
    )


def place_order(desk: Desk) -> Changes:
    """A trade; once filled, it opens the ticker's position or (where updates are on) changes it."""
    ticker, random = desk.watched(), desk.random
    price, lot_size = desk.connection.execute(
        "SELECT coalesce(last_price, 100.0), lot_size FROM tickers WHERE (ticker, region) = (?, ?)", ticker
    ).get
    held = desk.connection.execute("SELECT quantity FROM portfolio WHERE (ticker, region) = (?, ?)", ticker).get
    quantity = lot_size * random.randint(1, 50)
    sells = held is not None and held >= quantity and random.random() < 0.5
    filled = random.random() < 0.7
    inserted = desk.changed(
        "INSERT INTO trades (ticker, region, side, status, quantity, price, amount, memo)"
        " VALUES (?, ?, ?, ?, ?, ?, round(?, 2), ?)",
        (
            *ticker,
            "SELL" if sells else "BUY",
            "FILLED" if filled else "PENDING",
            quantity,
            price,
            quantity * price,
            random.choice((None, "리밸런싱", "it's a hedge")),
        ),
    )
    if filled and held is None:
        inserted += desk.changed(
            "INSERT INTO portfolio (ticker, region, quantity, last_price, market_value)"
            " VALUES (?, ?, ?, ?, round(?, 2))",
            (*ticker, quantity, price, quantity * price),
        )
    elif filled and desk.kinds.updates:
        return Changes(inserted, _move_position(desk, ticker, -quantity if sells else quantity, price))
    return Changes(inserted)


def _move_position(desk: Desk, ticker: Ticker, quantity: int, price: float) -> int:
    return desk.changed(
        "UPDATE portfolio SET quantity = quantity + ?3, last_price = ?4, is_open = quantity + ?3 > 0,"
        " market_value = round((quantity + ?3) * ?4, 2), last_updated = CURRENT_TIMESTAMP"
        " WHERE (ticker, region) = (?1, ?2)",
        (*ticker, quantity, price),
    )


def quote(desk: Desk) -> Changes:
    """New prices of some tickers, and of a watched one with its position."""
    return Changes(updated=sum(_reprice(desk, ticker) for ticker in {desk.watched(), *desk.some(9)}))


def _reprice(desk: Desk, ticker: Ticker) -> int:
    price = desk.connection.execute(
        "UPDATE tickers SET last_price = round(coalesce(last_price, 100.0) * ?3, ?4), last_updated = CURRENT_TIMESTAMP"
        " WHERE (ticker, region) = (?1, ?2) RETURNING last_price",
        (*ticker, 1 + desk.random.gauss(0, 0.01), REGIONS[ticker[1]].digits),
    ).get
    return 0 if price is None else 1 + _move_position(desk, ticker, 0, price)


def correct_bar(desk: Desk) -> Changes:
    """The vendor sends an old bar again, with another volume; `updated_at` tells."""
    return Changes(updated=_correct(desk, "updated_at = CURRENT_TIMESTAMP"))


def correct_silently(desk: Desk) -> Changes:
    """Somebody repairs an old bar, or flips a ticker's `is_active`, by hand; no timestamp tells."""
    if desk.random.random() < 0.7:
        return Changes(updated=_correct(desk, "updated_at = updated_at"))
    flip = "UPDATE tickers SET is_active = NOT is_active WHERE (ticker, region) = (?, ?)"
    return Changes(updated=desk.changed(flip, desk.watched()))


def _correct(desk: Desk, stamp: str) -> int:
    newest = desk.connection.execute("SELECT max(id) FROM ohlcv_data").get or 1
    return desk.changed(
        f"UPDATE ohlcv_data SET close = round((high + low) / 2, 4), volume = volume + ?, {stamp} WHERE id = ?",
        (desk.random.randint(1, 9_999), desk.random.randint(1, newest)),
    )


def cancel_trade(desk: Desk) -> Changes:
    """The oldest or the newest pending trade goes, if there is one."""
    end = desk.random.choice(("min", "max"))
    return Changes(
        deleted=desk.changed(f"DELETE FROM trades WHERE id = (SELECT {end}(id) FROM trades WHERE status = 'PENDING')")
    )
