"""What a source holds that a configuration should know: rows, keys, marks, dates, series in time, oddities."""

import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from syncd.config import Config
from syncd.engine.check import Finding
from syncd.engine.check.checking import check_source_alone
from syncd.engine.preview import NOTHING_THERE
from syncd.engine.progress import Silent
from syncd.engine.sides import plan_sides, state_home
from syncd.model import Skipped, Table
from syncd.plan import TablePlan
from syncd.plan.typing import ColumnProfile, Profiled, ValueKind
from syncd.quoting import identifier
from syncd.source import catalog, ranges, series
from syncd.source.database import Database, SourceConnection
from syncd.source.profile import profile
from syncd.source.series import Series

COUNTED_ROWS = 10_000_000
"""Up to this many rowids a table's rows are counted; beyond, SQLite would read for many seconds."""
MANY_ROWS = 100_000
SOME_ROWS = 10_000
CHUNK_ROWS = 5_000_000
_BIGGEST = 3
_SAMPLE_ROWS = 1_000
_GROWING = 0.8
_ROWS_A_SEGMENT = 20
_NAMED_LIKE_MOMENTS = re.compile(r"date|time|moment|stamp|(^|_)(at|on|ts|day)$", re.IGNORECASE)
_FORMS = (
    ("dates", "", (ValueKind.DATE, ValueKind.MIDNIGHT)),
    (
        "dates with a time",
        "",
        (ValueKind.DATE, ValueKind.MIDNIGHT, ValueKind.MOMENT, ValueKind.FINE_MOMENT, ValueKind.ZONED_MOMENT),
    ),
    ("seconds since 1970", "epoch_s", (ValueKind.SECONDS, ValueKind.REAL_SECONDS)),
    ("milliseconds since 1970", "epoch_ms", (ValueKind.MILLISECONDS, ValueKind.REAL_MILLISECONDS)),
    ("microseconds since 1970", "epoch_us", (ValueKind.MICROSECONDS,)),
    ("Julian days", "julian", (ValueKind.DAYS, ValueKind.JULIAN)),
)
_INTERVALS = (
    ("1 hour", 1 / 24),
    ("6 hours", 1 / 4),
    ("1 day", 1.0),
    ("7 days", 7.0),
    ("1 month", 30.4),
    ("3 months", 91.3),
    ("1 year", 365.25),
)


@dataclass(frozen=True)
class Dates:
    """A column of moments: what they look like, as the values of a sample tell; `origin` as in `TargetType`."""

    column: str
    form: str
    origin: str
    complete: bool
    """Whether no value is NULL."""


@dataclass(frozen=True)
class Mixed:
    """A column with values of several storage classes: how many of each among the rows looked at."""

    column: str
    counts: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Hypertable:
    """A proposal for a table that is a series in time. `lacking` are its unique keys without the time column."""

    time_column: str
    chunk_interval: str
    segment_by: tuple[str, ...]
    series: Series
    rows_a_day: float
    lacking: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class TableDraft:
    """One table. `rows` are an estimate by the rowids where `counted` is false."""

    plan: TablePlan
    rows: int
    counted: bool
    dates: tuple[Dates, ...]
    mixed: tuple[Mixed, ...]
    findings: tuple[Finding, ...]
    hypertable: Hypertable | None = None


@dataclass(frozen=True)
class Draft:
    """The whole source; `findings` are those of the quick check that speak of no planned table.

    `state_dir` is where whoever drafts it keeps private copies, unless told otherwise.
    """

    path: Path
    state_dir: Path
    tables: tuple[TableDraft, ...]
    findings: tuple[Finding, ...]
    skipped: tuple[Skipped, ...]


def draft(config: Config, path: Path) -> Draft:
    """Look at every table of the source, at a sample of its rows. Raises SourceError and RefusedError."""
    with closing(Database(path)) as source:
        with source.transaction() as connection:
            plan = plan_sides(connection, NOTHING_THERE, config, str(path))
        checked = check_source_alone(config, source, None, Silent(), quick=True).findings
        by_table = {
            name: tuple(found)
            for name, found in groupby(sorted(checked, key=lambda one: one.table), lambda one: one.table)
        }
        tables = []
        for table in plan.tables:
            with source.transaction() as connection:
                tables.append(_look(connection, table, by_table.pop(table.name, ())))
        tables = list(_with_hypertables(source, tables))
    rest = tuple(finding for found in by_table.values() for finding in found)
    return Draft(path, state_home(Config()), tuple(tables), rest, plan.skipped)


def _look(connection: SourceConnection, plan: TablePlan, findings: tuple[Finding, ...]) -> TableDraft:
    table = plan.source
    rows, counted = _rows(connection, plan)
    columns = [Profiled(c.name, identifier(c.name), c.affinity, c.declared_type) for c in table.columns]
    seen = profile(connection, table, columns, sample=_SAMPLE_ROWS).columns
    dates = tuple(one for column in seen if (one := _dates(column)))
    mixed = tuple(kinds for column in seen if (kinds := _mixed(column)))
    return TableDraft(plan, rows, counted, dates, mixed, findings)


def _rows(connection: SourceConnection, plan: TablePlan) -> tuple[int, bool]:
    spans = ranges.spans(connection, plan, 1, 1) if plan.by_rowid else []
    for after, until in spans:
        reach = (until or 0) - int(after or 0)
        if reach > COUNTED_ROWS:
            return reach, False
    return catalog.row_count(connection, plan.name), True


def _dates(column: ColumnProfile) -> Dates | None:
    for form, origin, kinds in _FORMS:
        named = not origin or _NAMED_LIKE_MOMENTS.search(column.name)
        if named and column.values and column.of(*kinds) >= 0.99 * column.values:
            return Dates(column.name, form, origin, complete=not column.stored_as("null"))
    return None


def _mixed(column: ColumnProfile) -> Mixed | None:
    """Integers beside reals are numbers all the same."""
    counts = [("number", column.stored_as("integer", "real"))]
    counts += [(kind, column.stored_as(kind)) for kind in ("text", "blob")]
    found = tuple((kind, count) for kind, count in counts if count)
    return Mixed(column.name, found) if len(found) > 1 else None


def _with_hypertables(source: Database, tables: Iterable[TableDraft]) -> Iterator[TableDraft]:
    tables = list(tables)
    biggest = sorted((table.rows for table in tables), reverse=True)[:_BIGGEST]
    least = min(MANY_ROWS, max(SOME_ROWS, biggest[-1])) if biggest else MANY_ROWS
    for table in tables:
        if table.rows < least:
            yield table
            continue
        with source.transaction() as connection:
            yield replace(table, hypertable=_hypertable(connection, table))


def _hypertable(connection: SourceConnection, table: TableDraft) -> Hypertable | None:
    """A column of complete moments that is a part of a unique key, else the one that grows most with the rowid.

    The date mark is none: the moment of a row's last change moves it from chunk to chunk.
    """
    source, mark = table.plan.source, table.plan.mark.moment
    keys = tuple(_unique_keys(source))
    found = [
        one
        for dates in table.dates
        if dates.complete and dates.column != mark
        if (one := series.look(connection, source, dates.column, dates.origin))
        if one.growing >= _GROWING or any(_has(key, one.column) for key in keys)
    ]
    if not found:
        return None
    chosen = min(found, key=lambda one: (not any(_has(key, one.column) for key in keys), -one.growing))
    rows_a_day = table.rows / max(chosen.days, 1 / 24)
    fitting = [name for name, days in _INTERVALS if rows_a_day * days <= CHUNK_ROWS]
    return Hypertable(
        chosen.column,
        fitting[-1] if fitting else _INTERVALS[0][0],
        _segments(connection, table, chosen.column),
        chosen,
        rows_a_day,
        tuple(key for key in keys if not _has(key, chosen.column)),
    )


def _has(key: tuple[str, ...], column: str) -> bool:
    return column.lower() in map(str.lower, key)


def _segments(connection: SourceConnection, table: TableDraft, time_column: str) -> tuple[str, ...]:
    """Columns that part the rows in groups: those of the key with the time, else of foreign keys and indexes."""
    source = table.plan.source
    others = [column for key in source.foreign_keys for column in key.columns]
    others += [index.columns[0] for index in source.indexes if index.columns[0]]
    for names in (*(key for key in _unique_keys(source) if _has(key, time_column)), others):
        wanted = [name for name in dict.fromkeys(names) if name.lower() != time_column.lower()]
        counts = series.distinct(connection, source, wanted)
        if found := tuple(name for name in wanted if 1 < counts[name] <= table.rows / _ROWS_A_SEGMENT):
            return found
    return ()


def _unique_keys(table: Table) -> Iterator[tuple[str, ...]]:
    if table.primary_key:
        yield table.primary_key
    yield from (tuple(n for n in index.columns if n) for index in table.indexes if index.unique and all(index.columns))
