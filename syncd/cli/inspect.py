"""The commands that look: status, verify."""

import click

from syncd.cli.options import Command, tables_option
from syncd.cli.session import Session, with_session
from syncd.cli.stop import StopSignal
from syncd.console import Page
from syncd.console.found import status_page
from syncd.console.verified import verify_page
from syncd.engine.sides import Ownership, Sides
from syncd.engine.status import read_status
from syncd.engine.verify import SAMPLE_ROWS, Asked, verify
from syncd.errors import NotReadyError

EXIT_DIFFERENT = 3


@click.command(cls=Command)
@click.option("--watch", is_flag=True, help="Show it again and again until Ctrl-C.")
@with_session
def status(session: Session, *, watch: bool) -> int:
    """Show where every table stands; also while a daemon is at work.

    \b
    Example: syncd status -c app.ini --watch
    """
    with session.target() as target:

        def read() -> Page:
            return status_page(read_status(session.config, target))

        if not watch:
            session.console.show(read())
            return 0
        stop = StopSignal()
        with stop.listening():
            session.console.watch(read, stop)
    return stop.exit_code


@click.command("verify", cls=Command)
@click.option(
    "--mode",
    type=click.Choice(["counts", "sample", "full"]),
    default="full",
    show_default=True,
    help="Count the rows; count them and compare some, chosen at random; or compare every row, both ways.",
)
@tables_option
@click.option("--repair", is_flag=True, help="Read the rows that differ again from the source, and compare them again.")
@click.option("--no-sync", is_flag=True, help="Make no pass first: what is new in the source shows as a difference.")
@click.option("--paranoid", is_flag=True, help="Hold every value against a second opinion, by rules of its own.")
@click.option(
    "--rows",
    type=click.IntRange(min=1),
    default=SAMPLE_ROWS,
    show_default=True,
    help="How many rows of each table a sample compares.",
)
@with_session
def verify_command(session: Session, *, mode: str, repair: bool, no_sync: bool, paranoid: bool, rows: int) -> int:
    """Compare the two sides; exits 3 when they differ.

    Every row, both ways, byte by byte in PostgreSQL's own types. A pass and a sweep come first, so that only what is
    really different shows. --repair mends it.

    \b
    Example: syncd verify -c app.ini
             syncd verify -c app.ini --tables orders --repair
    """
    asked = Asked(mode, sync=not no_sync, rows=rows, paranoid=paranoid, repair=repair)
    asked.check()
    with session.sides(Ownership.NONE if no_sync else Ownership.BORROW) as sides:
        return compare(session, sides, asked)


def compare(session: Session, sides: Sides, asked: Asked) -> int:
    """Compare both sides, show what was found, and return the exit code."""
    if not sides.checkpoints():
        raise NotReadyError("nothing is loaded yet", where=sides.target.shown, advice="First: syncd load")
    with session.console.progress("comparing") as progress:
        report = verify(sides, asked, progress)
    session.console.show(verify_page(report))
    return EXIT_DIFFERENT if report.found else 0
