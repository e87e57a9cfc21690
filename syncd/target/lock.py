"""One writer per source: an advisory lock, held by one session, lent to a command that asks for it by NOTIFY."""

import hashlib
import time
from collections.abc import Callable

from syncd.errors import LockHeldError
from syncd.target.database import Connection, translated
from syncd.target.stall import guard

CHANNEL = "syncd_lend"
SECOND_DAEMON_SECONDS = 5.0
BORROW_SECONDS = 60.0
_STEP = 0.05
_ASK_AGAIN_SECONDS = 1.0
_PROOF_SECONDS = 5.0


class Lock:
    """The lock of one source, on a session of its own; it ends with that session, kill -9 included."""

    def __init__(self, connection: Connection, source_name: str) -> None:
        self.connection = connection
        self.source_name = source_name
        self._key = int.from_bytes(hashlib.sha256(source_name.encode()).digest()[:8], "big", signed=True)
        self._proven = 0.0

    def take(self, *, patience: float = SECOND_DAEMON_SECONDS) -> None:
        """Take the lock, waiting `patience` seconds for its owner's session to end. Raises LockHeldError."""
        deadline = time.monotonic() + patience
        while not self._try():
            if time.monotonic() > deadline:
                raise self._held()
            time.sleep(_STEP)

    def borrow(self, *, patience: float = BORROW_SECONDS) -> None:
        """Take the lock from a daemon that lends it; a daemon sees the waiting session and lets go.

        Raises LockHeldError where it does not within `patience` seconds.
        """
        deadline = time.monotonic() + patience
        asked = -_ASK_AGAIN_SECONDS
        while not self._try():
            now = time.monotonic()
            if now > deadline:
                raise self._held()
            if now - asked >= _ASK_AGAIN_SECONDS:
                # A daemon that is still loading does not listen yet; one that lent the lock took it back too soon.
                self._ask()
                asked = now
            time.sleep(_STEP)

    def _ask(self) -> None:
        with translated():
            self.connection.execute("SELECT pg_notify(%s, %s)", [CHANNEL, self.source_name])

    def _held(self) -> LockHeldError:
        return LockHeldError(
            "another syncd works on this source",
            where=self.source_name,
            advice="Stop it first, or leave the work to it: syncd status",
        )

    def _try(self) -> bool:
        with translated(), guard(self.connection):
            return bool(self.connection.execute("SELECT pg_try_advisory_lock(%s)", [self._key]).fetchall()[0][0])

    def is_held(self) -> bool:
        """Whether some session holds the lock now."""
        with translated():
            rows = self.connection.execute(
                "SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
                " AND (classid::bigint << 32) + objid::bigint = %s",
                [self._key],
            ).fetchall()
        return bool(rows)

    def listen(self) -> None:
        """Hear from now on when the lock is asked for."""
        with translated():
            self.connection.execute(f"LISTEN {CHANNEL}")

    def asked_for(self) -> bool:
        """Whether a command asked for this source's lock since the last call.

        Every five seconds it is also proof that the session lives: a question in each call is most of what an idle
        daemon costs.
        """
        with translated(), guard(self.connection):
            if time.monotonic() - self._proven > _PROOF_SECONDS:
                self.connection.execute("SELECT 1")
                self._proven = time.monotonic()
            return any(note.payload == self.source_name for note in self.connection.notifies(timeout=0))

    def lend(self, stopping: Callable[[], bool]) -> None:
        """Let go of the lock, give the asking command time to take it, and take it back when the command has ended."""
        with translated():
            self.connection.execute("SELECT pg_advisory_unlock(%s)", [self._key])
        time.sleep(_STEP * 4)
        while not stopping() and not self._try():
            time.sleep(_STEP)
