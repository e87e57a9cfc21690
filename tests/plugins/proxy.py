"""A proxy between client and PostgreSQL that cuts or stalls connections on command."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Protocol

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

_PIECE = 65536
_SILENCE_SECONDS = 0.3


@dataclass(eq=False)
class _Link:
    """One connection through the proxy."""

    client: socket.socket
    server: socket.socket
    muted: bool = False
    """The server's answers no longer reach the client."""
    recent: bytes = b""
    """The last bytes from the client: what is looked for may arrive in two pieces."""
    ended: bool = False
    forwarder: threading.Thread | None = None
    answerer: threading.Thread | None = None

    def cut(self) -> None:
        """End it; its threads wake up and close the sockets."""
        self.ended = True
        for end in (self.client, self.server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close_sockets(self) -> None:
        """Reset both connections. Without the reset, a client whose sends fill the buffers waits for ever."""
        for end in (self.client, self.server):
            if end.family == socket.AF_INET:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()


class Proxy:
    """Forwards every connection to one server. A cut that is asked for happens once; later connections pass."""

    def __init__(self, target: str) -> None:
        """`target` is a DSN of the server behind."""
        self._target = target
        self._flowing = threading.Event()
        self._flowing.set()
        self._delay = 0.0
        self._was_cut = threading.Event()
        self._lock = threading.Lock()
        self._bytes_left: int | None = None
        self._text: bytes | None = None
        self._after = True
        self._links: list[_Link] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def dsn(self, database: str = "") -> str:
        """The way through the proxy: to the target's own database, or to one given by name or DSN."""
        is_dsn = "=" in database or "://" in database
        parts = conninfo_to_dict(database if is_dsn else self._target)
        whole = make_conninfo(**{name: str(value) for name, value in parts.items() if name != "hostaddr"})
        here = make_conninfo(whole, host="127.0.0.1", port=self.port)
        return make_conninfo(here, dbname=database) if database and not is_dsn else here

    def cut_now(self) -> None:
        """End all connections."""
        with self._lock:
            links = list(self._links)
        for link in links:
            self._cut(link)

    def cut_after_bytes(self, count: int) -> None:
        """Let this many more bytes of the clients through, then end the connection that sends the next."""
        with self._lock:
            self._was_cut.clear()
            self._bytes_left = count

    def cut_on(self, text: bytes, *, after: bool = True) -> None:
        """End the connection on which a client sends these bytes.

        `after`: the server gets them and does what they say, and the client never learns of it.
        Otherwise the server gets nothing of the piece that completes them.
        """
        with self._lock:
            self._was_cut.clear()
            self._text, self._after = text, after

    def stall(self) -> None:
        """Forward nothing, in either direction and on new connections too, and close nothing."""
        self._flowing.clear()

    def slow_down(self, seconds: float) -> None:
        """From now on let each piece of the clients wait so long."""
        self._delay = seconds

    def resume(self) -> None:
        """Forward again, beginning with what was held back."""
        self._flowing.set()

    @property
    def was_cut(self) -> bool:
        """Whether the cut that was asked for has happened."""
        return self._was_cut.is_set()

    def wait_until_cut(self, seconds: float = 30) -> None:
        """Wait until the cut that was asked for has happened."""
        assert self._was_cut.wait(seconds), f"nothing was cut in {seconds} s"

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(30)
        self.resume()
        for link in self._links:
            link.cut()
            if link.answerer:
                link.answerer.join(30)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = _connect(self._target)
            except OSError:
                client.close()
                continue
            link = _Link(client, server)
            link.forwarder = threading.Thread(target=self._forward, args=(link,), daemon=True)
            link.answerer = threading.Thread(target=self._answer, args=(link, link.forwarder), daemon=True)
            with self._lock:
                self._links.append(link)
            link.forwarder.start()
            link.answerer.start()

    def _forward(self, link: _Link) -> None:
        with suppress(OSError):
            while data := link.client.recv(_PIECE):
                self._wait_for_flow(link)
                time.sleep(self._delay)
                allowed, cut = self._judge(link, data)
                link.server.sendall(allowed)
                if cut:
                    self._cut(link)
        if not link.muted:
            link.cut()

    def _answer(self, link: _Link, forwarder: threading.Thread) -> None:
        with suppress(OSError):
            while data := link.server.recv(_PIECE):
                if link.muted:
                    self._swallow(link)
                    break
                self._wait_for_flow(link)
                link.client.sendall(data)
        link.cut()
        forwarder.join()
        link.close_sockets()

    def _wait_for_flow(self, link: _Link) -> None:
        while not self._flowing.wait(0.05):
            if link.ended:
                raise ConnectionAbortedError

    def _judge(self, link: _Link, data: bytes) -> tuple[bytes, bool]:
        """What of the client's bytes the server gets, and whether the connection then ends."""
        with self._lock:
            if self._bytes_left is not None:
                if len(data) > self._bytes_left:
                    allowed, self._bytes_left = data[: self._bytes_left], None
                    return allowed, True
                self._bytes_left -= len(data)
            if self._text is not None:
                seen = link.recent + data
                if self._text in seen:
                    self._text = None
                    link.muted = self._after
                    return (data, False) if self._after else (b"", True)
                link.recent = seen[-len(self._text) :]
            return data, False

    def _swallow(self, link: _Link) -> None:
        """Cut when the server has said all it had to say: only then has it done what it was told."""
        link.server.settimeout(_SILENCE_SECONDS)
        with suppress(TimeoutError):
            while link.server.recv(_PIECE):
                pass
        self._cut(link)

    def _cut(self, link: _Link) -> None:
        link.cut()
        self._was_cut.set()


def _connect(target: str) -> socket.socket:
    parts = conninfo_to_dict(target)
    host, port = str(parts.get("host") or "127.0.0.1"), int(parts.get("port") or 5432)
    if not host.startswith("/"):
        return socket.create_connection((host, port))
    server = socket.socket(socket.AF_UNIX)
    try:
        server.connect(f"{host}/.s.PGSQL.{port}")
    except OSError:
        server.close()
        raise
    return server


class OpenProxy(Protocol):
    def __call__(self, target: str) -> Proxy: ...


@pytest.fixture
def proxy() -> Iterator[OpenProxy]:
    """Open proxies to servers given by a DSN; they are closed after the test."""
    with ExitStack() as stack:

        def open_one(target: str) -> Proxy:
            opened = Proxy(target)
            stack.callback(opened.close)
            return opened

        yield open_one
