"""The command that finds what no mark can see: sweep."""

import click

from syncd.cli.move import EXIT_STOPPED_TABLE
from syncd.cli.options import Command
from syncd.cli.session import Session, with_session
from syncd.cli.stop import StopSignal
from syncd.console.swept import sweep_page
from syncd.engine.catchup import Catchup
from syncd.engine.persistence import persistently
from syncd.engine.sides import Ownership, Sides
from syncd.engine.sweep import sweep


@click.command("sweep", cls=Command)
@click.option("--force", is_flag=True, help="Delete even more than half of a table.")
@with_session
def sweep_command(session: Session, *, force: bool) -> int:
    """Carry over deletes, and updates that no mark shows, then exit.

    It compares a new private copy of the source with that of the last sweep. The daemon does it by itself.
    Beside a running daemon it borrows the work for a while.

    \b
    Example: syncd sweep -c app.ini
    """
    return persistently(
        lambda: session.sides(Ownership.BORROW),
        lambda sides: _sweep(session, sides, force=force),
    )


def _sweep(session: Session, sides: Sides, *, force: bool) -> int:
    stop = StopSignal()
    catchup = Catchup(sides)
    try:
        with stop.listening(), session.console.busy("sweeping"):
            report = sweep(sides, catchup, force=force, stopping=stop)
    finally:
        catchup.close()
    session.console.show(sweep_page(report))
    if not report.finished:
        session.console.say("stopped; the next sweep begins anew, and what this one applied stays")
        return stop.exit_code
    return EXIT_STOPPED_TABLE if report.as_pass.stopped or report.refused else 0
