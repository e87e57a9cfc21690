"""The command that shows what a cutover did: report."""

from contextlib import closing
from pathlib import Path

import click

from syncd.cli.options import Command
from syncd.cli.session import Session, with_session
from syncd.console.proof import html, report_page
from syncd.engine.sides import source_path
from syncd.errors import NotReadyError, RefusedError
from syncd.model import CutoverStatus, Stage
from syncd.target.cutover import CutoverState
from syncd.target.database import connect


@click.command("report", cls=Command)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE.html", help="Write a page for browsers.")
@with_session
def report_command(session: Session, *, output: Path | None) -> int:
    """Show what the last cutover did: the proof, or why it was aborted.

    The page needs no network, and may be printed.

    \b
    Example: syncd report -o cutover.html -c app.ini
    """
    with session.target() as target, closing(connect(target)) as connection:
        state = CutoverState(str(source_path(session.config)))
        document, status = state.report(connection), state.read(connection)
    if document is None:
        raise _not_there(status)
    if output:
        try:
            output.write_text(html(document), "utf-8")
        except OSError as error:
            raise RefusedError(f"the report cannot be written: {error.strerror}", where=str(output)) from error
        session.console.say(f"written: {output}")
        if not session.options.json:
            return 0
    session.console.show(report_page(document))
    return 0


def _not_there(status: CutoverStatus | None) -> NotReadyError:
    """Why there is no report: it is kept when an attempt ends, which one that was killed did not."""
    if status is None:
        return NotReadyError(
            "there was no cutover yet", advice="First: syncd cutover --yes. Where everything stands: syncd status"
        )
    last = status.steps[-1].step if status.steps else Stage.READY.value
    return NotReadyError(
        f"the cutover that {status.who} began at {status.began} has left no report: it is at work, or its process was"
        f" gone. The last step that it began was {last}; nothing was promoted",
        advice="Where it stands: syncd status",
    )
