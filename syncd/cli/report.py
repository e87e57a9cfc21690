"""The command that shows what a cutover did: report."""

from contextlib import closing
from pathlib import Path

import click

from syncd.cli.options import Command
from syncd.cli.session import Session, with_session
from syncd.console.proof import html, report_page
from syncd.engine.sides import source_path
from syncd.errors import NotReadyError, RefusedError
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
        document = CutoverState(str(source_path(session.config))).report(connection)
    if document is None:
        raise NotReadyError("there was no cutover yet", advice="First: syncd cutover --check")
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
