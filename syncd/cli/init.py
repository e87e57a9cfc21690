"""The command that writes a first configuration."""

from pathlib import Path

import click

from syncd import config as configuration
from syncd.cli.options import Command, Options
from syncd.console import Console
from syncd.console.drafted import draft_ini, is_writable
from syncd.engine.drafting import draft
from syncd.errors import RefusedError, UsageError

DEFAULT_FILE = "syncd.ini"


@click.command("init", cls=Command)
@click.argument("database", type=click.Path(path_type=Path), metavar="SOURCE.db", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="[FILE]",
    is_flag=False,
    flag_value=Path(DEFAULT_FILE),
    help=f"Write it into this file, {DEFAULT_FILE} if none is named. Default: print it.",
)
@click.pass_obj
def init_command(options: Options, database: Path | None, output: Path | None) -> int:
    """Write a configuration, with comments, from what the source holds. Never overwrites a file.

    \b
    Example: syncd init app.db -o app.ini
    """
    console = Console(json=options.json, quiet=options.quiet, log_format=options.log_format or "text")
    options.console = console
    path = _source(options, database)
    if not is_writable(str(path)):
        raise UsageError("a configuration cannot hold this path", where=str(path), advice="Give the file another name")
    if output:
        _refuse_what_cannot_be_made(output)
    config = configuration.load(None, {("source", "path"): str(path)})
    with console.busy("looking at the source"):
        text = draft_ini(draft(config, path))
    if output is None:
        console.hand_over(text, {"ini": text})
        return 0
    _write(output, text)
    console.say(f"written: {output}. Next: syncd check -c {output}")
    return 0


def _source(options: Options, named: Path | None) -> Path:
    """The source where the command names it, else where an option or the environment does."""
    path = named or configuration.load(None, options.overrides).source.path
    if path is None:
        raise UsageError("no source is given", advice="Name the SQLite file: syncd init SOURCE.db")
    return path.absolute()


def _refuse_what_cannot_be_made(output: Path) -> None:
    if not output.parent.exists():
        raise UsageError("there is no such folder", where=str(output.parent), advice="Make it, or name another with -o")
    if output.exists():
        raise UsageError(
            "the file is there already, and is left as it is",
            where=str(output),
            advice="Name another file, or move this one away; without -o the configuration is printed",
        )


def _write(output: Path, text: str) -> None:
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        _refuse_what_cannot_be_made(output)
    except OSError as error:
        raise RefusedError(
            f"the file cannot be written: {error.strerror}", where=str(output), advice="Name another with -o"
        ) from error
