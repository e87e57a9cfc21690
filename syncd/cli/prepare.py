"""The commands that look at both sides before anything moves: check."""

import click

from syncd.cli.options import Command, tables_option
from syncd.cli.session import Session, with_session
from syncd.console.checked import check_page
from syncd.engine.check import CheckReport, check
from syncd.engine.check.checking import check_source_alone
from syncd.engine.progress import Silent
from syncd.engine.sides import Ownership, Sides, source_path
from syncd.errors import NotReadyError, RefusedError, RetryError, TargetError
from syncd.source.database import Database

EXIT_NO_GO = 4


@click.command("check", cls=Command)
@tables_option
@click.option("--quick", is_flag=True, help="Look at a sample of the rows alone.")
@with_session
def check_command(session: Session, *, quick: bool) -> int:
    """Find every problem before the first row moves: GO, or NO-GO with exit code 4. Writes nothing.

    \b
    Example: syncd check --source app.db --target postgresql://me@db/app
    """
    session.check_source()
    report = _checked(session, quick=quick)
    session.console.show(check_page(report))
    return 0 if report.is_go else EXIT_NO_GO


def _checked(session: Session, *, quick: bool) -> CheckReport:
    """The report of both sides, or of the source alone where the target cannot be used."""
    progress = Silent()
    with session.console.busy("checking"):
        try:
            with session.sides(Ownership.NONE) as sides:
                return check(sides, progress, quick=quick)
        except (TargetError, RetryError, RefusedError) as error:
            database = Database(source_path(session.config))
            try:
                return check_source_alone(session.config, database, error, progress, quick=quick)
            finally:
                database.close()


def refuse_no_go(session: Session, sides: Sides) -> None:
    """Show what the quick check finds and raise NotReadyError where that is NO-GO."""
    report = check(sides, Silent(), quick=True)
    if report.is_go:
        return
    session.console.show(check_page(report))
    raise NotReadyError(
        "the check says NO-GO",
        where=str(sides.source.path),
        advice="Settle what stands above; syncd check looks at every row; --force goes on all the same",
    )
