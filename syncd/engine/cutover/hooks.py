"""Hooks: programs of the user that stop and start the application."""

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from syncd.config import HooksConfig
from syncd.errors import AbortedError
from syncd.log import event, redact

Name = Literal["on_fence", "on_promote", "on_abort"]
NAMES: tuple[Name, ...] = ("on_fence", "on_promote", "on_abort")
OUTPUT_CHARACTERS = 4000
_LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class HookResult:
    """What a hook did. `status` is its exit status, None where it had to be ended, or never began."""

    name: str
    command: str
    status: int | None
    seconds: float
    output: str

    @property
    def failed(self) -> bool:
        return self.status != 0

    @property
    def said(self) -> str:
        ended = "was ended: it took too long" if self.status is None else f"exit status {self.status}"
        return f"the hook {self.name} failed ({ended}): {self.command}" + (f"\n{self.output}" if self.output else "")


def run(
    config: HooksConfig, name: Name, environment: Mapping[str, str], stopping: Callable[[], bool] = lambda: False
) -> HookResult | None:
    """Run a hook where there is one, without a shell, in a session of its own that is ended as a whole.

    That happens after the timeout, and when `stopping` tells so.

    Its environment is ours with `SYNCD_HOOK_...` added; its output is kept, the last 4,000 characters of it.
    """
    command = _command(config, name)
    if not command:
        return None
    given = {f"SYNCD_HOOK_{key.upper()}": value for key, value in environment.items()}
    result = _run(name, command, config.timeout.total_seconds(), {**os.environ, **given}, stopping)
    level = "ERROR" if result.failed else "INFO"
    event(level, "hook", f"{name}: exit status {result.status}", seconds=round(result.seconds, 3))
    return result


def confirm(result: HookResult | None) -> None:
    """Raise AbortedError where the hook failed."""
    if result is not None and result.failed:
        raise AbortedError(result.said, where=f"[hooks] {result.name}", advice="Mend the hook, and begin again")


def missing(config: HooksConfig) -> list[tuple[Name, str]]:
    """The hooks whose program is not there, or may not be executed."""
    commands = {name: _command(config, name) for name in NAMES}
    return [(name, words[0]) for name, words in commands.items() if words and shutil.which(words[0]) is None]


def _command(config: HooksConfig, name: Name) -> list[str]:
    return shlex.split(getattr(config, name) or "")


def _run(
    name: str, command: list[str], seconds: float, environment: Mapping[str, str], stopping: Callable[[], bool]
) -> HookResult:
    began = time.monotonic()
    shown = shlex.join(command)
    # A file, not a pipe: a program that the hook leaves behind keeps a pipe open.
    with tempfile.TemporaryFile("w+b") as output:
        try:
            process = subprocess.Popen(  # noqa: S603 - the user's own program, from the configuration
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            return HookResult(name, shown, None, 0.0, f"it could not be started: {error.strerror}")
        status = _wait(process, began + seconds, stopping)
        output.seek(0)
        said = output.read().decode(errors="backslashreplace").strip()[-OUTPUT_CHARACTERS:]
    return HookResult(name, shown, status, time.monotonic() - began, redact(said))


def _wait(process: "subprocess.Popen[bytes]", deadline: float, stopping: Callable[[], bool]) -> int | None:
    """Its exit status; None where it had to be ended, with all that it started."""
    while time.monotonic() < deadline and not stopping():
        with suppress(subprocess.TimeoutExpired):
            return process.wait(_LOOK_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return None
