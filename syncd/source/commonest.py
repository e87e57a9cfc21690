"""The value that a column holds most often."""

import apsw

from syncd.quoting import identifier
from syncd.source.database import query
from syncd.source.ranges import safe_literal

_ROWS = 10_000


def literal(connection: apsw.Connection, table: str, expression: str) -> str | None:
    """The commonest value among the first 10,000 rows, as a literal; None where a dozen are about as common.

    A value that stands in less than a third of those rows is no likely default.
    """
    rows = f"SELECT {expression} AS v FROM {identifier(table)} WHERE {expression} IS NOT NULL LIMIT {_ROWS}"
    found = query(
        connection,
        f"SELECT {safe_literal('v')}, count(*) * 3 >= sum(count(*)) OVER () FROM ({rows}) GROUP BY v "
        "ORDER BY count(*) DESC LIMIT 1",
    )
    return str(found[0][0]) if found and found[0][1] else None
