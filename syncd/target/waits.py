"""What sessions of the server wait for, seen from beside them."""

from collections.abc import Collection
from dataclasses import dataclass

from syncd.target.database import Connection, translated
from syncd.target.sql import statement


@dataclass(frozen=True)
class Waits:
    """How often a session was seen in a transaction: at work, at the disk, held up by another, waiting for us."""

    working: int = 0
    disk: int = 0
    locked: int = 0
    client: int = 0

    def __add__(self, other: "Waits") -> "Waits":
        return Waits(
            self.working + other.working,
            self.disk + other.disk,
            self.locked + other.locked,
            self.client + other.client,
        )

    @property
    def serving(self) -> int:
        """How often the server had something to do."""
        return self.working + self.disk + self.locked


def look(connection: Connection, processes: Collection[int]) -> Waits:
    """What the sessions of these processes are at now. Raises TargetUnavailableError."""
    with translated():
        return Waits(*connection.execute(statement("waits"), [list(processes)]).fetchall()[0])
