"""The README against the code: its commands and options, its tables, its shell blocks."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from enum import Enum
from pathlib import Path

import click
import pydantic_core
import pytest
from pydantic import BaseModel

from syncd import errors
from syncd.cli.app import syncd
from syncd.cli.options import Group
from syncd.config import (
    AggregateConfig,
    BenchmarkConfig,
    CutoverConfig,
    HooksConfig,
    HypertableConfig,
    IndexConfig,
    LogConfig,
    NotifyConfig,
    SourceConfig,
    SyncConfig,
    TableConfig,
    TargetConfig,
    Watermark,
    WebConfig,
)
from syncd.target.sql import statement

HOME = Path(__file__).parents[2]
README = (HOME / "README.md").read_text("utf-8")
FENCED = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
SHELL = [text for language, text in FENCED if language == "sh"]
INLINE = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL))
SECTIONS: dict[str, type[BaseModel]] = {
    "source": SourceConfig,
    "target": TargetConfig,
    "sync": SyncConfig,
    "table:NAME": TableConfig,
    "hypertable:NAME": HypertableConfig,
    "aggregate:NAME": AggregateConfig,
    "index:NAME": IndexConfig,
    "benchmark:NAME": BenchmarkConfig,
    "web": WebConfig,
    "notify": NotifyConfig,
    "cutover": CutoverConfig,
    "hooks": HooksConfig,
    "log": LogConfig,
}
FOREIGN_OPTIONS = {"--now"}


@pytest.mark.parametrize("number", [0, 1])
def test_a_shell_block_is_fine(number: int) -> None:
    checked = subprocess.run(["bash", "-n"], input=SHELL[number], capture_output=True, text=True, check=False)

    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_first_block_shows_the_demo_and_the_second_runs_the_checks() -> None:
    assert SHELL[0].splitlines()[-1].endswith("syncd demo")
    for tool in ("ruff check", "ruff format --check", "mypy", "lint-imports", "pytest"):
        assert tool in SHELL[1]


def test_the_checks_run_the_second_block(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    (tmp_path / "README.md").write_text("```sh\nexit 9\n```\n```ini\n[x]\n```\n```sh\necho here: $PWD\nexit 3\n```\n")
    script = HOME / ".ci" / "run"
    (tmp_path / ".ci" / "run").write_text(script.read_text())

    done = subprocess.run(["bash", tmp_path / ".ci" / "run"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (3, f"here: {tmp_path}\n")
    assert script.stat().st_mode & 0o111


def invocations() -> Iterator[tuple[str, ...]]:
    """The words after `syncd` wherever the README calls it."""
    lines = [line for _, text in FENCED for line in text.splitlines()]
    for line in [*lines, *INLINE]:
        words = shlex.split(line.removeprefix("$ "), comments=True)
        if words[:1] == ["syncd"]:
            yield tuple(words[1:])
        elif words[1:3] == ["-m", "syncd"]:
            yield tuple(words[3:])


@pytest.mark.parametrize("words", sorted(set(invocations())), ids=" ".join)
def test_a_command_is_one(words: tuple[str, ...]) -> None:
    command: click.Command = syncd
    known = options(command)
    for word in words:
        if word.startswith("-"):
            assert word in known
        elif isinstance(command, Group) and word in command.all_commands():
            command = command.all_commands()[word]
            known |= options(command)
        elif isinstance(command, click.Group):
            raise AssertionError(f"no such command: {word}")


def options(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts} | {"--help", "--version"}


def commands(command: click.Command = syncd, path: str = "syncd") -> Iterator[tuple[str, click.Command]]:
    """Every command that is no group, by its name."""
    if not isinstance(command, Group):
        yield path, command
        return
    for name, inner in command.all_commands().items():
        yield from commands(inner, f"{path} {name}")


def test_every_option_that_is_named_exists() -> None:
    known = set().union(*(options(command) for _, command in commands())) | FOREIGN_OPTIONS
    named = {name for text in INLINE for name in re.findall(r"(?<![\w-])--[a-z][\w-]*", text)}

    assert named - known == set()


def test_the_reference_has_every_command_with_its_own_options() -> None:
    told = {
        cells[0].strip("`"): set(re.findall("`(.*?)`", cells[2])) for cells in rows("## Reference") if len(cells) == 3
    }

    shared = options(syncd)
    own = {
        name: {o for p in command.params if isinstance(p, click.Option) for o in p.opts} - shared
        for name, command in commands()
    }
    assert {name: told.get(name) for name in own} == own


def test_every_option_of_every_command_is_named() -> None:
    told = README.partition("Options of every command")[2].partition("\n\n")[0]

    assert {name for name in options(syncd) if f"`{name}`" not in told} == {"--version"}


@pytest.mark.parametrize("section", SECTIONS)
def test_the_table_of_a_section_has_every_key_with_its_default(section: str) -> None:
    fields = SECTIONS[section].model_fields
    told = {cells[0].strip("`"): cells[1] for cells in rows(f"### [{section}]")}
    expected = {str(field.validation_alias or name): shown(field.default) for name, field in fields.items()}

    assert told.keys() == expected.keys()
    assert {key: told[key] for key, default in expected.items() if default} == {k: d for k, d in expected.items() if d}
    assert [key for key, default in expected.items() if not default and re.fullmatch("`[^`]*`", told[key])] == []


def shown(default: object) -> str:
    """A default as the README writes it; empty where it says in words what happens."""
    match default:
        case None | () | pydantic_core.PydanticUndefined:
            return ""
        case dict() if not default:
            return ""
        case bool():
            return "`yes`" if default else "`no`"
        case timedelta():
            return f"`{default.total_seconds():g}s`"
        case Watermark():
            return f"`{default.kind}`"
        case Enum():
            return f"`{default.value}`"
        case _:
            return f"`{default}`"


def rows(title: str) -> Iterator[list[str]]:
    """The cells of the rows below a title, up to the next title."""
    _, _, rest = README.partition(f"\n{title}\n")
    assert rest, f"no such title: {title}"
    for line in re.split(r"^#", rest, maxsplit=1, flags=re.MULTILINE)[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            yield cells


def test_every_exit_code_of_an_error_is_told() -> None:
    told = set(re.findall(r"^\| (\d+) \|", README, re.MULTILINE))
    raised = {
        str(kind.exit_code) for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "exit_code")
    }

    assert raised <= told


def test_every_table_of_the_state_is_told() -> None:
    made = set(re.findall(r"CREATE TABLE IF NOT EXISTS (syncd\.\w+)", statement("schema")))
    told = {cells[0].strip("`") for cells in rows("## Reference") if len(cells) == 2}

    assert told == made
