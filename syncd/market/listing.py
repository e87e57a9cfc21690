"""What is listed where: regions, their symbols and the names of their companies."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, cycle, islice
from random import Random
from string import ascii_uppercase


@dataclass(frozen=True)
class Region:
    """`digits` are a price's decimals; `lowest` and `highest` bound a first price, in `currency`."""

    code: str
    exchange: str
    currency: str
    digits: int
    lowest: float
    highest: float
    lot_size: int
    heads: tuple[str, ...]
    tails: tuple[str, ...]
    symbol: Callable[[int], str]


@dataclass(frozen=True)
class Listing:
    """One row of `tickers`, before it has a price."""

    ticker: str
    region: Region
    name: str
    is_etf: bool


def _letters(number: int) -> str:
    head, last = divmod(number, 26)
    return (_letters(head - 1) if head else "") + ascii_uppercase[last]


KR = Region(
    "KR", "KOSPI", "KRW", 0, 800, 400_000, 1,
    ("한국", "대한", "삼한", "동방", "새벽", "한빛", "누리"),
    ("전자", "바이오", "금융지주", "중공업", "화학", "엔터테인먼트", "전자(우)"),
    lambda number: f"{10 * (number + 2):06d}",
)  # fmt: skip
US = Region(
    "US", "NASDAQ", "USD", 4, 0.8, 900, 1,
    ("O'Neil", "Lakeside", 'The "Big Sky"', "Dunmore & Sons", "Pacific", "Harper's", "Nova"),
    ("Energy Inc.", "Therapeutics, Inc.", "Bancorp", "Software Corp", "Foods Co.", "REIT"),
    lambda number: _letters(number + 700),
)  # fmt: skip
JP = Region(
    "JP", "TSE", "JPY", 1, 90, 60_000, 100,
    ("東京", "大和", "富士", "みどり", "さくら"), ("電機", "製薬", "ホールディングス", "商事", "建設"),
    lambda number: f"{number + 1301:04d}",
)  # fmt: skip
CN = Region(
    "CN", "SSE", "CNY", 2, 2, 1_800, 100,
    ("华东", "长江", "中原", "金龙"), ("银行", "科技", "能源", "医药"),
    lambda number: f"{number + 1:06d}",
)  # fmt: skip
HK = Region(
    "HK", "HKEX", "HKD", 3, 0.1, 500, 500,
    ("長江", "Victoria", "九龍", "Harbour"), ("Holdings Ltd.", "地產", "實業", "International"),
    lambda number: f"{number + 1:05d}",
)  # fmt: skip
VN = Region(
    "VN", "HOSE", "VND", 0, 3_000, 150_000, 100,
    ("Công ty Hòa Phát", "Tập đoàn Sông Đà", "Ngân hàng Á Châu"), ("CTCP", "Việt Nam", "Sài Gòn"),
    lambda number: _letters(number + 702),
)  # fmt: skip

REGIONS = {region.code: region for region in (KR, US, JP, CN, HK, VN)}

# Interleaved, so that a market of a dozen tickers still knows every region.
_ORDER = (US, KR, JP, CN, US, HK, KR, US, JP, CN, VN, US, KR, JP, US, CN)


def listings(tickers: int, etfs: int, random: Random) -> Iterator[Listing]:
    """`tickers` distinct listings, the last `etfs` of them funds; one symbol may stand in two regions."""
    numbers = {code: count() for code in REGIONS}
    for position, region in enumerate(islice(cycle(_ORDER), tickers)):
        is_etf = position >= tickers - etfs
        name = f"{random.choice(region.heads)} {'ETF' if is_etf else random.choice(region.tails)}"
        yield Listing(region.symbol(next(numbers[region.code])), region, name, is_etf)
