"""The command that gives tables their shape in TimescaleDB."""

import click

from syncd.cli.options import Command
from syncd.cli.session import Session, with_session
from syncd.cli.stop import StopSignal
from syncd.console.shaped import plan_page, shape_page
from syncd.engine.sides import Ownership, Sides
from syncd.engine.timescale import preview, shape
from syncd.engine.timescale.benchmark import benchmark
from syncd.engine.timescale.shaped import read_shape
from syncd.engine.timescale.shaping import ShapeReport
from syncd.errors import UsageError

EXIT_REFUSED = 1
_NOT_TIMED = (
    "no query was timed: the usual ones are of hypertables with rows, whose time is no number; [benchmark:NAME]"
)


@click.command("timescale", cls=Command)
@click.option(
    "--dry-run", "only_dry", is_flag=True, help="Show each step with its SQL and an estimate; change nothing."
)
@click.option("--benchmark", "timing", is_flag=True, help="Time queries before and after.")
@with_session
def timescale(session: Session, *, only_dry: bool, timing: bool) -> int:
    """Make hypertables, indexes, compression, aggregates and policies, as configured.

    Needs TimescaleDB in the target. A second run changes nothing. Beside a running daemon it borrows the work for
    a while.

    \b
    Example: syncd timescale -c app.ini --dry-run
    """
    if only_dry and timing:
        raise UsageError("--dry-run and --benchmark exclude each other")
    if only_dry:
        with session.sides(Ownership.NONE) as sides:
            report = preview(sides)
        session.console.show(plan_page(report))
        return EXIT_REFUSED if report.refused else 0
    with session.sides(Ownership.BORROW) as sides:
        return _shape(session, sides, timing=timing)


def _shape(session: Session, sides: Sides, *, timing: bool) -> int:
    stop = StopSignal()

    def work() -> ShapeReport:
        with stop.listening(), session.console.progress("shaping", stop) as progress:
            return shape(sides, progress, stop)

    report, timings = benchmark(sides, work) if timing else (work(), ())
    if timing and not timings:
        session.console.say(_NOT_TIMED)
    session.console.show(shape_page(report, read_shape(sides.control, sides.schema), timings))
    if not report.finished:
        session.console.say("stopped; the next syncd timescale goes on from here")
        return stop.exit_code
    return EXIT_REFUSED if report.refused else 0
