"""Completion in the shells themselves: what the TAB key makes of a line that was begun."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.plugins.source import MakeSource

PROGRAMS = Path(sys.executable).parent
SECONDS = 60.0
PROMPT = "what now? "
CLEAR = "\x15\n"
"""What empties the line, and asks for another."""

LINES = [
    ("syncd cutov", "syncd cutover"),
    ("syncd rejects repl", "syncd rejects replay"),
    ("syncd load --validate", "syncd load --validate-only"),
    ("syncd verify --mode cou", "syncd verify --mode counts"),
    ("syncd --json thro", "syncd --json throttle"),
    ("syncd pause cust", "syncd pause customer"),
    ("syncd load --tables customer,or", "syncd load --tables customer,orders"),
    ("syncd status -c sho", "syncd status -c shop.ini"),
]


@pytest.fixture
def environment(make_source: MakeSource, tmp_path: Path) -> Mapping[str, str]:
    """A source by a variable, a folder with one configuration, the installed program in the path."""
    source = make_source("CREATE TABLE customer (id INTEGER PRIMARY KEY); CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    (tmp_path / "typing").mkdir()
    (tmp_path / "typing" / "shop.ini").write_text("")
    if not (PROGRAMS / "syncd").exists():
        pytest.skip(f"NOT TESTED: completion, as there is no program {PROGRAMS / 'syncd'}")
    return {
        "PATH": f"{PROGRAMS}:{os.defpath}",
        "HOME": str(tmp_path),
        "SYNCD_SOURCE": str(source),
        "TERM": "dumb",
        "LC_ALL": "C.UTF-8",
    }


def shell(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"NOT TESTED: completion in {name}, which is not on this machine")
    return found


class Terminal:
    """A shell that somebody types into."""

    def __init__(self, command: list[str], environment: Mapping[str, str], folder: Path) -> None:
        self._end, shells = pty.openpty()
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=shells,
            stdout=shells,
            stderr=shells,
            start_new_session=True,
        )
        os.close(shells)
        self._shown = ""

    def type(self, text: str) -> None:
        os.write(self._end, text.encode())

    def wait_for(self, text: str) -> str:
        """What was shown since the last time, as soon as it holds the text."""
        deadline = time.monotonic() + SECONDS
        while text not in self._plain():
            ready, _, _ = select.select([self._end], [], [], max(deadline - time.monotonic(), 0))
            assert ready, f"no {text!r} in {self._plain()!r}"
            self._shown += os.read(self._end, 4096).decode(errors="replace")
        shown, self._shown = self._plain(), ""
        return shown

    def _plain(self) -> str:
        """Without what moves the cursor."""
        text = re.sub(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[=>])", "", self._shown)
        return text.replace("\r", "")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._end)


COMMANDS = {
    "bash": ["--norc", "--noprofile", "-i"],
    "zsh": ["-f", "-i"],
}
SETUP = {
    "bash": 'bind "set enable-bracketed-paste off"; eval "$(syncd completion bash)"',
    "zsh": 'autoload -U compinit; compinit -u -D; eval "$(syncd completion zsh)"; unsetopt zle_bracketed_paste',
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_tab_key_completes_the_line(name: str, environment: Mapping[str, str], tmp_path: Path) -> None:
    terminal = Terminal([shell(name), *COMMANDS[name]], environment, tmp_path / "typing")
    try:
        # In halves, as the terminal shows what is typed as well.
        terminal.type(f"{SETUP[name]}; PS1='what ''now? '\n")
        terminal.wait_for(PROMPT)
        for begun, whole in LINES:
            terminal.type(f"{begun}\t")
            terminal.wait_for(whole)
            terminal.type(CLEAR)
            terminal.wait_for(PROMPT)
    finally:
        terminal.close()


@pytest.mark.parametrize(("begun", "whole"), LINES)
def test_fish_completes_the_line(begun: str, whole: str, environment: Mapping[str, str], tmp_path: Path) -> None:
    fish = shell("fish")
    asked = f"syncd completion fish | source; complete -C '{begun}'"
    done = subprocess.run(
        [fish, "--no-config", "-c", asked],
        cwd=tmp_path / "typing",
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.stderr == ""
    offered = [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert offered == [whole.rpartition(" ")[2]]


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_a_script_is_one(name: str, environment: Mapping[str, str]) -> None:
    program = shell(name)
    script = subprocess.run(["syncd", "completion", name], env=environment, capture_output=True, text=True, check=True)
    checked = subprocess.run([program, "-n"], input=script.stdout, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_without_a_source_no_table_is_offered_and_nothing_is_said(environment: Mapping[str, str]) -> None:
    asked = {"_SYNCD_COMPLETE": "bash_complete", "COMP_WORDS": "syncd pause c", "COMP_CWORD": "2"}
    for source in ("", "no/such/file.db"):
        done = subprocess.run(
            ["syncd"], env={**environment, "SYNCD_SOURCE": source, **asked}, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")
