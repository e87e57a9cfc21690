"""The result of the check, for people and for programs."""

from collections.abc import Iterator

from syncd.console.page import Page, Paragraph, Table
from syncd.engine.check import CheckReport, Finding, Gravity
from syncd.engine.check.checking import suggested
from syncd.wording import counted, noun

_TITLES = {
    Gravity.BLOCKER: ("ERRORS ({}): settle these before loading", "bold red"),
    Gravity.WARNING: ("WARNINGS ({})", "yellow"),
    Gravity.NOTE: ("NOTES ({})", "dim"),
}


def check_page(report: CheckReport) -> Page:
    """Every finding under its gravity, what to write into the configuration, and GO or NO-GO at the end."""
    return Page(_document(report), tuple(_blocks(report)))


def _document(report: CheckReport) -> dict[str, object]:
    return {
        "go": report.is_go,
        "complete": report.complete,
        "tables": report.tables,
        "rows": report.rows,
        "seconds": round(report.seconds, 3),
        "findings": [
            {
                "gravity": finding.gravity.name.lower(),
                "table": finding.table,
                "column": finding.column,
                "count": finding.count,
                "what": finding.what,
                "examples": list(finding.examples),
                "ini": finding.ini,
                "advice": finding.advice,
            }
            for finding in report.findings
        ],
        "ini": "\n".join(suggested(report)),
    }


def _blocks(report: CheckReport) -> Iterator[Table | Paragraph]:
    for gravity, (title, style) in _TITLES.items():
        of_gravity = [finding for finding in report.findings if finding.gravity is gravity]
        if of_gravity:
            yield Paragraph(title, (len(of_gravity),), style)
            yield from (Paragraph("{}", (_told(finding),)) for finding in of_gravity)
    if lines := tuple(suggested(report)):
        yield Paragraph("what to write into the configuration, where nothing better is known:", (), "bold")
        yield Paragraph("\n".join(["{}"] * len(lines)), lines)
    looked = "every row of them" if report.complete else "a sample of their rows"
    tables = noun(report.tables, "table")
    yield Paragraph(
        f"{{}} {tables}, {{}} ({{}}) in {{}} s", (report.tables, looked, report.rows, report.seconds), "dim"
    )
    yield Paragraph("GO", (), "bold green") if report.is_go else Paragraph("NO-GO", (), "bold red")


def _told(finding: Finding) -> str:
    place = ".".join(part for part in (finding.table, finding.column) if part)
    count = f"{counted(finding.count, 'row')}: " if finding.count is not None else ""
    lines = [f"{place}: {count}{finding.what}" if place else f"{count}{finding.what}"]
    if finding.examples:
        lines.append(f"  for example {', '.join(finding.examples)}")
    if finding.advice:
        lines.append(f"  {finding.advice}")
    lines += [f"    {line}" for line in finding.ini.split("\n") if line]
    return "\n".join(lines)
