"""Words that a shell may complete: the names of the source's tables."""

import re
from contextlib import closing, suppress

import click
from click.shell_completion import CompletionItem

from syncd.cli.options import Options
from syncd.cli.session import read_config
from syncd.engine.sides import source_path
from syncd.errors import SyncdError
from syncd.source.database import Database, query, translated

_PLAIN = re.compile(r"[\w.-]+")
"""Names that no shell takes apart."""


def complete_table(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """One table of the source that the command line so far, the environment or the configuration names."""
    return [CompletionItem(name) for name in _tables(context) if name.lower().startswith(incomplete.lower())]


def complete_tables(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """The last of several tables, separated by commas."""
    before, comma, begun = incomplete.rpartition(",")
    given = before.split(",")
    wanted = [name for name in _tables(context) if name.lower().startswith(begun.lower()) and name not in given]
    return [CompletionItem(f"{before}{comma}{name}") for name in wanted]


def _tables(context: click.Context) -> list[str]:
    # Whoever has not named a source yet, or a wrong one, learns that from the command itself.
    with suppress(SyncdError):
        path = source_path(read_config(context.ensure_object(Options)))
        with translated(path), closing(Database(path)) as source:
            rows = query(source.connection, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        return [name for (name,) in rows if _PLAIN.fullmatch(name) and not name.startswith("sqlite_")]
    return []
