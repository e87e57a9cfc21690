"""Rows of one table in two snapshots side by side: SQLite itself compares them, and names those that are not the same.

Rendering both sides to compare text takes twice the time: for 926,325 rows of five columns 2.6 seconds of processor
instead of 1.1. Only columns as they are stored can be compared so; what a mapping computes is rendered, see
`likeness`.
"""

import apsw

from syncd.model import Affinity
from syncd.plan import TablePlan
from syncd.quoting import identifier
from syncd.source.database import LONGEST_ROW, Database, query
from syncd.source.likeness import exact
from syncd.source.pages import Span


class Pairs:
    """The rows of two snapshots on a connection of its own. Not for two threads at once."""

    def __init__(self, base: Database, new: Database, plan: TablePlan) -> None:
        """Both snapshots must have the table in the shape that the plan was made for; see `can_be_paired`."""
        rowid, of = plan.source_key[0], identifier(plan.name)
        stored = {identifier(c.name): c.affinity for c in plan.source.columns if not c.generated}
        others = [c.expression for c in plan.columns if c.expression != rowid]
        differs = " OR ".join(_differs(expression, stored.get(expression)) for expression in others) or "0"
        within = f"{rowid} BETWEEN ? AND ?"
        both = f"main.{of} n NOT INDEXED LEFT JOIN base.{of} o NOT INDEXED ON o.{rowid} = n.{rowid}"
        self._come = (
            f"SELECT n.{rowid}, o.{rowid} IS NOT NULL FROM {both} WHERE n.{within} AND (o.{rowid} IS NULL OR {differs})"
        )
        self._counts = (
            f"SELECT (SELECT count(*) FROM base.{of} NOT INDEXED WHERE {within}),"
            f" (SELECT count(*) FROM main.{of} NOT INDEXED WHERE {within})"
        )
        self._gone = (
            f"SELECT o.{rowid} FROM base.{of} o NOT INDEXED WHERE o.{within}"
            f" AND NOT EXISTS (SELECT 1 FROM main.{of} n NOT INDEXED WHERE n.{rowid} = o.{rowid})"
        )
        self._database = Database(new.path, private=True)
        try:
            # Nothing is put together here, so that nothing is too long to be compared.
            self._database.connection.limit(apsw.SQLITE_LIMIT_LENGTH, LONGEST_ROW)
            self._database.connection.execute("ATTACH ? AS base", (base.uri,))
        except BaseException:
            self._database.close()
            raise

    def close(self) -> None:
        self._database.close()

    def differing(self, window: Span) -> list[tuple[int, bool]]:
        """The rowids in a window whose rows are not the same, in order, each with whether the base has the row."""
        connection = self._database.connection
        found = [(rowid, bool(in_base)) for rowid, in_base in query(connection, self._come, window)]
        older, newer = query(connection, self._counts, (*window, *window))[0]
        come = sum(not in_base for _, in_base in found)
        # What the base has beyond the rows that both have is gone: mostly nothing, and then nobody looks for it.
        if older > newer - come:
            found += [(rowid, True) for (rowid,) in query(connection, self._gone, window)]
            found.sort()
        return found


def can_be_paired(plan: TablePlan) -> bool:
    """Whether all that decides on a row is stored in its columns, and SQLite compares text by the bytes it stores.

    In UTF-16 it is left to rendering: nobody has proven it there.
    """
    return plan.by_rowid and not (plan.is_mapped or plan.reads or plan.source.utf16) and plan.where == "1"


def _differs(expression: str, affinity: Affinity | None) -> str:
    """True where two values are not the same to the bit, or one of them is no value.

    The sign before a column takes its affinity away, so that nothing is converted to be compared
    (https://sqlite.org/datatype3.html#comparison_expressions); BINARY compares the bytes of text, NULs included. Then
    values of two storage classes are never equal, but for an integer and a real: a column for reals gives no integer,
    a column for text neither. A column without affinity may hold -0.0, which equals 0.0.
    """
    if affinity in ("TEXT", "REAL"):
        return f"+n.{expression} IS NOT +o.{expression} COLLATE BINARY"
    if affinity in ("NUMERIC", "INTEGER"):
        n, o = f"n.{expression}", f"o.{expression}"
        return f"+{n} IS NOT +{o} COLLATE BINARY OR typeof({n})<>typeof({o})"
    return f"{exact(f'n.{expression}', affinity)} IS NOT {exact(f'o.{expression}', affinity)} COLLATE BINARY"
