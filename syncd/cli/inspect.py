"""The commands that look: status, verify."""

import click

from syncd.cli.options import Command, tables_option
from syncd.cli.session import Session, with_session
from syncd.console import Page
from syncd.console.found import status_page, verify_page
from syncd.engine.sides import Ownership, Sides
from syncd.engine.status import read_status
from syncd.engine.verify import SAMPLE_ROWS, verify
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

        if watch:
            session.console.watch(read)
        else:
            session.console.show(read())
    return 0


@click.command("verify", cls=Command)
@click.option(
    "--mode",
    type=click.Choice(["counts", "sample"]),
    default="sample",
    show_default=True,
    help="Count the rows, or count them and compare some, chosen at random.",
)
@tables_option
@click.option("--no-sync", is_flag=True, help="Make no pass first: what is new in the source shows as a difference.")
@click.option(
    "--rows",
    type=click.IntRange(min=1),
    default=SAMPLE_ROWS,
    show_default=True,
    help="How many rows of each table a sample compares.",
)
@with_session
def verify_command(session: Session, *, mode: str, no_sync: bool, rows: int) -> int:
    """Compare the two sides; exits 3 when they differ.

    \b
    Example: syncd verify -c app.ini --mode sample
    """
    with session.sides(Ownership.NONE if no_sync else Ownership.BORROW) as sides:
        return compare(session, sides, mode, sync=not no_sync, rows=rows)


def compare(session: Session, sides: Sides, mode: str, *, sync: bool = True, rows: int = SAMPLE_ROWS) -> int:
    """Compare both sides, show what was found, and return the exit code."""
    if not sides.checkpoints():
        raise NotReadyError("nothing is loaded yet", where=sides.target.shown, advice="First: syncd load")
    with session.console.busy("comparing"):
        report = verify(sides, mode, sync=sync, rows=rows)
    session.console.show(verify_page(report))
    return EXIT_DIFFERENT if report.differences else 0
