"""The command line, run as users run it: another process, in a folder of its own, with a clean environment."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import pytest


class Syncd:
    """A running `syncd`."""

    def __init__(
        self,
        arguments: tuple[str | Path, ...],
        folder: Path,
        name: str,
        environment: dict[str, str],
        prefix: tuple[str, ...] = (),
    ) -> None:
        self.arguments = arguments
        self._out, self._err = folder / f"{name}.stdout", folder / f"{name}.stderr"
        # Files, not pipes: a full pipe would stop the program, and an embedded server would keep one open.
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                [*prefix, sys.executable, "-m", "syncd", *arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def stdout(self) -> str:
        return self._out.read_text()

    @property
    def stderr(self) -> str:
        return self._err.read_text()

    @property
    def returncode(self) -> int | None:
        return self._process.poll()

    def wait_for(self, text: str, seconds: float = 30) -> None:
        """Wait until the text is on stdout or stderr."""
        deadline = time.monotonic() + seconds
        while text not in self.stdout + self.stderr:
            ended = self.returncode is not None and text not in self.stdout + self.stderr
            if ended or time.monotonic() > deadline:
                state = f"exit {self.returncode}" if ended else f"{seconds} s"
                raise AssertionError(f"no {text!r} ({state})\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}")
            time.sleep(0.02)

    def wait(self, seconds: float = 30) -> int:
        """Wait until it ends; its exit status, negative for a signal."""
        return self._process.wait(seconds)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def terminate(self, seconds: float = 30) -> int:
        """Ask it to end, and wait; its exit status."""
        self._process.terminate()
        return self.wait(seconds)

    def kill9(self) -> None:
        self._process.kill()
        self._process.wait()


class RunSyncd(Protocol):
    def __call__(
        self, *arguments: str | Path, timeout: float = 60, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]: ...


class StartSyncd(Protocol):
    def __call__(
        self, *arguments: str | Path, env: Mapping[str, str] | None = None, prefix: tuple[str, ...] = ()
    ) -> Syncd: ...


@pytest.fixture
def start_syncd(tmp_path: Path) -> Iterator[StartSyncd]:
    """Start `syncd` in the test's folder; its state is there too. What still runs after the test is killed.

    `prefix` is a program that starts it in another way.
    """
    started: list[Syncd] = []

    def start(*arguments: str | Path, env: Mapping[str, str] | None = None, prefix: tuple[str, ...] = ()) -> Syncd:
        environment = _environment(tmp_path, env or {})
        started.append(Syncd(arguments, tmp_path, f"syncd-{len(started)}", environment, prefix))
        return started[-1]

    yield start
    for one in started:
        one.kill9()
    _stop_embedded_servers(tmp_path)


@pytest.fixture
def run_syncd(start_syncd: StartSyncd) -> RunSyncd:
    """Run `syncd` to its end. Raises subprocess.TimeoutExpired after `timeout` seconds."""

    def run(
        *arguments: str | Path, timeout: float = 60, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        syncd = start_syncd(*arguments, env=env)
        code = syncd.wait(timeout)
        return subprocess.CompletedProcess(["syncd", *map(str, arguments)], code, syncd.stdout, syncd.stderr)

    return run


def _environment(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("SYNCD_", "PG"))}
    return ours | {"SYNCD_STATE_DIR": str(folder / "state")} | dict(more)


def _stop_embedded_servers(folder: Path) -> None:
    """A server outlives the process that was killed; here nobody comes back for it."""
    for pid_file in folder.rglob("postmaster.pid"):
        with suppress(OSError):
            pid = int(pid_file.read_text().split()[0])
            if Path(f"/proc/{pid}/cwd").samefile(pid_file.parent):
                os.kill(pid, signal.SIGQUIT)
