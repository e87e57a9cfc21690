"""The commands that look at both sides before anything moves: check, plan."""

from contextlib import closing

import click

from syncd.cli.options import Command, tables_option
from syncd.cli.session import Session, with_session
from syncd.console.checked import check_page
from syncd.console.planned import ddl_document, ddl_script, left_out_note, plan_page, refused_note
from syncd.engine.check import CheckReport, check
from syncd.engine.check.checking import check_source_alone
from syncd.engine.preview import Preview, preview, preview_of_source
from syncd.engine.progress import Silent
from syncd.engine.sides import Ownership, source_path
from syncd.errors import RefusedError, RetryError, TargetError, TargetUnavailableError
from syncd.source.database import Database

EXIT_REFUSED_TABLE = 1
EXIT_NO_GO = 4


@click.command("check", cls=Command)
@tables_option
@click.option("--quick", is_flag=True, help="Look at a sample of the rows alone.")
@with_session
def check_command(session: Session, *, quick: bool) -> int:
    """Find every problem before the first row moves: GO, or NO-GO with exit code 4. Writes nothing.

    Each finding tells how many rows it concerns, such as which, and what to write into the configuration.

    \b
    Example: syncd check --source app.db --target postgresql://me@db/app
             syncd check --quick -c app.ini
    """
    session.check_source()
    report, away = _checked(session, quick=quick)
    session.console.show(check_page(report))
    if away:
        return away.exit_code
    return 0 if report.is_go else EXIT_NO_GO


def _checked(session: Session, *, quick: bool) -> tuple[CheckReport, TargetUnavailableError | None]:
    """The report of both sides, or of the source alone where the target cannot be used; and whether it is just away."""
    progress = Silent()
    with session.console.busy("checking"):
        try:
            with session.sides(Ownership.NONE) as sides:
                return check(sides, progress, quick=quick), None
        except (TargetError, TargetUnavailableError, RefusedError) as error:
            with closing(Database(source_path(session.config))) as database:
                report = check_source_alone(session.config, database, error, progress, quick=quick)
            return report, error if isinstance(error, TargetUnavailableError) else None


@click.command("plan", cls=Command)
@click.option("--sql", "only_sql", is_flag=True, help="Print only the SQL that creates what the target lacks.")
@with_session
def plan_command(session: Session, *, only_sql: bool) -> int:
    """Show what would be done: order, keys, marks, and the type of every column with its reason. Writes nothing.

    A mark is the column by which new rows are found. --sql prints a script for psql instead.

    \b
    Example: syncd plan --source app.db --target postgresql://me@db/app
             syncd plan --sql -c app.ini > schema.sql
    """
    session.check_source()
    found = _previewed(session, counting=only_sql)
    if only_sql:
        session.console.hand_over(ddl_script(found), ddl_document(found))
        for skipped in found.left_out:
            session.console.say(left_out_note(skipped))
        for error in found.plan.refused:
            session.console.say(refused_note(error))
    else:
        session.console.show(plan_page(found))
    return EXIT_REFUSED_TABLE if found.plan.refused else 0


def _previewed(session: Session, *, counting: bool) -> Preview:
    """The plan for both sides, or for an empty target where the target cannot be used."""
    if session.lacks_target:
        session.console.say("the PostgreSQL that comes along was never started: this is the plan for an empty target")
        return _preview_of_source(session, counting=counting)
    try:
        with session.sides(Ownership.NONE) as sides:
            return preview(sides, counting=counting)
    except (TargetError, RetryError, RefusedError) as error:
        found = _preview_of_source(session, counting=counting)
        session.console.say(f"the target cannot be used, so this is the plan for an empty one: {error.what}")
        return found


def _preview_of_source(session: Session, *, counting: bool) -> Preview:
    source = Database(source_path(session.config))
    try:
        return preview_of_source(session.config, source, counting=counting)
    finally:
        source.close()
