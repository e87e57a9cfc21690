"""What wakes the daemon: signals, the schedule, changes of the file. Each only sets a flag.

A signal's handler does nothing else. It runs in the thread that it interrupts, and that may hold the lock of the log or
of the very event on which it sleeps: setting the event there stopped a daemon for ever.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNAL_SECONDS = 0.5


class Wake:
    """The flags, and the event on which the daemon sleeps."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.stopped = False
        self.reload = False
        self.scheduled = True

    def sleep(self, seconds: float) -> bool:
        """Sleep until something happens, at most so long; returns whether it did. Signals are seen within 0.5 s."""
        deadline = time.monotonic() + seconds
        while not (self.stopped or self.reload) and (left := deadline - time.monotonic()) > 0:
            if self._event.wait(min(left, SIGNAL_SECONDS)):
                self._event.clear()
                return True
        return self.stopped or self.reload

    def is_stopping(self) -> bool:
        return self.stopped

    def on_change(self) -> None:
        self._event.set()

    def on_schedule(self) -> None:
        self.scheduled = True
        self._event.set()

    def take_scheduled(self) -> bool:
        """Whether the schedule struck since the last call."""
        struck, self.scheduled = self.scheduled, False
        return struck

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopped = True

    def _reload(self, _number: int, _frame: FrameType | None) -> None:
        self.reload = True

    @contextmanager
    def listening(self) -> Iterator[None]:
        """SIGTERM and SIGINT stop, SIGHUP reloads, within the block."""
        handlers = {signal.SIGTERM: self._stop, signal.SIGINT: self._stop, signal.SIGHUP: self._reload}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
