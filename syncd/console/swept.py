"""The result of a sweep."""

from dataclasses import replace

from syncd.console.moved import pass_page
from syncd.console.page import Page, Paragraph
from syncd.engine.sweep import SweepReport
from syncd.wording import noun


def sweep_page(report: SweepReport) -> Page:
    """What a sweep did: a pass's table of changes, how many rows it read again, and what it refused to delete."""
    page = pass_page(report.as_pass)
    refused = [{"table": table.table, "error": table.error} for table in report.refused]
    told = tuple(Paragraph("{} was not swept: {}", (table.table, table.error), "bold red") for table in report.refused)
    document = {
        **page.document,
        "read_again": report.read_again,
        "seconds": round(report.seconds, 3),
        "refused": refused,
        "finished": report.finished,
    }
    note = Paragraph(
        "{} {} read again in {} s", (report.read_again, noun(report.read_again, "row"), round(report.seconds, 2))
    )
    return replace(page, document=document, blocks=(*page.blocks, *told), notes=(note,))
