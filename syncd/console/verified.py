"""The result of verify: a line for each table, then examples of what differs, value beside value."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from syncd.console.page import Cell, Column, Page, Paragraph, Table
from syncd.model import Difference, TableVerdict, Unlike, VerifyReport
from syncd.wording import noun

ON_A_TERMINAL = 50


def verify_page(report: VerifyReport) -> Page:
    """Whether both sides are equal."""
    columns = (
        Column("table"),
        Column("source", number=True),
        Column("target", number=True),
        Column("rejected", number=True, alarm="yellow"),
        Column("compared", number=True),
        Column("missing", number=True, alarm="bold red"),
        Column("different", number=True, alarm="bold red"),
        Column("extra", number=True, alarm="bold red"),
        Column("differences", number=True, alarm="bold red"),
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple((table.table, *_numbers(table)) for table in report.tables)
    sums = [sum(numbers) for numbers in zip(*map(_numbers, report.tables), strict=True)]
    blocks = [Table(columns, rows, ("total", *sums))]
    blocks += [_columns(report.tables)] if any(table.columns for table in report.tables) else []
    blocks += [_examples(report.differences)] if report.differences else []
    return Page(_document(report), (*blocks, *_apart(report), *_end(report)))


def _numbers(table: TableVerdict) -> tuple[int, ...]:
    return (
        table.source_rows,
        table.target_rows,
        table.rejected,
        table.compared,
        table.missing,
        table.different + table.converted,
        table.extra,
        table.found,
    )


def _columns(tables: Sequence[TableVerdict]) -> Table:
    """How many rows differ in each column."""
    columns = (Column("table"), Column("column"), Column("different rows", number=True))
    return Table(columns, tuple((table.table, name, rows) for table in tables for name, rows in table.columns))


def _examples(found: Sequence[Difference]) -> Table:
    columns = (Column("table"), Column("difference"), Column("key"), Column("what"), Column("source"), Column("target"))
    return Table(columns, tuple(row for difference in found for row in _example(difference)), at_most=ON_A_TERMINAL)


def _example(difference: Difference) -> list[tuple[str, ...]]:
    """A row for each value that differs; one row where there is none to show."""
    head = (difference.table, difference.kind, difference.key)
    pairs = difference.values or (Unlike(difference.detail, "", ""),)
    return [(*head, pair.column, _shown(pair.source), _shown(pair.target)) for pair in pairs]


def _shown(value: str | None) -> str:
    """NULL apart from text, and blanks where they can be seen."""
    if value is None:
        return "NULL"
    return f"'{value}'" if value != value.strip() or value == "NULL" else value


def _apart(report: VerifyReport) -> Iterator[Paragraph]:
    """Rows that the two sides do not have alike, and that are no difference."""
    if older := sum(table.older for table in report.tables):
        told = (older, noun(older, "rejected row"), "stands" if older == 1 else "stand")
        yield Paragraph("{} {} {} in an older version in the target: syncd rejects list", told, "yellow")
    if kept := sum(table.kept for table in report.tables):
        told = (kept, noun(kept, "row"), "stays" if kept == 1 else "stay")
        yield Paragraph("{} {} that the source has no longer {} by deletes = no", told, "yellow")


def _end(report: VerifyReport) -> tuple[Paragraph, ...]:
    repaired = (
        (Paragraph("{} {} repaired", (report.repaired, noun(report.repaired, "row")), "yellow"),)
        if report.repaired
        else ()
    )
    if report.found:
        told = (report.found, noun(report.found, "difference"), report.mode, report.seconds)
        return (*repaired, Paragraph("{} {}, verified by {} in {} s", told, "bold red"))
    return (*repaired, Paragraph("no difference, verified by {} in {} s", (report.mode, report.seconds), "green"))


def _document(report: VerifyReport) -> dict[str, object]:
    return {
        "mode": report.mode,
        "seconds": round(report.seconds, 3),
        "found": report.found,
        "repaired": report.repaired,
        "tables": [_verdict_document(table) for table in report.tables],
        "differences": [asdict(difference) for difference in report.differences],
    }


def _verdict_document(table: TableVerdict) -> dict[str, object]:
    return {
        "table": table.table,
        "source_rows": table.source_rows,
        "target_rows": table.target_rows,
        "rejected": table.rejected,
        "compared": table.compared,
        "missing": table.missing,
        "different": table.different,
        "extra": table.extra,
        "converted": table.converted,
        "columns": dict(table.columns),
        "repaired": table.repaired,
        "rejected_older": table.older,
        "kept": table.kept,
        "differences": table.found,
    }
