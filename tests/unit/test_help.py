"""What the command line tells of itself: help, examples, the manual page."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from syncd import cli, errors
from syncd.cli import app
from syncd.cli.manual import EXIT_CODES, manual, told
from syncd.cli.options import Group, Options

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
CHAPTERS = ["Before the move", "Load", "Keep current", "Prove", "Cut over", "Operate"]


def commands(command: click.Command = app.syncd, path: str = "syncd") -> Iterator[tuple[str, click.Command]]:
    """Every command and group, by what one types."""
    yield path, command
    if isinstance(command, Group):
        for name, inner in command.all_commands().items():
            yield from commands(inner, f"{path} {name}")


COMMANDS = dict(commands())
EXAMPLES = [(path, example) for path, command in COMMANDS.items() for example in told(command).examples]


def parsed(words: list[str]) -> str:
    """What one typed of the command that takes these words. Raises click's UsageError where it does not."""
    context = app.syncd.make_context("syncd", words, obj=Options())
    path = "syncd"
    while isinstance(context.command, Group):
        name, command, left = context.command.resolve_command(context, [*context._protected_args, *context.args])
        assert name and command
        path = f"{path} {name}"
        context = command.make_context(name, left, parent=context)
    return path


@pytest.mark.parametrize(("path", "example"), EXAMPLES, ids=[example for _, example in EXAMPLES])
def test_an_example_is_taken_by_its_command(path: str, example: str) -> None:
    line, _, _ = example.partition(" > ")
    words = shlex.split(line.partition(" >> ")[0])
    assert words[0] == "syncd"
    assert parsed(words[1:]).startswith(path)


@pytest.mark.parametrize("path", COMMANDS)
def test_a_command_has_a_text_and_an_example(path: str) -> None:
    help_ = told(COMMANDS[path])
    assert help_.paragraphs and help_.paragraphs[0].endswith(".")
    assert help_.examples


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_has_a_text(path: str) -> None:
    options = [one for one in COMMANDS[path].params if isinstance(one, click.Option)]
    assert [one.name for one in options if not one.help] == []


def test_a_wrong_example_is_found() -> None:
    with pytest.raises(click.UsageError):
        parsed(["load", "--no-such-option"])
    with pytest.raises(click.UsageError):
        parsed(["lod"])


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_the_commands_are_shown_by_when_one_needs_them(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(words)
    shown = "".join(capsys.readouterr())
    places = [shown.index(f"\n{chapter}:\n") for chapter in CHAPTERS]
    assert places == sorted(places)
    assert [name for name in app.syncd.all_commands() if f"\n  {name} " not in shown] == []


@pytest.mark.parametrize("words", [[], ["--help"], ["rejects"], ["load", "--help"]])
def test_help_reads_as_written(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(words)
    shown = "".join(capsys.readouterr())
    assert "--pg-password PASSWORD" in shown and "***" not in shown


# the manual page


def test_the_page_has_every_command_option_and_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["man"]) == 0
    page = capsys.readouterr().out.replace(r"\-", "-").replace(r"\(ti", "~")
    assert re.match(r'\.TH SYNCD 1 "\d{4}-\d\d-\d\d" "syncd \S+" ', page)
    for path, command in COMMANDS.items():
        assert path == "syncd" or f'.SS "{path}' in page
        names = [name for one in command.params if isinstance(one, click.Option) for name in one.opts]
        assert [name for name in names if not re.search(rf"{name}\b", page)] == []
        assert [example for example in told(command).examples if f"\n{example}\n" not in page] == []


@pytest.mark.parametrize(
    "formatter",
    [("groff", "-man", "-Tutf8", "-ww", "-z"), ("mandoc", "-Tlint", "-Wwarning")],
    ids=lambda words: words[0],
)
def test_the_page_is_free_of_what_a_formatter_warns_of(formatter: tuple[str, ...]) -> None:
    program = shutil.which(formatter[0])
    if program is None:
        pytest.skip(f"NOT TESTED: the manual page by {formatter[0]}, which is not on this machine")
    page = manual(app.syncd, "0.1.0", "2026-01-31")
    done = subprocess.run([program, *formatter[1:]], input=page, capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""


def test_what_roff_would_take_for_its_own_is_printed() -> None:
    @click.group("syncd", cls=Group)
    def odd() -> None:
        """Print `C:\\new` well.

        .TH is no macro here, nor is

        'this one.

        \b
        Example: syncd --json
        """

    page = manual(odd, "1", "2026-01-31")
    assert r"C:\enew" in page and "\n\\&.TH is no macro" in page and "\n\\&'this one." in page


def test_every_exit_code_is_told_as_in_the_readme() -> None:
    raised = {kind.exit_code for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "exit_code")}
    assert raised <= EXIT_CODES.keys()
    rows = re.findall(r"^\| (\d+(?:, \d+)*) \| ", README, re.MULTILINE)
    assert {int(code) for row in rows for code in row.split(", ")} == EXIT_CODES.keys()
