"""What is proposed for a hypertable where the configuration is silent: chunks, segments, order, unit of time."""

from collections.abc import Sequence
from dataclasses import dataclass

_CANDIDATES = (
    ("1 hour", 3_600),
    ("6 hours", 21_600),
    ("1 day", 86_400),
    ("7 days", 604_800),
    ("1 month", 2_592_000),
    ("3 months", 7_776_000),
    ("1 year", 31_536_000),
)
_INDEX_BYTES_A_ROW = 60
_MEMORY_SHARE = 0.25
"""The indexes of the chunk in work should fit a quarter of memory, as TimescaleDB's documentation advises."""
_ROWS_WORTH_A_CHUNK = 50_000
_CHUNKS = 10
ROWS_A_SEGMENT = 100
"""Fewer rows than these in one segment of one chunk compress badly: a batch holds up to 1,000 of one segment."""
DEFAULT_INTERVAL = "7 days"


@dataclass(frozen=True)
class Proposal:
    """A setting and why."""

    value: str
    why: str


def chunk_interval(rows: int, seconds: float, memory: int) -> Proposal:
    """The time that a chunk should span, for so many rows over so many seconds and so many bytes of memory."""
    if rows < 2 or seconds <= 0:
        return Proposal(DEFAULT_INTERVAL, "TimescaleDB's own, as the rows tell nothing")
    a_second = rows / seconds
    fitting = [c for c in _CANDIDATES if a_second * c[1] * _INDEX_BYTES_A_ROW <= memory * _MEMORY_SHARE]
    worthy = [c for c in fitting if a_second * c[1] >= _ROWS_WORTH_A_CHUNK or seconds / c[1] <= _CHUNKS]
    chosen = worthy[0] if worthy else (fitting or _CANDIDATES[:1])[-1]
    return Proposal(chosen[0], f"{a_second * 86_400:,.0f} rows a day, so about {a_second * chosen[1]:,.0f} in a chunk")


def epoch_unit(greatest: int) -> str:
    """What a number counts that is the time of the latest row: seconds reach 10**11 in the year 5138."""
    if greatest >= 10**14:
        return "us"
    return "ms" if greatest >= 10**11 else "s"


@dataclass(frozen=True)
class Layout:
    """How rows are compressed, and why so."""

    segment_by: tuple[str, ...]
    order_by: tuple[tuple[str, bool], ...]
    why: str


def layout(key: Sequence[str], time: str, rows: int, distinct: Sequence[int]) -> Layout:
    """Segments and order from the key: `distinct[n]` tells in how many groups its first n + 1 columns divide `rows`.

    `key` is without the time column, the column with the fewest values first; `rows` and groups are those of one chunk.
    """
    segments = [name for name, groups in zip(key, distinct, strict=True) if rows >= ROWS_A_SEGMENT * groups]
    rest = [name for name in key if name not in segments]
    repeated = [n for n, groups in zip(key, distinct, strict=True) if n in rest and groups * 2 <= rows]
    unique = [name for name in rest if name not in repeated]
    order = (*((name, False) for name in repeated), (time, True), *((name, False) for name in unique))
    groups = distinct[len(segments) - 1] if segments else 1
    return Layout(tuple(segments), order, f"{rows:,} rows of a chunk in {groups:,} segments")


def why_configured(rows: int, groups: int) -> str:
    """What to tell of configured segments that divide `rows` of a chunk into so many groups."""
    if rows >= ROWS_A_SEGMENT * groups:
        return "as configured"
    return (
        f"as configured, but {rows:,} rows of a chunk in {groups:,} segments compress badly, and may take more room"
        f" than before: a longer chunk_interval, or no segment_by, so that a segment has {ROWS_A_SEGMENT} rows"
    )
