"""What a long work tells of itself while it runs."""

from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from typing import Protocol

from syncd.errors import RetryError
from syncd.log import event
from syncd.model import Applied


class Step(StrEnum):
    """What a load spends its time on. A worker's time is all in the first six."""

    RENDER = "render"
    """Reading and rendering in SQLite."""
    WAIT = "wait"
    """Everything else that a worker does for a table: it begins transactions, takes locks, connects, tries again."""
    COPY = "copy"
    MERGE = "merge"
    """From the stage into the table, row by row where one does not fit, and keeping the rejects."""
    INDEX = "index"
    """Keys, indexes and constraints after the rows, foreign keys after all tables."""
    COMMIT = "commit"
    SNAPSHOT = "snapshot"
    """Taking the private copy of the source."""


class Progress(Protocol):
    """Told by several threads at once."""

    def table_started(self, table: str, rows: int) -> None:
        """A table begins; `rows` is an estimate of how many it holds."""

    def advanced(self, table: str, rows: int) -> None:
        """So many more rows of the table are done."""

    def brought(self, table: str, applied: Applied, read_seconds: float, write_seconds: float) -> None:  # noqa: ARG002
        """A batch of the table was committed; so long it took to render, and to write."""
        self.advanced(table, applied.read)

    def measuring(self, table: str, step: Step) -> AbstractContextManager[None]:  # noqa: ARG002
        """Surrounds a step of the table's load, and may hold others; without a table a step of the whole load."""
        return nullcontext()

    def connected(self, process: int) -> None:  # noqa: ARG002
        """A worker writes by this process of the server from now on."""
        return

    def retried(self, error: RetryError) -> None:
        """A batch failed for a reason that passes, and is tried again."""
        event("WARNING", "retry", str(error))

    def table_finished(self, table: str) -> None:
        """The table is done, or stopped."""

    def note(self, text: str) -> None:
        """Something that the user wants to know while it happens."""


class Silent(Progress):
    """Tells nothing."""

    def table_started(self, table: str, rows: int) -> None: ...

    def advanced(self, table: str, rows: int) -> None: ...

    def table_finished(self, table: str) -> None: ...

    def note(self, text: str) -> None: ...
