"""The results of what reads and moves rows: load, dry run, pass."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from syncd.console.page import Cell, Column, Page, Paragraph, Table, duration
from syncd.engine.dryrun import DryRunReport, DryRunTable
from syncd.engine.trying import Cause
from syncd.model import Applied, PassReport, TableReport
from syncd.wording import noun


def load_page(report: PassReport, stopped_before: Iterable[TableReport] = ()) -> Page:
    """What a load did; `stopped_before` are tables that an earlier one stopped."""
    earlier = tuple(stopped_before)
    stopped = (*report.stopped, *earlier)
    columns = (
        Column("table"),
        Column("rows read", number=True),
        Column("written", number=True),
        Column("rejected", number=True, alarm="yellow"),
        Column("seconds", number=True),
        Column("rows/s", number=True),
    )
    table = Table(
        columns,
        tuple(_loaded(t.table, t.applied, t.seconds) for t in report.tables),
        _loaded("total", report.applied, report.seconds),
    )
    notes = []
    if earlier:
        notes.append(Paragraph("what stopped after its load is tried again by syncd sync"))
    elif not report.tables:
        notes.append(Paragraph("nothing to load: every table is loaded"))
    return Page(
        _document(report, stopped),
        ((table,) if report.tables else ()) + _rejected(report) + _failures(stopped),
        tuple(notes),
    )


def pass_page(report: PassReport, unloaded: tuple[str, ...] = (), stopped_before: Iterable[TableReport] = ()) -> Page:
    """What a pass did; `unloaded` are tables that it left alone because no load has finished them."""
    stopped = (*report.stopped, *stopped_before)
    # Rows at a date mark are read again in every pass; that alone is nothing to tell.
    active = tuple(t for t in report.tables if replace(t.applied, read=0) != Applied() or t.error)
    columns = (
        Column("table"),
        Column("inserted", number=True),
        Column("updated", number=True),
        Column("deleted", number=True),
        Column("rejected", number=True, alarm="yellow"),
        Column("seconds", number=True),
    )
    table = Table(
        columns,
        tuple(_passed(t.table, t.applied, t.seconds) for t in active),
        _passed("total", report.applied, report.seconds),
    )
    notes = []
    if unloaded:
        notes.append(
            Paragraph("not loaded yet, so left alone: {}. syncd load or syncd run loads them", (", ".join(unloaded),))
        )
    elif not active and not stopped:
        notes.append(Paragraph("nothing to do: the source has nothing new"))
    return Page(
        _document(report, stopped) | {"not_loaded": list(unloaded)},
        ((table,) if active else ()) + _rejected(report) + _failures(stopped),
        tuple(notes),
    )


def dry_run_page(report: DryRunReport) -> Page:
    """What a dry run read, and what would become of it."""
    columns = (
        Column("table"),
        Column("rows", number=True),
        Column("bytes", number=True),
        Column("refused", number=True, alarm="bold red"),
        Column("seconds", number=True),
        Column("rows/s", number=True),
    )
    rows, size = sum(t.rows for t in report.tables), sum(t.bytes for t in report.tables)
    refused = sum(t.refused for t in report.tables)
    total = ("total", rows, size, refused, report.seconds, round(_speed(rows, report.seconds)))
    end = Paragraph("Nothing was written. An estimate for the load: {}.", (duration(report.estimated_load_seconds),))
    document = {
        "with_target": report.with_target,
        "tables": [_dry_document(t) for t in report.tables],
        "total": _counted(rows, size, refused, report.seconds),
        "estimated_load_seconds": round(report.estimated_load_seconds, 3),
    }
    table = Table(columns, tuple(map(_dry, report.tables)), total)
    return Page(document, (table, *_causes(report), *_would_stop(report), end))


def _causes(report: DryRunReport) -> Iterator[Table]:
    """Why rows would not land, each cause with a row to look at."""
    columns = (Column("table"), Column("column"), Column("rows", number=True), Column("why"), Column("such as"))
    rows = tuple(
        (table.table, cause.column, cause.rows, _why(cause), f"{example.source_key}: {example.message}")
        for table in report.tables
        for cause in table.causes
        for example in cause.examples[:1]
    )
    if rows:
        yield Table(columns, rows)


def _why(cause: Cause) -> str:
    return f"{cause.reason}, lands without the foreign key" if cause.lands else cause.reason


def _would_stop(report: DryRunReport) -> Iterator[Paragraph]:
    for table in report.stopped:
        yield Paragraph("{} would stop: {}", (table.table, _without(table.table, table.error)), "bold red")


def _dry(table: DryRunTable) -> tuple[Cell, ...]:
    return table.table, table.rows, table.bytes, table.refused, table.seconds, round(_speed(table.rows, table.seconds))


def _dry_document(table: DryRunTable) -> dict[str, object]:
    causes = [
        {
            "reason": cause.reason,
            "column": cause.column,
            "rows": cause.rows,
            "lands": cause.lands,
            "examples": [{"source_key": e.source_key, "message": e.message} for e in cause.examples],
        }
        for cause in table.causes
    ]
    counted = _counted(table.rows, table.bytes, table.refused, table.seconds)
    return {"table": table.table, **counted, "error": table.error, "causes": causes}


def _counted(rows: int, size: int, refused: int, seconds: float) -> dict[str, object]:
    return {
        "rows": rows,
        "bytes": size,
        "refused": refused,
        "seconds": round(seconds, 3),
        "rows_per_second": round(_speed(rows, seconds)),
    }


def _loaded(name: str, applied: Applied, seconds: float) -> tuple[Cell, ...]:
    return name, applied.read, applied.written, applied.rejected, seconds, round(_speed(applied.read, seconds))


def _passed(name: str, applied: Applied, seconds: float) -> tuple[Cell, ...]:
    return name, applied.inserted, applied.updated, applied.deleted, applied.rejected, seconds


def _speed(rows: int, seconds: float) -> float:
    return rows / seconds if seconds else 0.0


def _rejected(report: PassReport) -> tuple[Paragraph, ...]:
    count = report.applied.rejected
    if not count:
        return ()
    return (Paragraph("{} {} rejected and kept: syncd rejects list", (count, noun(count, "row")), "yellow"),)


def _failures(stopped: Iterable[TableReport]) -> tuple[Paragraph, ...]:
    return tuple(Paragraph("{} stopped: {}", (t.table, _without(t.table, t.error)), "bold red") for t in stopped)


def _without(table: str, error: str) -> str:
    return error.removeprefix(f"{table}: ")


def _document(report: PassReport, stopped: Iterable[TableReport]) -> dict[str, object]:
    return {
        "tables": [_table_document(t.table, t.applied, t.seconds) | {"error": t.error} for t in report.tables],
        "total": _table_document("total", report.applied, report.seconds),
        "stopped": [{"table": t.table, "error": t.error} for t in stopped],
    }


def _table_document(name: str, applied: Applied, seconds: float) -> dict[str, object]:
    return {
        "table": name,
        "rows_read": applied.read,
        "inserted": applied.inserted,
        "updated": applied.updated,
        "deleted": applied.deleted,
        "rejected": applied.rejected,
        "seconds": round(seconds, 3),
        "rows_per_second": round(_speed(applied.read, seconds)),
    }
