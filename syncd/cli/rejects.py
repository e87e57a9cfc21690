"""The commands about rows that could not land."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from syncd.cli.completing import complete_table
from syncd.cli.options import Group
from syncd.cli.session import Session, with_session
from syncd.console import Page, Paragraph
from syncd.console.found import reject_groups_page, reject_page, rejects_page, typed_key
from syncd.console.moved import pass_page
from syncd.engine.catchup import Catchup
from syncd.engine.sides import Ownership, Sides
from syncd.errors import NotReadyError, SyncdError, UsageError
from syncd.model import PassReport
from syncd.target import reject
from syncd.target.database import transaction
from syncd.wording import noun

_NOTHING_LOADED = "nothing is loaded yet"
_table_option = click.option("--table", metavar="TABLE", shell_complete=complete_table, help="Only this table.")


@click.group(cls=Group)
def rejects() -> None:
    """List, show, retry or give up the rows that could not land.

    Every pass tries them again by itself; a row that lands is a reject no longer.

    \b
    Example: syncd rejects list -c app.ini
    """


@rejects.command("list")
@_table_option
@click.option("--all", "each", is_flag=True, help="List each row instead of each cause.")
@with_session
def list_command(session: Session, *, table: str | None, each: bool) -> int:
    """Count the rejects by cause, with keys to look at.

    \b
    Example: syncd rejects list --table orders --all
    """
    with _kept(session, Ownership.NONE) as sides:
        if sides is None:
            session.console.say(f"{_NOTHING_LOADED}: syncd load")
        found = reject.listed(sides.control, sides.state.source_name, _spelled(sides, table)) if sides else ()
    session.console.show(rejects_page(found) if each else reject_groups_page(found))
    return 0


@rejects.command()
@click.argument("table", shell_complete=complete_table)
@click.argument("key")
@with_session
def show(session: Session, *, table: str, key: str) -> int:
    """Show one reject with its row and the reason.

    \b
    Example: syncd rejects show orders 4711
    """
    with _kept(session, Ownership.NONE) as sides:
        if sides is None:
            raise NotReadyError(_NOTHING_LOADED, where=table, advice="Load first: syncd load")
        found = reject.listed(sides.control, sides.state.source_name, _spelled(sides, table))
    (wanted,) = _source_keys(table, [r.source_key for r in found], [key])
    one = next(r for r in found if r.source_key == wanted)
    session.console.show(reject_page(one))
    return 0


@rejects.command()
@_table_option
@with_session
def replay(session: Session, *, table: str | None) -> int:
    """Try all rejects again now, in one pass.

    \b
    Example: syncd rejects replay -c app.ini
    """
    with _kept(session.only(table) if table else session, Ownership.BORROW) as sides:
        if sides is None:
            session.console.say(f"{_NOTHING_LOADED}: syncd load")
            return 0
        name = _spelled(sides, table)
        before = _count(sides, name)
        report = _pass(session, sides)
        after = _count(sides, name)
    page = pass_page(report)
    told = Paragraph("{} {} before, {} now", (before, noun(before, "reject"), after), "yellow" if after else "green")
    document = {**page.document, "rejects_before": before, "rejects_after": after}
    session.console.show(Page(document, (*page.blocks, told)))
    return 1 if report.stopped else 0


def _pass(session: Session, sides: Sides) -> PassReport:
    catchup = Catchup(sides)
    try:
        with session.console.busy("trying them again"):
            return catchup.run()
    finally:
        catchup.close()


@rejects.command()
@click.argument("table", shell_complete=complete_table)
@click.argument("keys", nargs=-1, metavar="[KEY...]")
@click.option("--all", "every", is_flag=True, help="All of the table's rejects.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_session
def discard(session: Session, *, table: str, keys: tuple[str, ...], every: bool, yes: bool) -> int:
    """Give rejects up: their rows will be missing in the target.

    \b
    Example: syncd rejects discard orders 4711 4712 --yes
    """
    if bool(keys) == every:
        raise UsageError("name the keys, or --all")
    with _kept(session, Ownership.BORROW) as sides:
        if sides is None:
            raise NotReadyError(_NOTHING_LOADED, where=table, advice="Load first: syncd load")
        name = _spelled(sides, table) or table
        there = reject.keys(sides.control, sides.state.source_name).get(name, ())
        wanted = there if every else _source_keys(name, there, keys)
        if not (yes or _is_confirmed(name, len(wanted))):
            raise SyncdError("nothing was discarded")
        with transaction(sides.control):
            discarded = reject.discard(sides.control, sides.state.source_name, name, wanted)
            sides.state.record(sides.control, "WARNING", "rejects_discarded", name, str(discarded))
    told = Paragraph("{} {} discarded", (discarded, noun(discarded, "reject")))
    session.console.show(Page({"discarded": discarded}, (told,)))
    return 0


def _source_keys(table: str, there: Sequence[str], typed: Sequence[str]) -> list[str]:
    """The rejects' keys that were typed, with SQL's quotes or without. Raises SyncdError where one is none."""
    known = {typed_key(key): key for key in there} | {key: key for key in there}
    if missing := [key for key in typed if key not in known]:
        advice = f"There are: syncd rejects list --all --table {shlex.quote(table)}"
        raise SyncdError(f"no such reject: {', '.join(missing)}", where=table, advice=advice)
    return [known[key] for key in typed]


def _is_confirmed(table: str, count: int) -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("to discard without being asked, add --yes")
    return click.confirm(f"Give up {count:,} {noun(count, 'row')} of {table} for good?", err=True)


@contextmanager
def _kept(session: Session, ownership: Ownership) -> Iterator[Sides | None]:
    """Both sides, None where nothing of this source was ever loaded."""
    with session.sides(ownership) as sides:
        yield sides if sides.checkpoints() else None


def _count(sides: Sides, table: str | None) -> int:
    kept = reject.keys(sides.control, sides.state.source_name)
    return sum(len(keys) for name, keys in kept.items() if table in (None, name))


def _spelled(sides: Sides, table: str | None) -> str | None:
    """The table as the source spells it; names of SQLite ignore the case. Raises UsageError."""
    if table is None:
        return None
    known = sides.checkpoints()
    for name in known:
        if name.lower() == table.lower():
            return name
    raise UsageError("no such table", where=table, advice=f"There are: {', '.join(known)}")
