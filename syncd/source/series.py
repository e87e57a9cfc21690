"""Whether a table is a series in time: how far a column of moments reaches, and whether new rows come at its end."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from syncd.model import Table
from syncd.quoting import identifier
from syncd.source.database import SourceConnection, query

_PLACES = 200
_DAYS = {
    "": "julianday({})",
    "epoch_s": "{} / 86400.0",
    "epoch_ms": "{} / 86400e3",
    "epoch_us": "{} / 86400e6",
    "julian": "{}",
}
"""The day of a moment by the way in which it is kept, as `TargetType.origin` names it; empty is ISO text."""


@dataclass(frozen=True)
class Series:
    """A column of moments: `days` lie between the first and the last, which are SQLite literals.

    `growing` is the share, 0 to 1, of neighbours among rows at equal distances by rowid that are in order of time.
    """

    column: str
    days: float
    first: str
    last: str
    growing: float


def look(connection: SourceConnection, table: Table, column: str, origin: str) -> Series | None:
    """Look at all values of a column; None where one is NULL or no moment, or there is none. It takes one scan."""
    name, of = identifier(column), identifier(table.name)
    day = _DAYS[origin]
    low, high = day.format("low"), day.format("high")
    nulls, days, first, last = query(
        connection,
        f"SELECT nulls, {high} - {low}, quote(low), quote(high) FROM (SELECT count(*) - count({name}) AS nulls,"
        f" min({name}) AS low, max({name}) AS high FROM {of})",
    )[0]
    if nulls or days is None:
        return None
    return Series(column, float(days), first, last, _growing(connection, table, name))


def _growing(connection: SourceConnection, table: Table, name: str) -> float:
    if table.rowid is None:
        return 0.0
    rowid, of = table.rowid, identifier(table.name)
    low, high = query(connection, f"SELECT (SELECT min({rowid}) FROM {of}), (SELECT max({rowid}) FROM {of})")[0]
    found = []
    for place in sorted({low + (high - low) * n // _PLACES for n in range(_PLACES)}):
        statement = f"SELECT {name} FROM {of} WHERE {rowid} >= ? ORDER BY {rowid} LIMIT 1"
        found += [value for (value,) in query(connection, statement, (place,))]
    pairs = list(pairwise(found))
    return sum(before <= after for before, after in pairs) / len(pairs) if pairs else 0.0


def distinct(connection: SourceConnection, table: Table, columns: Iterable[str]) -> Mapping[str, int]:
    """How many different values each column has; one scan for each."""
    of = identifier(table.name)
    return {
        column: int(query(connection, f"SELECT count(DISTINCT {identifier(column)}) FROM {of}")[0][0])
        for column in columns
    }
