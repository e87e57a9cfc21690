"""Findings about the source: how it can be read, which marks it offers, what has no counterpart."""

import os
from collections.abc import Iterator
from pathlib import Path

from syncd.config import Config, WatermarkKind
from syncd.engine.check.findings import Finding, Gravity
from syncd.errors import UnnamedRowsError
from syncd.plan import AUTO_DATE_ROWS, Plan, TablePlan
from syncd.plan.suggesting import listed
from syncd.quoting import identifier
from syncd.source import catalog
from syncd.source.database import SourceConnection, query

_LARGE_WAL = 1_000_000_000


def of_file(connection: SourceConnection, path: Path) -> Iterator[Finding]:
    """How the file can be read while the application writes."""
    if str(connection.pragma("journal_mode")) != "wal":
        yield Finding(
            Gravity.WARNING,
            "the source is in rollback-journal mode: its writers wait while a private copy is taken, about two seconds"
            " for each gigabyte",
            advice="PRAGMA journal_mode = WAL in the application lets both go on at the same time",
        )
    elif not os.access(path.parent, os.W_OK):
        yield Finding(
            Gravity.WARNING,
            f"{path.parent} may not be written to: once the application stops, SQLite removes the -wal and -shm files "
            "and nobody but their owner can make them again to read the source",
            advice="Give this user the right to write to the directory",
        )
    wal = Path(f"{path}-wal")
    size = wal.stat().st_size if wal.exists() else 0
    if size > _LARGE_WAL:
        yield Finding(
            Gravity.WARNING,
            f"the source's WAL has {size // 1_000_000} MB: some reader keeps SQLite from putting it into the database",
            advice="Find the process with a read transaction that does not end",
        )


def of_table(connection: SourceConnection, config: Config, table: TablePlan) -> Iterator[Finding]:
    """What a table's mark and key will and will not show."""
    mark, configured = table.mark, config.table(table.name).watermark.kind
    if mark.moment:
        kinds = catalog.storage_classes(connection, table.name, mark.moment)
        if len(kinds) > 1:
            yield Finding(
                Gravity.BLOCKER,
                f"the date mark {mark.moment} holds {' and '.join(sorted(kinds))}, which do not sort by time",
                table.name,
                mark.moment,
                lines={"watermark": "rowid"},
            )
        nulls = _nulls(connection, table)
        if nulls:
            said = "rows without a value in the date mark: they are found by rowid and by the sweep"
            yield Finding(Gravity.NOTE, said, table.name, mark.moment, nulls)
        if configured is WatermarkKind.DATE and not catalog.is_indexed(connection, table.name, mark.moment):
            yield from _unindexed(connection, table)
    elif mark.rowid is None:
        said = "no rowid and no date tells its new rows: only the sweep finds changes"
        yield Finding(Gravity.WARNING, said, table.name)
    if table.by_rowid and table.source_key[0] in ("rowid", "_rowid_", "oid"):
        yield Finding(
            Gravity.NOTE, "its rowid is no column of its own: VACUUM may give its rows other rowids", table.name
        )


def _nulls(connection: SourceConnection, table: TablePlan) -> int:
    column = table.source.column(table.mark.moment) if table.mark.moment else None
    if column is None or column.not_null:
        return 0
    condition = f"{identifier(column.name)} IS NULL"
    return int(query(connection, f"SELECT count(*) FROM {identifier(table.name)} WHERE {condition}")[0][0])


def _unindexed(connection: SourceConnection, table: TablePlan) -> Iterator[Finding]:
    rows = query(connection, f"SELECT 1 FROM {identifier(table.name)} LIMIT 1 OFFSET {AUTO_DATE_ROWS}")
    if rows:
        yield Finding(
            Gravity.WARNING,
            f"the date mark {table.mark.moment} has no index: every pass reads the whole table",
            table.name,
            table.mark.moment or "",
            advice="An index on it in the source makes passes fast",
        )


def not_carried(plan: Plan, config: Config) -> Iterator[Finding]:
    """What of the source has no counterpart in the target."""
    unnamed = [error for error in plan.refused if isinstance(error, UnnamedRowsError)]
    for error in unnamed:
        yield Finding(
            Gravity.BLOCKER,
            error.what,
            error.where,
            section="sync",
            lines={"skip": listed([*config.sync.skip, *(one.where for one in unnamed)])},
            advice="Or give the table a primary key in the source: its rows are not moved as it is",
        )
    for skipped in plan.skipped:
        yield Finding(Gravity.NOTE, f"not carried over: {skipped.reason}", skipped.name)
    for table in plan.tables:
        for skipped in table.not_carried:
            yield Finding(Gravity.NOTE, f"{skipped.name} is not carried over: {skipped.reason}", table.name)
