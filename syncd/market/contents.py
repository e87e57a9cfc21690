"""The rows of every table but `ohlcv_data`, in the order of the schema's columns and without ids."""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from random import Random

from syncd.market.listing import Listing
from syncd.market.prices import LAST_DAY, trading_days

Row = tuple[str | int | float | bytes | None, ...]

_WRITTEN = f"{LAST_DAY} 18:30:00"
_SECTORS = ("IT", "Health Care", "Financials", "Industrials", "Materials", None)
_INDUSTRIES = ("반도체", "Biotech", "Oil & Gas", "Children's Wear", "銀行", None)
_ISSUERS = ("삼한자산운용", "Lakeside Funds", "O'Neil Trust", "さくらアセット")
_INDICES = (
    ("^GSPC", "S&P 500", "US", 6_840.2),
    ("^IXIC", "NASDAQ Composite", "US", 23_724.96),
    ("^DJI", "Dow Jones", "US", 47_562.87),
    ("^N225", "日経平均株価", "ASIA", 52_411.34),
    ("^HSI", "恒生指數", "ASIA", 25_906.65),
    ("^KS11", "코스피", "ASIA", 4_107.5),
)
_CURRENCIES = (("USD", 1_424.4), ("HKD", 183.3021), ("CNY", 200.119), ("JPY", 9.244512), ("VND", 0.05414))


def _days_ago(days: int) -> str:
    return (LAST_DAY - timedelta(days=days)).isoformat()


def tickers(listed: Sequence[Listing], prices: Sequence[float], random: Random) -> Iterator[Row]:
    """One row a listing; one in ten has no known listing date, one in fifty is no longer active."""
    for listing, price in zip(listed, prices, strict=True):
        region = listing.region
        yield (
            listing.ticker,
            region.code,
            listing.name,
            region.exchange,
            region.currency,
            "ETF" if listing.is_etf else "STOCK",
            region.lot_size,
            _days_ago(random.randrange(100, 15_000)) if random.random() < 0.9 else None,
            price,
            int(random.random() < 0.98),
            f"{_days_ago(400)} 09:00:00",
            _WRITTEN,
        )


def stock_details(stocks: Sequence[Listing], count: int, random: Random) -> Iterator[Row]:
    """`count` rows: one a stock as of the last day, then older ones, a quarter apart."""
    for number in range(count):
        revision, position = divmod(number, len(stocks))
        stock = stocks[position]
        shares = random.randrange(1_000_000, 6_000_000_000)
        sector = random.choice(_SECTORS)
        attributes = {"sector": sector, "tags": random.sample(["배당", "growth", 'so-called "value"'], 2)}
        yield (
            stock.ticker,
            stock.region.code,
            _days_ago(91 * revision),
            sector,
            random.choice(_INDUSTRIES),
            random.choice((100, 500, 5_000, 0.01, None)),
            round(shares * random.uniform(0.5, 90), 2),
            shares,
            int(stock.name.endswith("(우)")),
            json.dumps(attributes, ensure_ascii=False) if random.random() < 0.8 else None,
            _WRITTEN,
        )


def etf_details(etfs: Sequence[Listing], random: Random) -> Iterator[Row]:
    """One row a fund; every other one has a logo of some hundred bytes."""
    for number, etf in enumerate(etfs):
        yield (
            etf.ticker,
            etf.region.code,
            random.choice(_ISSUERS),
            random.choice(("KOSPI 200", "S&P 500", None)),
            _days_ago(random.randrange(100, 6_000)),
            round(random.uniform(0.0003, 0.0099), 4),
            round(random.uniform(1e6, 9e11), 2),
            random.choice((1.0, 1.0, 2.0, -1.0)),
            number % 2,
            b"\x89PNG\r\n\x1a\n" + random.randbytes(random.randrange(100, 900)) if number % 2 else None,
            _WRITTEN,
        )


def etf_holdings(etfs: Sequence[Listing], stocks: Sequence[Listing], count: int, random: Random) -> Iterator[Row]:
    """`count` holdings, the first fund's stocks by rank, then the next fund's."""
    for number in range(count):
        fund, rank = divmod(number, len(stocks))
        etf, stock = etfs[fund], stocks[rank]
        yield (
            etf.ticker,
            etf.region.code,
            stock.ticker,
            stock.region.code,
            rank + 1,
            round(random.uniform(0.01, 30), 4),
            random.randrange(100, 90_000),
            LAST_DAY.isoformat(),
            _WRITTEN,
        )


def ticker_fundamentals(stocks: Sequence[Listing], count: int, random: Random) -> Iterator[Row]:
    """`count` quarterly reports; a stock that lost money has no price-earnings ratio."""
    for number in range(count):
        quarter, position = divmod(number, len(stocks))
        eps = round(random.gauss(3, 4), 4)
        yield (
            stocks[position].ticker,
            stocks[position].region.code,
            _days_ago(31 + 91 * quarter),
            "QUARTERLY",
            round(random.uniform(1e6, 8e11), 2),
            eps,
            round(random.uniform(4, 60), 2) if eps > 0 else None,
            round(random.uniform(0.3, 9), 2),
            round(random.uniform(0, 7), 2) if random.random() < 0.7 else None,
            _WRITTEN,
        )


def global_market_indices(count: int, random: Random) -> Iterator[Row]:
    """`count` closes of the six indices, newest day first."""
    days = trading_days(count)[::-1]
    for number in range(count):
        back, position = divmod(number, len(_INDICES))
        symbol, name, region, close = _INDICES[position]
        change = random.gauss(0, 1)
        yield days[back], symbol, name, region, round(close * (1 + change / 100), 2), round(change, 2), _WRITTEN


def exchange_rate_history(count: int, random: Random) -> Iterator[Row]:
    """`count` rates of five currencies in KRW, newest day first."""
    days = trading_days(count)[::-1]
    for number in range(count):
        back, position = divmod(number, len(_CURRENCIES))
        currency, rate = _CURRENCIES[position]
        yield currency, round(rate * random.uniform(0.98, 1.02), 6), days[back], random.choice(("BOK", None)), _WRITTEN
