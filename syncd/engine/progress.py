"""What a long work tells of itself while it runs."""

from typing import Protocol


class Progress(Protocol):
    """Told by several threads at once."""

    def table_started(self, table: str, rows: int) -> None:
        """A table begins; `rows` is an estimate of how many it holds."""

    def advanced(self, table: str, rows: int) -> None:
        """So many more rows of the table are done."""

    def table_finished(self, table: str) -> None:
        """The table is done, or stopped."""

    def note(self, text: str) -> None:
        """Something that the user wants to know while it happens."""


class Silent:
    """Tells nothing."""

    def table_started(self, table: str, rows: int) -> None: ...

    def advanced(self, table: str, rows: int) -> None: ...

    def table_finished(self, table: str) -> None: ...

    def note(self, text: str) -> None: ...
