"""The warden watches a fenced cutover: writers come in again at the deadline, or when somebody wants it to end."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from syncd.engine.sides import Sides
from syncd.errors import AbortedError, SyncdError
from syncd.source.fence import Fence
from syncd.target.cutover import CutoverState
from syncd.target.database import Connection, PostgresError, cancel

_ASK_SECONDS = 0.5
_INTERRUPTED = "it was interrupted"
_TOO_LATE = "writes were stopped for as long as [cutover] deadline allows"


class Warden:
    """A thread with a connection of its own. What it decides, the steps learn from `confirm`."""

    def __init__(self, sides: Sides, state: CutoverState, stopping: Callable[[], bool]) -> None:
        self._sides = sides
        self._state = state
        self._stopping = stopping
        self._fence: Fence | None = None
        self._session: Connection | None = None
        self._timer: threading.Timer | None = None
        self._reason = ""
        self._committing = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="warden", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._timer:
            self._timer.cancel()
        self._thread.join(1)

    def guard(self, fence: Fence, seconds: float) -> None:
        """Release this fence after so many seconds at the latest."""
        if self._timer:
            self._timer.cancel()
        self._fence = fence
        # A thread of its own: the other may wait for a target that does not answer.
        self._timer = threading.Timer(max(seconds, 0.0), self._end, [_TOO_LATE])
        self._timer.daemon = True
        self._timer.start()

    def confirm(self) -> None:
        """Raise AbortedError where the cutover has to end."""
        if not self._reason and self._stopping():
            self._reason = _INTERRUPTED
        if self._reason:
            raise AbortedError(self._reason, where=self._state.source_name)

    def should_stop(self) -> bool:
        return bool(self._reason) or self._stopping()

    def hold(self) -> None:
        """From now on the fence stays, deadline or not: promotion is being committed."""
        with self._committing:
            self.confirm()
            self._fence = self._session = None

    @contextmanager
    def ending(self, session: Connection) -> Iterator[None]:
        """Within the block, what this session is at is given up when the cutover has to end."""
        self._session = session
        try:
            yield
        except (SyncdError, PostgresError):
            self.confirm()
            raise
        finally:
            # Waits for a cancel that is on its way: it must not meet what the session is at next.
            with self._committing:
                self._session = None

    def _watch(self) -> None:
        while not self._ended.wait(_ASK_SECONDS):
            if self._stopping():
                self._end(_INTERRUPTED)
                return
            if self._is_asked():
                self._end("somebody asked to abort it")
                return

    def _is_asked(self) -> bool:
        # A target that is away is the business of the step at work.
        with suppress(SyncdError, PostgresError):
            connection = self._sides.connect()
            try:
                return self._state.is_asked_to_abort(connection)
            finally:
                connection.close()
        return False

    def _end(self, reason: str) -> None:
        with self._committing:
            self._reason = self._reason or reason
            if self._fence:
                self._fence.release()
            if self._session:
                cancel(self._session)
