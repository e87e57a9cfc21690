"""The command that makes PostgreSQL the truth: cutover."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

import click

from syncd.cli.options import Command
from syncd.cli.session import Session, with_session
from syncd.cli.stop import StopSignal, unsuspended
from syncd.console import Page
from syncd.console.cutover import checklist, cutover_page, ready_page, rehearsal_page
from syncd.console.page import Paragraph
from syncd.engine.cutover import Asked, check, cut_over
from syncd.engine.cutover.after import Aftermath
from syncd.engine.cutover.continued import go_on
from syncd.engine.cutover.rehearsal import rehearse
from syncd.engine.sides import Ownership, opened, source_path
from syncd.errors import AbortedError, LockHeldError, NotReadyError, UsageError
from syncd.model import CutoverStatus, Stage
from syncd.target import replacing
from syncd.target.cutover import CutoverState, cutover_lock
from syncd.target.database import Connection, Target, connect, transaction
from syncd.target.lock import Lock
from syncd.target.state import State

EXIT_NOT_READY = 4
_ABORT_SECONDS = 30.0


def _accepted(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> Mapping[str, int]:
    accepted = {}
    for text in given:
        table, _sign, count = text.rpartition("=")
        if not table or not count.isdecimal():
            raise click.BadParameter(f"{text}: write TABLE=N, as in orders=3")
        accepted[table] = int(count)
    return accepted


@click.command("cutover", cls=Command)
@click.option("--check", "only_check", is_flag=True, help="Tell whether it may begin, and how long writes will stop.")
@click.option("--rehearse", is_flag=True, help="Do it all on a private copy and in a scratch schema.")
@click.option("--yes", is_flag=True, help="Do it.")
@click.option("--abort", is_flag=True, help="Let writers in again, and go on as before.")
@click.option("--release", is_flag=True, help="After the promotion: take the seal off the old file.")
@click.option(
    "--verify",
    type=click.Choice(["full", "changed"]),
    default="full",
    show_default=True,
    help="Compare every row behind the fence, or those that changed since a full verify found both sides equal.",
)
@click.option(
    "--accept-rejects",
    metavar="TABLE=N",
    multiple=True,
    callback=_accepted,
    help="So many rejected rows may stay behind.",
)
@with_session
def cutover_command(  # noqa: PLR0913 - each is an option
    session: Session,
    *,
    only_check: bool,
    rehearse: bool,
    yes: bool,
    abort: bool,
    release: bool,
    verify: str,
    accept_rejects: Mapping[str, int],
) -> int:
    """Keep writers out, prove that both sides are equal, and let PostgreSQL take over; or go back.

    Ask with --check, try with --rehearse, do it with --yes. Until the last step nothing is lost by aborting: Ctrl-C,
    --abort, or a crash lets writers in again.

    \b
    Example: syncd cutover --check -c app.ini
             syncd cutover --rehearse -c app.ini
             syncd cutover --yes -c app.ini
    """
    if [only_check, rehearse, yes, abort, release].count(True) != 1:
        raise UsageError("say what to do: --check, --rehearse, --yes, --abort or --release")
    asked = Asked("changed" if verify == "changed" else "full", accept_rejects)
    with session.target() as target:
        if abort:
            return _abort(session, target)
        if release:
            return _release(session, target)
        with _alone(session, target) as control:
            if yes and _is_promoted(session, control):
                return _follow(session, target, control)
            if rehearse:
                return _rehearse(session, target, asked)
            return _check(session, target, asked) if only_check else _cut_over(session, target, asked)


@contextmanager
def _alone(session: Session, target: Target) -> Iterator[Connection]:
    """Keep a second operator out. Raises LockHeldError."""
    with closing(connect(target)) as control:
        _lock(session, control).take(patience=0)
        yield control


def _lock(session: Session, control: Connection) -> Lock:
    return cutover_lock(control, str(source_path(session.config)))


def _state(session: Session) -> CutoverState:
    return CutoverState(str(source_path(session.config)))


def _status(session: Session, control: Connection) -> CutoverStatus | None:
    return _state(session).read(control)


def _is_promoted(session: Session, control: Connection) -> bool:
    known = _status(session, control)
    return known is not None and known.state is Stage.PROMOTED


def _check(session: Session, target: Target, asked: Asked) -> int:
    with opened(session.config, target, Ownership.BORROW) as sides, session.console.busy("checking"):
        report = check(sides, asked)
    session.console.show(ready_page(report))
    return 0 if report.is_go else EXIT_NOT_READY


def _cut_over(session: Session, target: Target, asked: Asked) -> int:
    stop = StopSignal()
    with opened(session.config, target, Ownership.BORROW) as sides, stop.listening(), unsuspended():
        try:
            with checklist(session.console) as steps:
                report = cut_over(sides, asked, steps, stop)
        except AbortedError:
            if not stop():
                raise
            session.console.say("interrupted: writers may go on, the source is still the truth")
            return stop.exit_code
    session.console.show(cutover_page(report))
    return 1 if report.trouble else 0


def _rehearse(session: Session, target: Target, asked: Asked) -> int:
    with opened(session.config, target, Ownership.NONE) as sides, checklist(session.console) as steps:
        done = rehearse(sides, asked, steps)
    session.console.show(rehearsal_page(done.predicted, done.measured, done.stopped_seconds))
    return 0


def _follow(session: Session, target: Target, control: Connection) -> int:
    """PostgreSQL took over already: do what is left of what follows."""
    known = _state(session).seal(control)
    if known is not None and known.done:
        session.console.show(_told("promoted", "PostgreSQL took over already; nothing is left to do"))
        return 0
    said = go_on(_aftermath(session, target, control))
    session.console.show(_told("promoted", said))
    return 0


def _aftermath(session: Session, target: Target, control: Connection) -> Aftermath:
    return Aftermath(control, session.config, source_path(session.config), target.shown)


def _abort(session: Session, target: Target) -> int:
    """Ask the process at work to abort; where there is none, the fence fell with it, and only the state is left."""
    with closing(connect(target)) as control:
        known = _status(session, control)
        if known is None:
            raise NotReadyError("there is no cutover to abort", where=str(source_path(session.config)))
        if known.state is Stage.PROMOTED:
            raise NotReadyError(f"PostgreSQL took over at {known.ended}: too late to abort", where=target.shown)
        lock = _lock(session, control)
        with transaction(control):
            _state(session).ask_to_abort(control)
        try:
            lock.take(patience=_ABORT_SECONDS)
        except LockHeldError as error:
            raise AbortedError("it was asked to abort and has not ended yet", advice="syncd status") from error
        return _abort_alone(session, target, control)


def _abort_alone(session: Session, target: Target, control: Connection) -> int:
    known = _status(session, control)
    if known is not None and known.state is Stage.PROMOTED:
        raise NotReadyError(f"PostgreSQL took over at {known.ended}: too late to abort", where=target.shown)
    if known is not None and (known.state is not Stage.ABORTED or _state(session).application_stopped(control)):
        with transaction(control):
            _state(session).abort(control, known.attempt)
        _aftermath(session, target, control).run_on_abort()
    replacing.discard(control, target.schema, State(str(source_path(session.config))).targets(control))
    session.console.show(_told("aborted", "writers may go on: the source is the truth"))
    return 0


def _release(session: Session, target: Target) -> int:
    with closing(connect(target)) as control:
        if not _is_promoted(session, control):
            raise NotReadyError("PostgreSQL has not taken over: there is no seal to take off", where=target.shown)
        said = _aftermath(session, target, control).unseal()
    session.console.show(_told("released", f"{said}; what is written to it reaches nobody"))
    return 0


def _told(state: str, said: str) -> Page:
    return Page({"state": state, "detail": said}, (Paragraph("{}", (said,)),))
