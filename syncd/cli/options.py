"""The options that every command knows, before its name and after it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from syncd.console import Console
from syncd.log import Format, hide

_F = TypeVar("_F", bound=Callable[..., Any])

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
"""Every command's own: click keeps a command's help option as its first context had it, with a parent or without."""


@dataclass
class Options:
    """What was given on the command line; what stands after the command beats what stands before it."""

    config: Path | None = None
    verbose: bool = False
    quiet: bool = False
    json: bool = False
    log_format: Format | None = None
    source: str | None = None
    target: str | None = field(default=None, repr=False)
    pg_host: str | None = None
    pg_port: str | None = None
    pg_database: str | None = None
    pg_user: str | None = None
    pg_password: str | None = field(default=None, repr=False)
    tables: str | None = None
    console: Console | None = None
    """The console of the command, once it has one: what ends the command is told there."""

    @property
    def overrides(self) -> Mapping[tuple[str, str], str]:
        """The flags that stand for a key of the configuration."""
        given = {
            ("source", "path"): self.source,
            ("target", "dsn"): self.target,
            ("log", "format"): self.log_format,
            ("sync", "tables"): self.tables,
        }
        return {address: text for address, text in given.items() if text is not None}


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value is None or value is False:
        return
    if parameter.name == "pg_password":
        hide(value)
    setattr(context.ensure_object(Options), str(parameter.name), value)


def _option(*names: str, **attributes: Any) -> click.Option:
    return click.Option(names, callback=_remember, expose_value=False, **attributes)


def _targets(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    return [CompletionItem(word) for word in ("embedded", "postgresql://") if word.startswith(incomplete)]


def global_options() -> list[click.Parameter]:
    """The options that stand before and after every command."""
    return [
        _option("-c", "--config", type=click.Path(path_type=Path), metavar="FILE",
                help="The configuration; none is needed. Also: SYNCD_CONFIG."),
        _option("--source", type=click.Path(), metavar="PATH", help="The SQLite file. Also: SYNCD_SOURCE."),
        _option("--target", metavar="DSN|embedded", shell_complete=_targets,
                help="The PostgreSQL database: postgresql://USER@HOST/DATABASE, or the one that comes along. "
                     "Also: SYNCD_TARGET. Default: the PG* variables, else embedded."),
        _option("--pg-host", metavar="HOST", help="Part of the target: its host or socket folder."),
        _option("--pg-port", metavar="PORT", type=click.IntRange(1, 65535), help="Part of the target."),
        _option("--pg-database", metavar="NAME", help="Part of the target."),
        _option("--pg-user", metavar="NAME", help="Part of the target."),
        _option("--pg-password", metavar="PASSWORD",
                help="Part of the target. Everybody on the machine can see it; PGPASSWORD is safer."),
        _option("-v", "--verbose", is_flag=True, help="Tell more, with tracebacks."),
        _option("-q", "--quiet", is_flag=True, help="Tell errors alone."),
        _option("--json", is_flag=True, help="Print the result as one JSON document."),
        _option("--log-format", type=click.Choice(["text", "json", "journal"]), help="How the log looks on stderr."),
    ]  # fmt: skip


def _tables(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    # Imported here: it reads the configuration, whose options are these.
    from syncd.cli.completing import complete_tables  # noqa: PLC0415

    return complete_tables(context, parameter, incomplete)


def tables_option(command: _F) -> _F:
    """Add `--tables a,b`, which stands for the configuration's key of that name."""
    return click.option(
        "--tables",
        metavar="A,B",
        callback=_remember,
        shell_complete=_tables,
        expose_value=False,
        help="Only these tables, separated by commas.",
    )(command)


class Command(click.Command):
    """A command that knows the global options and shows them apart from its own."""

    def __init__(self, *arguments: Any, **attributes: Any) -> None:
        super().__init__(*arguments, **{"context_settings": _SETTINGS, **attributes})
        self._own = list(self.params)
        self.params += global_options()

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_options(self, self._own, ctx, formatter)


class Group(click.Group):
    """A group of such commands; those that are added later are imported when they are called for."""

    command_class = Command

    def __init__(self, *arguments: Any, **attributes: Any) -> None:
        super().__init__(*arguments, **{"context_settings": _SETTINGS, **attributes})
        self._later: dict[str, str] = {}
        self._chapters: dict[str, tuple[str, ...]] = {}
        self._own = list(self.params)
        self.params += global_options()

    def add_later(self, chapter: str, places: Mapping[str, str]) -> None:
        """Add commands by where they are, as MODULE:NAME: importing all of them takes longer than most of them run.

        `chapter` tells when one needs them; help shows them under it.
        """
        self._later |= places
        self._chapters[chapter] = tuple(places)

    @property
    def chapters(self) -> Mapping[str, tuple[str, ...]]:
        """The names of all commands by chapter, in the order in which they were added."""
        told = {name for names in self._chapters.values() for name in names}
        others = tuple(name for name in self.list_commands(click.Context(self)) if name not in told)
        return {**self._chapters, "Commands": others} if others else self._chapters

    def all_commands(self) -> Mapping[str, click.Command]:
        """Every command by its name, imported where it was not yet."""
        context = click.Context(self)
        return {name: one for name in self.list_commands(context) if (one := self.get_command(context, name))}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self._later, *(name for name in super().list_commands(ctx) if name not in self._later)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self._later and cmd_name not in self.commands:
            module, _, attribute = self._later[cmd_name].partition(":")
            self.add_command(getattr(import_module(module), attribute), cmd_name)
        return super().get_command(ctx, cmd_name)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for chapter, names in self.chapters.items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            with formatter.section(chapter):
                formatter.write_dl([(name, one.get_short_help_str(limit=200)) for name, one in commands if one])
        _write_options(self, self._own, ctx, formatter)


def _write_options(
    command: click.Command, own: list[click.Parameter], context: click.Context, formatter: click.HelpFormatter
) -> None:
    shared = [parameter for parameter in command.get_params(context) if parameter not in own]
    for title, parameters in (("Options", own), ("Options of every command", shared)):
        # An argument has nothing to say there: the first line names it, and the text tells of it.
        options = [parameter for parameter in parameters if isinstance(parameter, click.Option)]
        records = [record for option in options if (record := option.get_help_record(context))]
        if records:
            with formatter.section(title):
                formatter.write_dl(records)
