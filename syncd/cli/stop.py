"""How a command is asked to stop: the first signal lets it finish its batch, the second ends it at once."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STREAMS = (1, 2)
_SHOW_CURSOR = b"\x1b[?25h"


class StopSignal:
    """Told by SIGINT, SIGTERM and SIGHUP while it listens; calling it tells whether one came."""

    def __init__(self) -> None:
        self.number = 0
        self._terminals: tuple[int, ...] = ()

    def __call__(self) -> bool:
        return self.number != 0

    @property
    def exit_code(self) -> int:
        return 128 + self.number

    @contextmanager
    def listening(self) -> Iterator[None]:
        # nohup ignores SIGHUP, and means it.
        heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        self._terminals = tuple(filter(os.isatty, _STREAMS))
        before = {number: signal.signal(number, self._handle) for number in heard}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._leave_lost_terminals()
        # A terminal that goes away hangs up more than once: the kernel does, and the shell.
        if self.number and signal.SIGHUP not in (self.number, number):
            # Whoever asks twice cannot wait; a kill at any instant loses nothing.
            if sys.stderr.isatty():
                os.write(sys.stderr.fileno(), _SHOW_CURSOR)
            os._exit(128 + number)
        self.number = self.number if self.number and number == signal.SIGHUP else number

    def _leave_lost_terminals(self) -> None:
        """Every write to a terminal that is gone fails, and would end the way back in its middle."""
        for descriptor in self._terminals:
            if not os.isatty(descriptor):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, descriptor)
                os.close(nowhere)


@contextmanager
def unsuspended() -> Iterator[None]:
    """Let Ctrl-Z do nothing within the block: a process that is suspended keeps no deadline, and keeps its locks.

    Not SIG_IGN: what we start would inherit that, a service that a hook starts as well.
    """
    before = signal.signal(signal.SIGTSTP, lambda _number, _frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, before)


@contextmanager
def unwinding() -> Iterator[None]:
    """Let SIGTERM leave by way of every `finally`, so that an embedded server is not left behind."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
