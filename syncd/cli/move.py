"""The commands that move rows: load, sync, run."""

from contextlib import ExitStack

import click

from syncd.cli.inspect import compare
from syncd.cli.options import Command, tables_option
from syncd.cli.session import Session, with_session
from syncd.cli.stop import StopSignal
from syncd.console.checked import check_page
from syncd.console.moved import dry_run_page, load_page, pass_page
from syncd.console.profiled import with_profile
from syncd.engine.bound import judge
from syncd.engine.catchup import Catchup
from syncd.engine.check import NoGoError, confirm_go
from syncd.engine.dryrun import dry_run, dry_run_of_source
from syncd.engine.load import load
from syncd.engine.looking import looking_on
from syncd.engine.persistence import persistently
from syncd.engine.profiling import LoadProfile, Profile
from syncd.engine.progress import Progress
from syncd.engine.sides import Ownership, Sides
from syncd.engine.soundness import confirm_sound
from syncd.engine.verify import Asked
from syncd.errors import RefusedError, RetryError, TargetError, UsageError
from syncd.model import Applied, PassReport, Phase, TableReport

EXIT_STOPPED_TABLE = 1
LOAD_STOPPED = "stopped; syncd load goes on from here"

accept_new_source_option = click.option(
    "--accept-new-source",
    is_flag=True,
    help="Go on with the file that now stands where the source stood, or takes another's place.",
)


force_option = click.option("--force", is_flag=True, help="Load also where the check says NO-GO.")


@click.command("load", cls=Command)
@tables_option
@click.option(
    "--dry-run", "only_dry", is_flag=True, help="Try every row on both sides, keep nothing, estimate the time."
)
@click.option(
    "--profile", "profiling", is_flag=True, help="Tell where the time went, what bounds the load, what helps."
)
@click.option("--resume", is_flag=True, help="Go on where the last load stood. A load always does.")
@click.option("--validate-only", is_flag=True, help="Load nothing; compare what is there by a random sample.")
@force_option
@accept_new_source_option
@with_session
def load_command(
    session: Session,
    *,
    only_dry: bool,
    profiling: bool,
    resume: bool,
    validate_only: bool,
    force: bool,
    accept_new_source: bool,
) -> int:
    """Copy every table that is not loaded yet.

    Missing tables are created. The quick check comes first, and a NO-GO ends it. What the application writes meanwhile
    is brought by `syncd run` or `syncd sync`. A load that was interrupted goes on where it stood.

    \b
    Example: syncd load --source app.db --dry-run
             syncd load --source app.db --target postgresql://me@db/app
             syncd load --tables orders,customers --profile -c app.ini
    """
    del resume  # accepted for its own sake: there is no other kind of load
    if only_dry and validate_only:
        raise UsageError("--dry-run and --validate-only exclude each other")
    if profiling and (only_dry or validate_only):
        raise UsageError("--profile is for a load: it goes with neither --dry-run nor --validate-only")
    if only_dry:
        return _dry_run(session)
    return persistently(
        lambda: session.sides(Ownership.BORROW, accept_new_source=accept_new_source),
        lambda sides: (
            compare(session, sides, Asked("sample"))
            if validate_only
            else _load(session, sides, force=force, profiling=profiling)
        ),
    )


def _dry_run(session: Session) -> int:
    with ExitStack() as opened:
        sides = _sides_to_try(session, opened)
        with session.console.progress("trying") as progress:
            report = dry_run(sides, progress) if sides else dry_run_of_source(session.config, progress)
    session.console.show(dry_run_page(report))
    return EXIT_STOPPED_TABLE if report.stopped else 0


def _sides_to_try(session: Session, opened: ExitStack) -> Sides | None:
    """Both sides, or None where the target cannot be used: then the source alone is asked."""
    if session.lacks_target:
        session.console.say("the PostgreSQL that comes along was never started: only the source is asked")
        return None
    try:
        return opened.enter_context(session.sides(Ownership.NONE))
    except (TargetError, RetryError, RefusedError) as error:
        session.check_source()
        session.console.say(f"the target cannot be used, so only the source is asked: {error.what}")
        return None


def _load(session: Session, sides: Sides, *, force: bool, profiling: bool) -> int:
    if not force:
        _confirm_go(session, sides)
    stop = StopSignal()
    try:
        with stop.listening(), session.console.progress("loading", stop) as progress:
            report, profile = _measured(sides, progress, stop) if profiling else (load(sides, progress, stop), None)
    except RetryError:
        # The target was away when the signal came, and no longer waited for.
        if not stop():
            raise
        session.console.say(LOAD_STOPPED)
        return stop.exit_code
    before = _stopped_before(sides, report)
    page = load_page(report, before)
    session.console.show(with_profile(page, profile, judge(profile)) if profile else page)
    if stop():
        session.console.say(LOAD_STOPPED)
        return stop.exit_code
    return EXIT_STOPPED_TABLE if report.stopped or before else 0


def _measured(sides: Sides, progress: Progress, stop: StopSignal) -> tuple[PassReport, LoadProfile]:
    profile = Profile(progress, sides.config.sync.workers)
    with looking_on(profile, sides.connect):
        return load(sides, profile, stop), profile.report()


def _confirm_go(session: Session, sides: Sides) -> None:
    """Raise NoGoError, with every finding shown, where the quick check says NO-GO."""
    try:
        with session.console.busy("checking"):
            confirm_go(sides)
    except NoGoError as error:
        session.console.show(check_page(error.report))
        raise


def _stopped_before(sides: Sides, report: PassReport) -> tuple[TableReport, ...]:
    """Tables that stand still since an earlier command and had no part in this one."""
    told = {table.table for table in report.tables}
    return tuple(
        TableReport(name, Applied(), 0.0, checkpoint.error)
        for name, checkpoint in sides.checkpoints().items()
        if checkpoint.phase is Phase.STOPPED and name not in told
    )


@click.command(cls=Command)
@tables_option
@accept_new_source_option
@with_session
def sync(session: Session, *, accept_new_source: bool) -> int:
    """Bring over once what is new since the last pass, then exit.

    For a timer instead of the daemon. Deletes, and updates that no mark shows, are left to `syncd sweep`. Beside a
    running daemon it borrows the work for a moment.

    \b
    Example: syncd sync -c app.ini
    """
    return persistently(
        lambda: session.sides(Ownership.BORROW, accept_new_source=accept_new_source),
        lambda sides: _sync(session, sides),
    )


def _sync(session: Session, sides: Sides) -> int:
    stop = StopSignal()
    catchup = Catchup(sides)
    try:
        with stop.listening(), session.console.busy("catching up"):
            confirm_sound(sides, stop)
            report = catchup.run(stopping=stop)
    finally:
        catchup.close()
    before = _stopped_before(sides, report)
    begun = frozenset(name for name, known in sides.checkpoints().items() if known.phase is Phase.LOAD)
    session.console.show(pass_page(report, tuple(sorted(begun | catchup.not_loaded)), before))
    if stop():
        session.console.say("stopped; the next pass goes on from here")
        return stop.exit_code
    return EXIT_STOPPED_TABLE if report.stopped or before else 0


@click.command(cls=Command)
@force_option
@accept_new_source_option
@with_session
def run(session: Session, *, force: bool, accept_new_source: bool) -> int:
    """Load what is not loaded yet, then keep the target current until stopped.

    This is the daemon for the weeks of the move. SIGHUP reads the configuration again, SIGTERM and Ctrl-C stop after
    the batch in work.

    \b
    Example: syncd run --source app.db --target postgresql://me@db/app
             syncd run -c app.ini
    """
    if session.lacks_target:
        session.check_source()
    with session.target() as target:
        # Imported here: no other command waits for the scheduler and the watcher to be imported.
        from syncd.service.daemon import run_daemon  # noqa: PLC0415

        return run_daemon(
            session.reloaded(), target, session.reloaded, accept_new_source=accept_new_source, force=force
        )
