"""`syncd demo`, whole: what it shows, what it compares, and that nothing of it stays."""

import errno
import os
import pty
import select
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.plugins.cli import RunSyncd
from tests.plugins.patience import wait_until

SHORT = "import sys; from syncd.demo import run_demo; sys.exit(run_demo(rows=3000, seconds=3))"


@pytest.fixture
def temporary() -> Iterator[Path]:
    """The folder for the demo's temporary files."""
    with tempfile.TemporaryDirectory(prefix="syncd-test-", dir="/tmp") as folder:
        yield Path(folder)


def test_it_loads_keeps_up_and_finds_no_difference(run_syncd: RunSyncd, temporary: Path) -> None:
    done = run_syncd("demo", env={"TMPDIR": str(temporary)}, timeout=60)

    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    told = {line.split("  ")[0] for line in done.stdout.splitlines()}
    assert told >= {"SQLite", "PostgreSQL", "load", "trading", "syncd run", "lag", "last pass", "verify"}
    assert "no difference" in done.stdout
    assert len([line for line in done.stdout.splitlines() if " behind, " in line]) >= 8
    assert len([line for line in done.stdout.splitlines() if "syncd " in line and " --source app.db" in line]) == 3
    assert "\x1b" not in done.stdout
    assert_nothing_is_left(temporary)


def test_a_terminal_sees_a_table_that_moves_whatever_the_environment_says(temporary: Path) -> None:
    misled = {
        "PGHOST": "nowhere.invalid",
        "PGPORT": "1",
        "SYNCD_TARGET": "host=nowhere.invalid",
        "SYNCD_CONFIG": "none",
    }

    code, screen = Terminal(temporary, misled).end()

    assert code == 0, screen
    for text in ("making a market", "PostgreSQL", "behind", "passes/s", "ohlcv_data", "p95", "no difference"):
        assert text in screen
    assert_nothing_is_left(temporary)


@pytest.mark.parametrize("moment", ["making a market", "starting PostgreSQL", "loading", "of 3 s", "comparing"])
def test_ctrl_c_leaves_nothing_behind(temporary: Path, moment: str) -> None:
    terminal = Terminal(temporary)
    terminal.read_until(moment)
    terminal.press_ctrl_c()
    time.sleep(0.1)
    terminal.press_ctrl_c()
    code, screen = terminal.end()

    assert code == 130, screen
    assert "stopped; nothing is left behind" in screen
    assert "Traceback" not in screen
    assert_nothing_is_left(temporary)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_ends_leave_nothing_behind(temporary: Path, number: signal.Signals) -> None:
    terminal = Terminal(temporary)
    terminal.read_until("of 3 s")
    os.kill(terminal.pid, number)
    code, screen = terminal.end()

    assert code == 128 + number, screen
    assert_nothing_is_left(temporary)


class Terminal:
    """A short demo on a terminal of its own."""

    def __init__(self, temporary: Path, more: dict[str, str] | None = None) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("SYNCD_", "PG"))}
        environment = (
            clean | {"TMPDIR": str(temporary), "TERM": "xterm", "COLUMNS": "100", "LINES": "40"} | (more or {})
        )
        self._shown = ""
        # A process that has threads must not fork into Python code: only exec follows.
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.execve(sys.executable, [sys.executable, "-c", SHORT], environment)

    def read_until(self, text: str, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while text not in self._shown:
            assert time.monotonic() < deadline, f"no {text!r}: {self._shown}"
            assert self._read(), f"no {text!r}, and it ended: {self._shown}"

    def press_ctrl_c(self) -> None:
        os.write(self._terminal, b"\x03")

    def end(self, seconds: float = 60) -> tuple[int, str]:
        """Its exit code, and all that it showed."""
        deadline = time.monotonic() + seconds
        while self._read():
            assert time.monotonic() < deadline, f"it does not end: {self._shown}"
        _, status = os.waitpid(self.pid, 0)
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(status), self._shown

    def _read(self) -> bool:
        """Read what is there; false when nobody is left to write."""
        if not select.select([self._terminal], [], [], 0.2)[0]:
            return True
        try:
            piece = os.read(self._terminal, 65536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return False
        self._shown += piece.decode(errors="replace")
        return bool(piece)


def assert_nothing_is_left(folder: Path) -> None:
    wait_until(lambda: not processes_of(folder), "the demo's processes are gone", 5)
    assert list(folder.iterdir()) == []


def processes_of(folder: Path) -> list[str]:
    """The processes that work in a folder or were told of it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            told = (process / "cmdline").read_bytes().decode(errors="replace")
            if str(folder) in f"{told} {(process / 'cwd').readlink()}":
                found.append(told)
    return found
