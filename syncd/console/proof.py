"""The report of a cutover: one page for browsers and for paper, without a network, and a short one for terminals."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from syncd.console.page import Column, Page, Paragraph, Table
from syncd.console.shaped import shape_blocks
from syncd.engine.timescale.shaped import Shape

_STOPPED = ("final drain", "sweep", "verify", "sequences", "finish")
_NOTHING = "-"
_UNRECORDED = "not recorded by the syncd that made this report"
"""Of what reports tell by now; the record of a cutover stays as it was written."""

Document = Mapping[str, Any]


def html(document: Document) -> str:
    """The whole page; every value in it is escaped."""
    environment = Environment(
        loader=PackageLoader("syncd.console"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"number": _number, "seconds": _seconds, "short": _short, "bytes": _bytes}
    return environment.get_template("cutover.html").render(
        record=document,
        name=Path(document["source"]).name,
        totals=_totals(document["tables"]),
        timeline=_timeline(document),
        shape=document.get("shape"),
        unrecorded=_UNRECORDED,
    )


def report_page(document: Document) -> Page:
    """The same in short, for a terminal; the document is the whole."""
    columns = (Column("step"), Column("seconds", number=True), Column("outcome"), Column("what"))
    steps = tuple((s["step"], s["seconds"], s["outcome"], s["detail"].partition("\n")[0]) for s in document["steps"])
    outcome = "bold green" if document["outcome"] == "promoted" else "bold red"
    said = (document["outcome"], f": {document['why']}" if document["why"] else "")
    head = (
        Paragraph("source   {}", (document["source"],)),
        Paragraph("target   {}", (document["target"],)),
        Paragraph("attempt  {}, {}, {}", (document["attempt"], document["ended"], document["who"])),
        Paragraph("outcome  {}{}", said, outcome),
    )
    blocks = (*head, Table(columns, steps), *_shape(document))
    return Page(document, blocks, (Paragraph("the whole: syncd report -o cutover.html"),))


def _shape(document: Document) -> tuple[Table | Paragraph, ...]:
    if "shape" not in document:
        return (Paragraph("hypertables  {}", (_UNRECORDED,)),)
    return shape_blocks(Shape.from_document(document["shape"]))


def _totals(tables: Sequence[Document]) -> Mapping[str, int | None]:
    """Each sum; None where no table was counted."""
    names = ("source_rows", "target_rows", "compared", "rejected", "differences", "size")
    counted = {name: [table[name] for table in tables if table[name] is not None] for name in names}
    return {name: sum(counts) if counts else None for name, counts in counted.items()}


def _timeline(document: Document) -> list[dict[str, Any]]:
    """Each step with its bars on a common line of time, in percent."""
    steps = document["steps"]
    if not steps:
        return []
    moments = [_moment(step["began"]) for step in steps]
    whole = max(moments[-1] + (steps[-1]["seconds"] or 0) - moments[0], 0.001)
    predicted = {part["step"]: part["seconds"] for part in document["predicted"]}

    def bar(begin: float, end: float, *, stopped: bool) -> dict[str, Any]:
        left, width = (round(100 * seconds / whole, 2) for seconds in (begin - moments[0], end - begin))
        return {"left": left, "width": width, "stopped": stopped}

    return [
        {
            **step,
            "bars": [bar(begin, end, stopped=stopped) for begin, end, stopped in _parts(step, moment, document)],
            "predicted": predicted.get(step["step"]),
        }
        for step, moment in zip(steps, moments, strict=True)
    ]


def _parts(step: Document, began: float, document: Document) -> list[tuple[float, float, bool]]:
    """Begin and end of a step, and whether writers waited; the fence's step in two: writes stop on the way."""
    ended = began + (step["seconds"] or 0)
    if step["step"] != "fence" or not document.get("fenced"):
        return [(began, ended, step["step"] in _STOPPED)]
    fenced = min(max(_moment(document["fenced"]), began), ended)
    return [(began, fenced, False), (fenced, ended, True)]


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _number(value: int | None) -> str:
    return _NOTHING if value is None else f"{value:,}"


def _seconds(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.2f} s"


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _bytes(value: int | None) -> str:
    if not value:
        return _NOTHING
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value} B"
