"""Freeing a connection whose server stopped answering.

`tcp_user_timeout` and keepalives do not help while the peer's kernel still acknowledges: a stopped process hangs its
clients for ever. The guard asks the server on a second connection; when that is not answered either, it shuts the
first one's socket, which wakes the waiting thread with an OperationalError.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg

PATIENCE = 20.0
"""Seconds after which work that has not ended makes the guard ask whether the server lives."""
PROBE_SECONDS = 10
_TICK = 1.0

AnyConnection = psycopg.Connection[Any]


@dataclass
class _Watched:
    connection: AnyConnection
    descriptor: int
    asked: float


class _Guard:
    """One thread that watches over every guarded connection of the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: dict[int, _Watched] = {}
        self._thread: threading.Thread | None = None

    def add(self, connection: AnyConnection) -> int:
        # A descriptor of our own: the connection's number may belong to another file by the time that we use it.
        descriptor = os.dup(connection.fileno())
        with self._lock:
            self._watched[descriptor] = _Watched(connection, descriptor, time.monotonic())
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="stall-guard", daemon=True)
                self._thread.start()
        return descriptor

    def remove(self, descriptor: int) -> None:
        with self._lock:
            del self._watched[descriptor]
            os.close(descriptor)

    def _run(self) -> None:
        while True:
            time.sleep(_TICK)
            now = time.monotonic()
            with self._lock:
                late = [watched for watched in self._watched.values() if now - watched.asked > PATIENCE]
            for watched in late:
                if _answers(watched.connection):
                    watched.asked = time.monotonic()
                else:
                    self._shut(watched)

    def _shut(self, watched: _Watched) -> None:
        with self._lock:
            if self._watched.get(watched.descriptor) is watched:
                with suppress(OSError), socket.socket(fileno=os.dup(watched.descriptor)) as peer:
                    peer.shutdown(socket.SHUT_RDWR)


_guard = _Guard()


@contextmanager
def guard(connection: AnyConnection) -> Iterator[None]:
    """Watch over what happens on the connection within the block."""
    descriptor = _guard.add(connection)
    try:
        yield
    finally:
        _guard.remove(descriptor)


def _answers(connection: AnyConnection) -> bool:
    """Whether the server answers a new connection; refusing it is an answer."""
    try:
        info = connection.info
        psycopg.connect(info.dsn, password=info.password, connect_timeout=PROBE_SECONDS).close()
    except psycopg.errors.ConnectionTimeout:
        return False
    except psycopg.Error:
        return not connection.closed
    return True
