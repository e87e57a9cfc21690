"""The two programs of the demo, each a process of its own: the application that trades, and the daemon."""

import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from syncd.errors import StopError

Line = Mapping[str, Any]

ENDING_SECONDS = 20.0
_LINES_KEPT = 5


class Actor:
    """A program that tells of itself in lines of JSON."""

    def __init__(self, name: str, arguments: tuple[str, ...], folder: Path, hear: Callable[[Line], None]) -> None:
        self._name = name
        self._hear = hear
        self._last: deque[str] = deque(maxlen=_LINES_KEPT)
        # In the demo's folder, so that no module of the user's is taken for ours; in a session of its own, so that
        # Ctrl-C comes to the demo alone, which ends everything in order.
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", *arguments],
            cwd=folder,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._listener = threading.Thread(target=self._listen, args=(self._process.stdout,), name=name, daemon=True)
        self._listener.start()

    def _listen(self, lines: IO[str]) -> None:
        for line in lines:
            self._last.append(line.rstrip())
            try:
                told = json.loads(line)
            except ValueError:
                continue
            self._hear(told)

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def check(self) -> None:
        """Raise StopError with its last words when it failed."""
        code = self._process.poll()
        if code:
            self._listener.join(1)
            raise StopError(f"{self._name} ended with {code}:\n" + "\n".join(f"  {line}" for line in self._last))

    def end(self) -> None:
        """Ask it to end, and wait; kill it when it does not."""
        if not self.has_ended:
            self._process.terminate()
        try:
            self._process.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join()
        if self._process.stdout:
            self._process.stdout.close()


def _environment(folder: Path) -> dict[str, str]:
    """The user's own, without what would lead syncd or libpq elsewhere."""
    theirs = {name: value for name, value in os.environ.items() if not name.startswith(("SYNCD_", "PG"))}
    return theirs | {"SYNCD_STATE_DIR": str(folder / "state"), "PYTHONUNBUFFERED": "1"}


@contextmanager
def trader(folder: Path, source: Path, seconds: float, rate: float, hear: Callable[[Line], None]) -> Iterator[Actor]:
    """The application: inserts and updates, `rate` transactions a second."""
    arguments = ("syncd.market", "trade", str(source), "--seconds", str(seconds), "--rate", str(rate), "--json")
    actor = Actor("the application", arguments, folder, hear)
    try:
        yield actor
    finally:
        actor.end()


@contextmanager
def daemon(folder: Path, source: Path, dsn: str, hear: Callable[[Line], None]) -> Iterator[Actor]:
    """`syncd run`, as anybody would start it."""
    arguments = ("syncd", "run", "--source", str(source), "--target", dsn, "--log-format", "json", "--verbose")
    actor = Actor("syncd run", arguments, folder, hear)
    try:
        yield actor
    finally:
        actor.end()
