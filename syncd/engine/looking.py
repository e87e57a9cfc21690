"""Looking, during a load, at what the server's sessions wait for."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from syncd.engine.profiling import Profile
from syncd.errors import SyncdError
from syncd.log import event
from syncd.target.database import Connection
from syncd.target.stall import guard
from syncd.target.waits import look

LOOK_SECONDS = 0.05


@contextmanager
def looking_on(profile: Profile, connect: Callable[[], Connection]) -> Iterator[None]:
    """Look twenty times a second, on a connection of its own. The load goes on where that fails."""
    ended = threading.Event()
    looker = threading.Thread(target=_look, args=(profile, connect, ended), name="profile", daemon=True)
    looker.start()
    try:
        yield
    finally:
        ended.set()
        looker.join()


def _look(profile: Profile, connect: Callable[[], Connection], ended: threading.Event) -> None:
    try:
        connection = connect()
        try:
            while not ended.wait(LOOK_SECONDS):
                if processes := profile.processes:
                    with guard(connection):
                        profile.seen(look(connection, processes))
        finally:
            connection.close()
    except SyncdError as error:
        event("WARNING", "profile_incomplete", f"the server's sessions could not be looked at: {error}")
