"""What systemd is told, and what it hands over: the notify socket, the watchdog and credentials."""

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from syncd.errors import ConfigError, RefusedError

# systemd reads 4096 bytes of a datagram (NOTIFY_BUFFER_MAX) and drops what is longer.
_STATUS_BYTES = 1024
# systemd drains its socket at once; while it reloads itself the daemon must not stand still with it.
_SEND_SECONDS = 1.0


class Notifier:
    """Tells systemd about the daemon; does nothing where systemd did not ask for it.

    No method raises when the socket is gone: a daemon that works matters more than one that is watched.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        path = environment.get("NOTIFY_SOCKET", "")
        # Other families than AF_UNIX (vsock:) reach from a virtual machine to its host, which is not our supervisor.
        self._address = _address(path) if path.startswith(("/", "@")) else None
        self._watchdog_interval = _watchdog_interval(environment) if self._address else None

    @property
    def watchdog_interval(self) -> float | None:
        """Seconds between two calls of `watchdog()`, half of systemd's limit; None when nobody waits for them."""
        return self._watchdog_interval

    def ready(self) -> None:
        """The start, or the reload, is finished."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`, cut at 1024 bytes. Every user of the machine can read it."""
        line = " ".join(text.split()).encode("utf-8", "replace")[:_STATUS_BYTES]
        self._send(f"STATUS={line.decode('utf-8', 'ignore')}")

    def reloading(self) -> None:
        """The configuration is read anew; `ready()` ends it."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={microseconds}")

    def stopping(self) -> None:
        """The daemon is on its way out."""
        self._send("STOPPING=1")

    def watchdog(self) -> None:
        """The daemon is alive."""
        self._send("WATCHDOG=1")

    def _send(self, state: str) -> None:
        if self._address is None:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(_SEND_SECONDS)
            sender.sendto(state.encode(), self._address)


def credential(name: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """The credential that systemd loaded under this name, without one trailing newline; None if there is none.

    An empty one is none: a unit needs a stand-in for a file that may be missing. libpq refuses the file itself as a
    passfile because of its mode 0440, so its text is passed on. Raises ConfigError and RefusedError.
    """
    directory = environment.get("CREDENTIALS_DIRECTORY")
    if not directory:
        return None
    path = Path(directory) / name
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        # `from None`: the cause would carry the bytes of the secret.
        raise ConfigError("the credential is no UTF-8 text", where=str(path), advice=f"byte {error.start}") from None
    except OSError as error:
        raise RefusedError(f"the credential cannot be read: {error.strerror}", where=str(path)) from error
    return text.removesuffix("\n") or None


def _address(path: str) -> bytes:
    return os.fsencode("\0" + path[1:] if path.startswith("@") else path)


def _watchdog_interval(environment: Mapping[str, str]) -> float | None:
    limit = environment.get("WATCHDOG_USEC", "")
    watched = environment.get("WATCHDOG_PID", "")
    meant_for_another = watched != "" and watched != str(os.getpid())
    if meant_for_another or not limit.isdecimal() or int(limit) == 0:
        return None
    return int(limit) / 2 / 1_000_000
