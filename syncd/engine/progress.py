"""What a long work tells of itself while it runs."""

from typing import Protocol

from syncd.errors import RetryError
from syncd.log import event
from syncd.model import Applied


class Progress(Protocol):
    """Told by several threads at once."""

    def table_started(self, table: str, rows: int) -> None:
        """A table begins; `rows` is an estimate of how many it holds."""

    def advanced(self, table: str, rows: int) -> None:
        """So many more rows of the table are done."""

    def brought(self, table: str, applied: Applied, read_seconds: float, write_seconds: float) -> None:  # noqa: ARG002
        """A batch of the table was committed; so long it took to render, and to write."""
        self.advanced(table, applied.read)

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
