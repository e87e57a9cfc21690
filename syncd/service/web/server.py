"""The web server in a thread of its own, and its limits: viewers may be slow, stuck or hostile."""

import asyncio
import ipaddress
import logging
import math
import socket
import sys
import threading
import time
from typing import Any, ClassVar, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from syncd.errors import ConfigError
from syncd.log import event
from syncd.service.sampler import Sampled
from syncd.service.web.app import application
from syncd.service.web.pages import Pages
from syncd.service.web.sse import Stream

CONNECTIONS = 80
NEW_A_SECOND = 40
BURST = 120
"""More requests than that at once, or for long more than 40 a second, are turned away unread: answering one costs a
millisecond of the daemon's interpreter. A page is three requests."""
HEADER_BYTES = 16 * 1024
HEADER_SECONDS = 5.0
ANSWER_SECONDS = 20.0
STUCK_SECONDS = 15.0
_INSPECT_SECONDS = 2.5
SWITCH_SECONDS = 0.0005
STREAM = "/events"


class Limited(H11Protocol):
    """One connection: it says what it wants within 5 s, reads its answer within 20 s, and a stream as it comes.

    uvicorn has a time limit for idle connections alone, not for one that sends its headers byte by byte, nor for one
    that does not read.
    """

    _allowed: ClassVar[float] = BURST
    _counted: ClassVar[float] = 0.0
    _open: ClassVar[set["Limited"]] = set()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._began = time.monotonic()
        self._stuck_since: float | None = None
        if not self._is_allowed(self._began):
            transport.abort()
            return
        super().connection_made(transport)
        self._open.add(self)
        if len(self.open_now()) > CONNECTIONS:
            self._make_room()
        self._timer = self.loop.call_later(_INSPECT_SECONDS, self._inspect)

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self._open:
            self._open.discard(self)
            self._timer.cancel()
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self in self._open:
            super().data_received(data)

    @classmethod
    def open_now(cls) -> frozenset["Limited"]:
        """The connections that are served."""
        return frozenset(connection for connection in cls._open if not connection.transport.is_closing())

    @classmethod
    def forget_rates(cls) -> None:
        """Begin to count requests anew."""
        Limited._allowed = BURST

    @classmethod
    def _is_allowed(cls, now: float) -> bool:
        """Whether one more request may come: a bucket of them that fills up with time."""
        Limited._allowed = min(BURST, cls._allowed + (now - cls._counted) * NEW_A_SECOND)
        Limited._counted = now
        if cls._allowed < 1:
            return False
        Limited._allowed -= 1
        return True

    @property
    def _path(self) -> str | None:
        """What was asked for, None as long as nothing is."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return None if cycle is None else cycle.scope["path"]

    def _make_room(self) -> None:
        """Drop whoever is silent the longest, else this one."""
        silent = [other for other in self.open_now() if other._path is None]
        min(silent, key=lambda other: other._began, default=self).transport.abort()

    def _inspect(self) -> None:
        now = time.monotonic()
        self._stuck_since = (self._stuck_since or now) if self.transport.get_write_buffer_size() else None
        limit = {None: HEADER_SECONDS, STREAM: math.inf}.get(self._path, ANSWER_SECONDS)
        is_stuck = self._stuck_since is not None and now - self._stuck_since > STUCK_SECONDS
        if is_stuck or now - self._began > limit:
            self.transport.abort()
            return
        self._timer = self.loop.call_later(_INSPECT_SECONDS, self._inspect)


class WebServer:
    """Serves until it is closed; raises ConfigError for an address that would show the move to everybody."""

    def __init__(self, sampler: Sampled, listen: str, hosts: tuple[str, ...], token: str | None) -> None:
        host, _, port = listen.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        if token is None and not _is_loopback(self._host):
            raise ConfigError(
                "others than this machine could look, and there is no token",
                where="[web] listen",
                advice="Write a token of 16 characters or more into a file: [web] token_file; or listen on 127.0.0.1",
            )
        pages = Pages()
        self._stream = Stream(sampler, pages)
        names = frozenset(name.lower() for name in ("localhost", self._host, *hosts))
        self._settings: dict[str, Any] = {
            "app": application(sampler, pages, self._stream, names, token),
            "http": Limited,
            "ws": "none",
            "loop": "asyncio",
            "lifespan": "off",
            "access_log": False,
            "log_config": None,
            "server_header": False,
            "proxy_headers": False,
            "h11_max_incomplete_event_size": HEADER_BYTES,
            "timeout_keep_alive": 5,
            "timeout_graceful_shutdown": 1,
        }
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self.address = listen

    def start(self) -> None:
        """Listen; an address that is taken is a warning, for the copy matters more than its picture."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            listening = socket.create_server((self._host, self._port), family=family, backlog=128)
        except OSError as error:
            event("WARNING", "web_failed", f"no dashboard: {self.address}: {error.strerror or error}")
            return
        self._port = listening.getsockname()[1]
        # What is no HTTP is not worth a line of the log: anybody could fill it.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        # A pass waits for the network dozens of times, and each time for its turn at the interpreter afterwards: 5 ms
        # by default while another thread computes.
        sys.setswitchinterval(SWITCH_SECONDS)
        self._server = uvicorn.Server(uvicorn.Config(**self._settings))
        self._thread = threading.Thread(target=self._server.run, args=([listening],), name="web", daemon=True)
        self._thread.start()
        event("INFO", "web_started", f"the dashboard is at http://{self.address.rpartition(':')[0]}:{self._port}")

    @property
    def port(self) -> int:
        """The port, also where the system chose it."""
        return self._port

    def close(self) -> None:
        """Show the last report to whoever looks, and end."""
        if self._server and self._thread:
            self._stream.end()
            # A viewer who does not read it is dropped, which is no news at the end.
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
            self._server.should_exit = True
            self._thread.join(3)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
