"""Full comparisons for the tests, and what they found."""

from syncd.engine.verify import Asked, verify
from syncd.model import TableVerdict, VerifyReport
from tests.plugins.moving import Move

ITEMS = """
CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price REAL, at DATETIME);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
INSERT INTO item SELECT i, 'item ' || i, i / 10.0, '2024-01-01 23:59:59' FROM n;
"""


def full(move: Move, *, sync: bool = True, paranoid: bool = False, repair: bool = False) -> VerifyReport:
    with move.opened() as sides:
        return verify(sides, Asked("full", sync=sync, paranoid=paranoid, repair=repair))


def only(report: VerifyReport) -> TableVerdict:
    """The verdict of the single table."""
    (table,) = report.tables
    return table


def counts(table: TableVerdict) -> tuple[int, int, int]:
    """How many rows are missing, different, extra."""
    return table.missing, table.different, table.extra
