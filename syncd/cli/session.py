"""One command at work: its settings, its console, and the two sides that it opens."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, Self

import click

from syncd import config as configuration
from syncd import embedded, log
from syncd.cli.options import Options
from syncd.cli.target import choose
from syncd.config import Config
from syncd.console import Console
from syncd.engine.sides import Ownership, Sides, opened, source_path, state_home
from syncd.errors import UsageError
from syncd.source.database import identify
from syncd.target.database import Target

P = ParamSpec("P")


@dataclass(frozen=True)
class Session:
    """What every command starts from."""

    options: Options
    config: Config
    console: Console

    @contextmanager
    def target(self) -> Iterator[Target]:
        """The target; an embedded one runs for as long as the command does."""
        chosen = choose(self.options, self.config)
        if chosen:
            yield chosen
            return
        folder = state_home(self.config) / "embedded"
        self.console.say(f"target: the PostgreSQL that comes along, in {folder}")
        with embedded.start(folder) as server:
            yield Target(server.dsn, None, self.config.target.schema_, self.config.target.timezone)

    @property
    def lacks_target(self) -> bool:
        """Whether the target is the PostgreSQL that comes along, and that was never started: it holds nothing yet."""
        folder = state_home(self.config) / "embedded"
        return choose(self.options, self.config) is None and not embedded.is_made(folder)

    @contextmanager
    def sides(self, ownership: Ownership, *, accept_new_source: bool = False) -> Iterator[Sides]:
        """Both sides, opened for this command."""
        if self.lacks_target:
            self.check_source()
        with (
            self.target() as target,
            opened(self.config, target, ownership, accept_new_source=accept_new_source) as sides,
        ):
            yield sides

    def check_source(self) -> None:
        """Raise SourceError for a mistyped path before an embedded server is made for it."""
        identify(source_path(self.config))

    def only(self, table: str) -> Self:
        """The same, for one table."""
        sync = self.config.sync.model_copy(update={"tables": (table,)})
        return replace(self, config=self.config.model_copy(update={"sync": sync}))

    def reloaded(self) -> Config:
        """The configuration as it is now; the log follows it, and tells a terminal as much as it tells a file."""
        config = read_config(self.options)
        _configure_log(self.options, config, self.console, level=config.log.level)
        return config


def begin(options: Options) -> Session:
    """Read the configuration and set up console and log. Raises UsageError, ConfigError and RefusedError."""
    if options.verbose and options.quiet:
        raise UsageError("-v and -q exclude each other")
    config = read_config(options)
    console = Console(json=options.json, quiet=options.quiet, log_format=config.log.format)
    options.console = console
    is_chosen = "level" in config.log.model_fields_set
    # On a terminal the console tells the rest.
    _configure_log(
        options, config, console, level="WARNING" if console.is_lively and not is_chosen else config.log.level
    )
    return Session(options, config, console)


def early_console(options: Options) -> Console:
    """The console of a command that ended before its configuration was read."""
    console = Console(log_format=options.log_format or "text")
    log.configure("DEBUG" if options.verbose else "WARNING", console.log_format, console.log_stream)
    return console


def read_config(options: Options) -> Config:
    """The configuration that the command line and the environment name. Raises ConfigError."""
    named = options.config or os.environ.get("SYNCD_CONFIG")
    return configuration.load(Path(named) if named else None, options.overrides, os.environ)


def _configure_log(options: Options, config: Config, console: Console, *, level: str) -> None:
    if options.verbose:
        level = "DEBUG"
    elif options.quiet:
        level = "ERROR"
    log.configure(level, config.log.format, console.log_stream)


def with_session(command: Callable[Concatenate[Session, P], int]) -> Callable[P, int]:
    """Give a command its session as the first argument."""

    @wraps(command)
    def run(*arguments: P.args, **values: P.kwargs) -> int:
        session = begin(click.get_current_context().ensure_object(Options))
        return command(session, *arguments, **values)

    return run
