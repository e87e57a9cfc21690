"""Sources with bars of a few tickers over two years, and their shaping."""

from syncd.engine.progress import Silent
from syncd.engine.timescale import ShapeReport, preview, shape
from tests.plugins.moving import Move

BARS = """
CREATE TABLE bar (ticker TEXT NOT NULL, date DATE NOT NULL, close NUMERIC(15,4) NOT NULL, volume INTEGER NOT NULL,
    PRIMARY KEY (ticker, date));
WITH RECURSIVE day(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM day WHERE n < 729)
INSERT INTO bar SELECT 'T' || t.value, date('2023-01-01', '+' || n || ' days'), 100 + (n * 7 + t.value) % 50, n * 10
  FROM day, json_each('[1,2,3,4,5,6,7,8]') AS t;
"""

SHAPED = """
[sync]
max_reject_ratio = 1
[hypertable:bar]
time_column = date
chunk_interval = 6 months
compress_after = 30 days
retain = 100 years
[aggregate:bar_monthly]
query = SELECT ticker, time_bucket('1 month', date) AS month, max(close) AS high, sum(volume) AS volume
    FROM bar GROUP BY 1, 2
[aggregate:bar_yearly]
query = SELECT ticker, time_bucket('1 year', month) AS year, max(high) AS high, sum(volume) AS volume
    FROM bar_monthly GROUP BY 1, 2
[index:bar_close]
table = bar
columns = close DESC, ticker
"""


def shaped(move: Move) -> ShapeReport:
    with move.opened() as sides:
        return shape(sides, Silent())


def shaped_for(move: Move, statements: int) -> ShapeReport:
    """Shape until it was asked so many times whether to stop."""
    asked = iter([False] * statements)
    with move.opened() as sides:
        return shape(sides, Silent(), lambda: next(asked, True))


def previewed(move: Move) -> ShapeReport:
    with move.opened() as sides:
        return preview(sides)


def kinds(report: ShapeReport) -> list[tuple[str, str]]:
    return [(str(step.kind), step.relation) for step in report.steps]


def told(report: ShapeReport) -> str:
    """What cannot be had, and why."""
    return "\n".join(map(str, report.refused))
