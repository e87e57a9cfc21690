"""The commands put together, and what becomes of whatever ends one."""

import io
import sys
from collections.abc import Sequence

import apsw
import click
import psycopg
from click.exceptions import NoArgsIsHelpError

from syncd import log
from syncd.cli.options import Group, Options
from syncd.cli.session import early_console
from syncd.cli.stop import unwinding
from syncd.errors import RefusedError, RetryError, SyncdError, UsageError
from syncd.log import event, redact
from syncd.target.database import explain

EXIT_INTERRUPTED = 130


@click.command(cls=Group)
@click.version_option(None, "--version", package_name="syncd", message="%(prog)s %(version)s")
def syncd() -> None:
    """Move a live SQLite application to PostgreSQL without losing a row.

    The application goes on writing meanwhile; the SQLite file is only ever read. Without --target, rows go into a
    PostgreSQL that syncd brings along. `syncd COMMAND --help` tells more of a command, with an example.

    \b
    Example: syncd demo
             syncd check --source app.db --target postgresql://me@db/app
             syncd run --source app.db --target postgresql://me@db/app
    """


syncd.add_later(
    "Before the move",
    {
        "demo": "syncd.cli.demo:demo",
        "init": "syncd.cli.init:init_command",
        "check": "syncd.cli.prepare:check_command",
        "plan": "syncd.cli.prepare:plan_command",
    },
)
syncd.add_later(
    "Load",
    {
        "load": "syncd.cli.move:load_command",
        "timescale": "syncd.cli.timescale:timescale",
    },
)
syncd.add_later(
    "Keep current",
    {
        "run": "syncd.cli.move:run",
        "sync": "syncd.cli.move:sync",
        "sweep": "syncd.cli.sweep:sweep_command",
    },
)
syncd.add_later(
    "Prove",
    {
        "verify": "syncd.cli.inspect:verify_command",
        "rejects": "syncd.cli.rejects:rejects",
    },
)
syncd.add_later(
    "Cut over",
    {
        "cutover": "syncd.cli.cutover:cutover_command",
        "report": "syncd.cli.report:report_command",
    },
)
syncd.add_later(
    "Operate",
    {
        "status": "syncd.cli.inspect:status",
        "pause": "syncd.cli.control:pause_command",
        "resume": "syncd.cli.control:resume_command",
        "throttle": "syncd.cli.control:throttle_command",
        "completion": "syncd.cli.reference:completion",
        "man": "syncd.cli.reference:man",
    },
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A value that the terminal's encoding lacks is shown escaped; it must not end the command.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # As long as nobody configures it, loguru prints every variable of a traceback.
    log.configure("WARNING", "text")
    options = Options()
    try:
        with unwinding():
            code = syncd.main(arguments, prog_name="syncd", standalone_mode=False, obj=options)
            return code if isinstance(code, int) else 0
    except (KeyboardInterrupt, click.Abort):
        return EXIT_INTERRUPTED
    except NoArgsIsHelpError as error:
        # It is our own text, and names an option that takes a password.
        error.show(sys.stderr)
        return error.exit_code
    except click.ClickException as error:
        return _explain_usage(error)
    except Exception as error:
        return _explain(error, options)


def _explain_usage(error: click.ClickException) -> int:
    said = io.StringIO()
    error.show(said)
    sys.stderr.write(redact(said.getvalue()))
    return error.exit_code


def _explain(error: Exception, options: Options) -> int:
    """Tell what happened and what to do; how it came about only where that was asked for."""
    known = _known(error)
    console = options.console or early_console(options)
    if options.verbose and not isinstance(error, UsageError):
        event("DEBUG", "traceback", type(error).__name__, exception=error)
    console.complain(known)
    return known.exit_code


def _known(error: Exception) -> SyncdError:
    match error:
        case psycopg.Error():
            return _known(explain(error))
        case RetryError():
            # Whoever raised it may have meant to try again; this command does no longer.
            return type(error)(error.what, where=error.where, advice="This may pass by itself: run the command again")
        case SyncdError():
            return error
        case PermissionError():
            where = str(error.filename or "")
            return RefusedError(f"this may not be opened: {error.strerror}", where=where, advice="Name another place")
        case apsw.Error():
            return SyncdError(f"SQLite failed: {error}", advice="Where it happened: the same command with -v")
        case _:
            said = f"{type(error).__name__}: {error}"
            return SyncdError(f"this should not happen: {said}", advice="Where it happened: the same command with -v")
