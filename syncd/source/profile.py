"""The profile of a source table's values, and how many rows a chosen type would refuse. SQLite does the counting."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from json import dumps

import apsw

from syncd.model import Table
from syncd.plan.typing import ColumnProfile, Example, Profiled, TableProfile
from syncd.quoting import identifier
from syncd.source.database import any_length, query
from syncd.source.kinds import prepare
from syncd.source.measures import Measures, all_measures, likely_measures
from syncd.source.ranges import safe_literal

_TERMS = 1_900
"""Aggregates of one statement: SQLite takes 2,000 (SQLITE_LIMIT_COLUMN)."""
_SAMPLED_ROWS, _SAMPLED_VALUES = 1_000, 20_000
"""Rows that tell what to count in the complete scan; fewer of a wide table."""
_WINDOW = 10
_SHOWN_CHARACTERS = 40
_CONDITIONS = 400


@dataclass(frozen=True)
class _Rows:
    """Rows of a table: what stands behind FROM. `complete` says that they are all that `where` asks for."""

    source: str
    parameters: tuple[str | int, ...]
    complete: bool


def profile(
    connection: apsw.Connection,
    table: Table,
    columns: Sequence[Profiled],
    *,
    where: str = "1",
    sample: int | None = None,
) -> TableProfile:
    """Tell of which kinds the values are, in one scan of the rows for which the SQLite condition `where` holds.

    `sample` bounds the rows looked at: the first, the last and windows between them, of a table WITHOUT ROWID the
    first. Otherwise a sample tells which kinds each column is likely to hold and those are counted in the scan;
    columns in which it missed one are scanned again for all kinds, so the counts are exact. A scan takes as many
    columns as one statement of SQLite can hold, some hundreds. Call it in a read transaction or on a snapshot.
    """
    prepare(connection)
    with any_length(connection):
        most = sample or max(50, min(_SAMPLED_ROWS, _SAMPLED_VALUES // max(1, len(columns))))
        rows = _sampled(connection, table, where, most)
        count, found = _measured(connection, rows, [all_measures(column, n) for n, column in enumerate(columns)])
        if sample is None and not rows.complete:
            rows = _Rows(f"{identifier(table.name)} WHERE {where}", (), complete=True)
            likely = [likely_measures(column, n, found[n]) for n, column in enumerate(columns)]
            count, found = _measured(connection, rows, likely)
            missed = [n for n, seen in enumerate(found) if sum(seen.counts.values()) < count]
            _, again = _measured(connection, rows, [all_measures(columns[n], n) for n in missed])
            for n, seen in zip(missed, again, strict=True):
                found[n] = seen
    return TableProfile(table.name, count, rows.complete, tuple(found))


def confirm(
    connection: apsw.Connection, table: Table, suspects: Mapping[str, str], where: str = "1"
) -> Mapping[str, int]:
    """How many rows fulfil each SQLite condition, under its name, among those for which `where` holds; in one scan."""
    prepare(connection)
    found: dict[str, int] = {}
    with any_length(connection):
        for part in _cut(tuple(suspects.items()), _CONDITIONS):
            terms = ", ".join(f"count(CASE WHEN {condition} THEN 1 END)" for _, condition in part)
            counts = query(connection, f"SELECT {terms} FROM {identifier(table.name)} WHERE {where}")[0]
            found |= dict(zip((name for name, _ in part), counts, strict=True))
    return found


def examples(
    connection: apsw.Connection, source_key: str, table: Table, expression: str, condition: str, at_most: int = 3
) -> tuple[Example, ...]:
    """The first rows that fulfil an SQLite condition, each with the value of `expression` as people can read it.

    `source_key` is the SQLite expression that names a row: `ranges.source_key`.
    """
    prepare(connection)
    start = f"substr({expression},1,{_SHOWN_CHARACTERS})"
    more = f"iif(length({expression})>{_SHOWN_CHARACTERS},'...','')"
    shown = (
        f"CASE WHEN typeof({expression}) IN ('text','blob') THEN {safe_literal(start)}||{more} "
        f"ELSE quote({expression}) END"
    )
    statement = f"SELECT {source_key}, {shown} FROM {identifier(table.name)} WHERE {condition} LIMIT ?"
    with any_length(connection):
        return tuple(Example(str(key), value) for key, value in query(connection, statement, (at_most,)))


def _measured(connection: apsw.Connection, rows: _Rows, wanted: Sequence[Measures]) -> tuple[int, list[ColumnProfile]]:
    """The number of rows, and the profile of each column over them."""
    count, found = 0, []
    for part in _parts(wanted):
        inner = ", ".join(value for one in part for value in one.values)
        outer = ", ".join(term for one in part for term in one.terms)
        # With a LIMIT the inner query is not merged into the outer one, which would compute each value for each term:
        # https://sqlite.org/optoverview.html#subquery_flattening
        statement = f"SELECT count(*), {outer} FROM (SELECT {inner} FROM {rows.source} LIMIT -1)"
        count, *results = query(connection, statement, rows.parameters)[0]
        remaining = iter(results)
        found += [one.told(tuple(islice(remaining, len(one.terms)))) for one in part]
    return count, found


def _parts(wanted: Sequence[Measures]) -> Iterator[list[Measures]]:
    part: list[Measures] = []
    for one in wanted:
        if part and sum(len(other.terms) for other in (*part, one)) > _TERMS:
            yield part
            part = []
        part.append(one)
    if part:
        yield part


def _cut(items: tuple[tuple[str, str], ...], size: int) -> Iterator[tuple[tuple[str, str], ...]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _sampled(connection: apsw.Connection, table: Table, where: str, most: int) -> _Rows:
    """Up to `most` rows, spread over the table; those of them for which `where` holds."""
    of = identifier(table.name)
    if table.rowid is None:
        names = ", ".join(identifier(column.name) for column in table.columns)
        complete = len(query(connection, f"SELECT 1 FROM {of} LIMIT ?", (most + 1,))) <= most
        return _Rows(f"(SELECT {names} FROM {of} LIMIT ?) AS {of} WHERE {where}", (most,), complete)
    first = _rowids(connection, table, f"ORDER BY {table.rowid} LIMIT ?", (most + 1,))
    complete = len(first) <= most
    rowids = first if complete else _spread(connection, table, most)
    chosen = f"{of} WHERE {table.rowid} IN (SELECT value FROM json_each(?)) AND ({where})"
    return _Rows(chosen, (dumps(sorted(rowids)),), complete)


def _spread(connection: apsw.Connection, table: Table, most: int) -> set[int]:
    """A tenth of the rowids from either end, the others in windows at random places, one in each equal part.

    The places are the same each time, so that two looks at one table tell the same.
    """
    ends, windows = most // 10, (most - 2 * (most // 10)) // _WINDOW
    found = _rowids(connection, table, f"ORDER BY {table.rowid} LIMIT ?", (max(1, ends),))
    found |= _rowids(connection, table, f"ORDER BY {table.rowid} DESC LIMIT ?", (max(1, ends),))
    low, high = min(found), max(found)
    places = random.Random(most)  # noqa: S311 - nothing secret
    for n in range(windows):
        start = low + int((high - low) * (n + places.random()) / windows)
        window = f"WHERE {table.rowid} >= ? ORDER BY {table.rowid} LIMIT ?"
        found |= _rowids(connection, table, window, (start, _WINDOW))
    return found


def _rowids(connection: apsw.Connection, table: Table, which: str, parameters: tuple[int, ...]) -> set[int]:
    statement = f"SELECT {table.rowid} FROM {identifier(table.name)} {which}"
    return {rowid for (rowid,) in query(connection, statement, parameters)}
