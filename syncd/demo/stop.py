"""Ctrl-C in the demo: noted at once, obeyed between two steps, so that nothing is left half made."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StoppedError(Exception):
    """Somebody asked the demo to stop."""


class Stop:
    """Told by a signal; calling it tells whether one came."""

    def __init__(self) -> None:
        self._number = 0

    def __call__(self) -> bool:
        return self._number != 0

    @property
    def exit_code(self) -> int:
        return 128 + self._number

    def check(self) -> None:
        """Raise StoppedError once a signal came."""
        if self():
            raise StoppedError

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen within the block. Once stopped, the process is deaf to whoever presses Ctrl-C again while it ends."""
        before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_IGN if self() else handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._number = self._number or number


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let no further Ctrl-C reach us, or the programs that put things away."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
