"""The commands that print what belongs on the machine beside syncd: shell completion, the man page."""

import time
from datetime import UTC, datetime
from importlib.metadata import files, version
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from syncd.cli.manual import manual
from syncd.cli.options import Command, Group

_VARIABLE = "_SYNCD_COMPLETE"
"""What click looks for in the environment: an underscore, the program's name in capitals, _COMPLETE."""


@click.command("completion", cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print a script that lets a shell complete commands, options and tables with the TAB key.

    Load it where the shell starts: ~/.bashrc, ~/.zshrc (after compinit), or as a file of ~/.config/fish/completions.

    \b
    Example: syncd completion bash >> ~/.bashrc
             syncd completion fish > ~/.config/fish/completions/syncd.fish
    """
    shells = get_completion_class(shell)
    if shells is None:
        raise click.BadParameter(f"no such shell: {shell}")
    script = shells(_program(), {}, "syncd", _VARIABLE).source()
    # As click writes it, fish ends a word, and what is said of it, at the first comma.
    click.echo(script.replace('string split "," $completion', 'string split --max 1 "," $completion'), nl=False)
    return 0


@click.command("man", cls=Command)
def man() -> int:
    """Print the manual page syncd(1): every command and option, exit codes, files and variables.

    \b
    Example: syncd man > /usr/local/share/man/man1/syncd.1
    """
    click.echo(manual(_program(), version("syncd"), _day_of_installation()), nl=False)
    return 0


def _day_of_installation() -> str:
    """The day in UTC on which this version came here: its page is the same on each day after."""
    listed = next((file for file in files("syncd") or () if file.name == "METADATA"), None)
    moment = Path(str(listed.locate())).stat().st_mtime if listed else time.time()
    return datetime.fromtimestamp(moment, UTC).date().isoformat()


def _program() -> Group:
    """The whole command line, of which this command is one."""
    program = click.get_current_context().find_root().command
    if not isinstance(program, Group):
        raise TypeError(f"{program.name} is no group of commands")
    return program
