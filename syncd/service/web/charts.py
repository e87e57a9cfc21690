"""Throughput and lag as paths of an SVG of 600 by 120, whose text stands outside of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from syncd.engine.report import Point
from syncd.service.web.words import seconds, whole

WIDTH, HEIGHT = 600, 120
SHORTEST_SECONDS = 300.0
_HEADROOM = 1.15


@dataclass(frozen=True)
class Chart:
    """One curve; `said` tells it to those who cannot see it."""

    title: str
    kind: Literal["rate", "lag"]
    line: str
    area: str
    peak: str
    begin: str
    said: str


def charts(points: Sequence[Point], now: Point) -> tuple[Chart, ...]:
    """Both curves up to now, over an hour at most."""
    all_points = (*points, now)
    span = max(now.at - all_points[0].at, SHORTEST_SECONDS)
    minutes = f"{span / 60:.0f} min ago"
    return (
        _chart("Throughput", "rate", all_points, span, minutes, lambda p: p.rate, lambda v: f"{whole(v)} rows/s"),
        _chart("Lag", "lag", all_points, span, minutes, lambda p: p.lag, seconds),
    )


def _chart(
    title: str,
    kind: Literal["rate", "lag"],
    points: Sequence[Point],
    span: float,
    begin: str,
    of: Callable[[Point], float],
    shown: Callable[[float], str],
) -> Chart:
    peak = max(map(of, points))
    scale = (HEIGHT - 2) / (max(peak, 1.0) * _HEADROOM)
    end = points[-1].at
    spots = [(WIDTH * (1 - (end - p.at) / span), HEIGHT - 1 - of(p) * scale) for p in points]
    line = "M" + " L".join(f"{x:.0f},{y:.1f}" for x, y in spots)
    area = f"{line} L{spots[-1][0]:.0f},{HEIGHT} L{spots[0][0]:.0f},{HEIGHT} Z"
    said = f"{title}: now {shown(of(points[-1]))}, peak {shown(peak)} since {begin}"
    return Chart(title, kind, line, area, shown(peak), begin, said)
