"""What wakes the daemon: signals, the schedule, changes of the file. Each only sets a flag.

A handler does nothing else: the log's lock may be held by the very thread that a signal interrupts.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Wake:
    """The flags, and the event on which the daemon sleeps."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.stopped = False
        self.reload = False
        self.scheduled = True

    def sleep(self, seconds: float) -> bool:
        """Sleep until something happens, at most so long; returns whether it did."""
        happened = self._event.wait(seconds)
        self._event.clear()
        return happened

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
        self._event.set()

    def _reload(self, _number: int, _frame: FrameType | None) -> None:
        self.reload = True
        self._event.set()

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
