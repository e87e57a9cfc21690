"""The commands that slow a daemon down while it works: pause, resume, throttle. They need no lock and no source."""

import getpass
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import click

from syncd.cli.completing import complete_table
from syncd.cli.options import Command
from syncd.cli.session import Session, with_session
from syncd.console import Page, Paragraph
from syncd.engine.sides import source_path
from syncd.errors import NotReadyError, UsageError
from syncd.target import control
from syncd.target.database import Connection, connect
from syncd.target.state import State
from syncd.wording import counted

_ALL = "every table"
_table_argument = click.argument("table", required=False, metavar="[TABLE]", shell_complete=complete_table)


@click.command("pause", cls=Command)
@_table_argument
@with_session
def pause_command(session: Session, *, table: str | None) -> int:
    """Let the daemon apply nothing more to one table, or to any, until `syncd resume`.

    The batch in work is finished. Tables that refer to a paused one wait with it.

    \b
    Example: syncd pause orders -c app.ini
    """

    def pause(connection: Connection, state: State, name: str, who: str) -> str:
        control.pause(connection, state, name, who)
        return f"{name or _ALL} paused"

    return _ask(session, table, pause)


@click.command("resume", cls=Command)
@_table_argument
@with_session
def resume_command(session: Session, *, table: str | None) -> int:
    """Take a pause back: one table's, or every one.

    The daemon goes on with what waited.

    \b
    Example: syncd resume -c app.ini
    """

    def resume(connection: Connection, state: State, name: str, who: str) -> str:
        asked = control.read(connection, state.source_name)
        if not any(one.paused and name in (control.ALL_TABLES, one.table) for one in asked):
            return f"{name or 'nothing'} was {'not ' if name else ''}paused"
        control.resume(connection, state, name, who)
        return f"{name or _ALL} resumed"

    return _ask(session, table, resume)


@click.command("throttle", cls=Command)
@click.argument("rate", metavar="ROWS|off")
@_table_argument
@with_session
def throttle_command(session: Session, *, rate: str, table: str | None) -> int:
    """Apply at most so many rows a second to one table, or to all together; `off` takes it back.

    Rows go in batches as before, and batches wait until the rows before them have had their time.

    \b
    Example: syncd throttle 1000 orders -c app.ini
             syncd throttle off -c app.ini
    """
    if rate != "off" and not (rate.isascii() and rate.isdecimal() and int(rate) > 0):
        raise UsageError("ROWS is a whole number of rows a second, at least 1, or off")
    rows = None if rate == "off" else int(rate)

    def throttle(connection: Connection, state: State, name: str, who: str) -> str:
        control.throttle(connection, state, name, rows, who)
        became = f"limited to {counted(rows, 'row')} a second" if rows else "no longer limited"
        return f"{name or _ALL} {became}"

    return _ask(session, table, throttle)


def _ask(session: Session, table: str | None, ask: Callable[[Connection, State, str, str], str]) -> int:
    """Ask it of a table, or of all; `ask` returns what became of that."""
    with _state(session) as (connection, state):
        name = _spelled(connection, state, table)
        told = ask(connection, state, name, f"{getpass.getuser()}@{socket.gethostname()}")
        asked = control.read(connection, state.source_name)
    document = {
        "controls": [
            {"table": one.table or None, "paused": one.paused, "rows_per_second": one.rows_per_second, "who": one.who}
            for one in asked
        ]
    }
    session.console.show(Page(document, (Paragraph("{}", (told,)),)))
    return 0


@contextmanager
def _state(session: Session) -> Iterator[tuple[Connection, State]]:
    state = State(str(source_path(session.config)))
    with session.target() as target, closing(connect(target)) as connection:
        if not state.is_current(connection) or state.source(connection) is None:
            advice = "Start the daemon first: syncd run"
            raise NotReadyError("no syncd ever worked on this source here", where=target.shown, advice=advice)
        yield connection, state


def _spelled(connection: Connection, state: State, table: str | None) -> str:
    """The table as the source spells it, empty for all; names of SQLite ignore the case. Raises UsageError."""
    if table is None:
        return control.ALL_TABLES
    known = {checkpoint.table for checkpoint in state.checkpoints(connection)}
    for name in known:
        if name.lower() == table.lower():
            return name
    raise UsageError("no such table", where=table, advice=f"There are: {', '.join(sorted(known))}")
