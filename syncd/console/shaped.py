"""The shape of tables in TimescaleDB: what was done to it, how it is, and what queries gained."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict

from syncd.console.page import Column, Page, Paragraph, Table, duration
from syncd.engine.timescale.benchmark import Timing
from syncd.engine.timescale.shaped import Shape
from syncd.engine.timescale.shaping import ShapeReport
from syncd.engine.timescale.steps import Step


def plan_page(report: ShapeReport) -> Page:
    """What would be done: each step with its reason, its SQL and an estimate."""
    blocks = [block for step in report.steps for block in _planned(step)]
    end = Paragraph("Nothing was changed." if report.steps else "nothing to do")
    return Page(_document(report), (*blocks, *_rest(report), end))


def shape_page(report: ShapeReport, shape: Shape, timings: Iterable[Timing] = ()) -> Page:
    """What was done, and what shape the tables have now."""
    timings = tuple(timings)
    columns = (Column("step"), Column("of"), Column("why"))
    done = Table(columns, tuple((str(step.kind), step.relation, step.why) for step in report.steps))
    document = _document(report) | {
        "shape": shape.as_document,
        "benchmark": [asdict(timing) | {"ratio": round(timing.ratio, 2)} for timing in timings],
    }
    notes = () if report.steps or report.refused else (Paragraph("nothing to do: everything has its shape"),)
    blocks = (*((done,) if report.steps else ()), *_rest(report), *shape_blocks(shape), *_timings(timings))
    return Page(document, blocks, notes)


def shape_blocks(shape: Shape) -> tuple[Table | Paragraph, ...]:
    """The hypertables and the policies as tables; nothing where there are none."""
    blocks: list[Table | Paragraph] = []
    if shape.tables:
        blocks.append(_tables(shape))
    if shape.policies:
        blocks.append(_policies(shape))
    return tuple(blocks)


def _tables(shape: Shape) -> Table:
    columns = (
        Column("hypertable"),
        Column("chunks of"),
        Column("chunks", number=True),
        Column("compressed", number=True),
        Column("bytes", number=True),
        Column("before", number=True),
        Column("after", number=True),
        Column("ratio", number=True),
    )
    rows = tuple(
        (
            t.table,
            t.interval,
            t.chunks,
            t.compressed_chunks,
            t.bytes,
            t.bytes_before,
            t.bytes_after,
            None if t.ratio is None else f"{t.ratio:.1f}",
        )
        for t in shape.tables
    )
    return Table(columns, rows)


def _policies(shape: Shape) -> Table:
    columns = (
        Column("policy"),
        Column("of"),
        Column("older than"),
        Column("every"),
        Column("last run"),
        Column("result", styles={"Failed": "bold red", "Success": "green"}),
        Column("error"),
    )
    rows = tuple(
        (
            job.kind,
            job.relation,
            job.after,
            job.every if job.scheduled else "paused",
            job.last_run,
            job.last_status,
            job.last_error,
        )
        for job in shape.policies
    )
    return Table(columns, rows)


def _planned(step: Step) -> Iterator[Paragraph]:
    cost = f", about {duration(step.seconds)}" if step.seconds else ""
    yield Paragraph("{} {}: {}{}", (str(step.kind), step.relation, step.why, cost), "bold")
    for statement in step.statements:
        yield Paragraph("  {};", (statement,))


def _rest(report: ShapeReport) -> Iterator[Paragraph]:
    for step in report.waiting:
        yield Paragraph("{} {} waits: {}", (str(step.kind), step.relation, step.why))
    for table in report.unloaded:
        yield Paragraph("{} is not loaded yet, so left alone: syncd load", (table,))
    for error in report.refused:
        yield Paragraph("{}", (str(error),), "bold red")
    if report.warning:
        yield Paragraph("{}", (report.warning,), "yellow")


def _timings(timings: tuple[Timing, ...]) -> Iterator[Table]:
    if timings:
        columns = (
            Column("query"),
            Column("before", number=True),
            Column("after", number=True),
            Column("times faster", number=True),
        )
        rows = tuple(
            (t.name, f"{t.before * 1000:.1f} ms", f"{t.after * 1000:.1f} ms", f"{t.ratio:.1f}") for t in timings
        )
        yield Table(columns, rows)


def _document(report: ShapeReport) -> dict[str, object]:
    return {
        "version": report.version,
        "steps": [_step(step) for step in report.steps],
        "waiting": [_step(step) for step in report.waiting],
        "refused": [{"table": error.where, "error": str(error)} for error in report.refused],
        "not_loaded": list(report.unloaded),
        "warning": report.warning,
        "seconds": round(report.seconds, 3),
    }


def _step(step: Step) -> dict[str, object]:
    return {
        "kind": str(step.kind),
        "relation": step.relation,
        "sql": list(step.statements),
        "why": step.why,
        "estimated_seconds": round(step.seconds, 3),
    }
