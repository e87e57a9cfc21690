"""What a cutover tells while it runs."""

from collections.abc import Callable
from typing import Protocol

from syncd.engine.progress import Progress
from syncd.model import CutoverStep, Stage

STEPS = (
    Stage.READY,
    Stage.DRAIN,
    Stage.FENCE,
    Stage.FINAL_DRAIN,
    Stage.SWEEP,
    Stage.VERIFY,
    Stage.SEQUENCES,
    Stage.FINISH,
    Stage.PROMOTED,
)
"""In their order; an aborted cutover ends with another one."""


class Checklist(Protocol):
    """Sees the steps of a cutover."""

    def began(self, stage: Stage) -> None:
        """A step begins."""

    def ended(self, step: CutoverStep) -> None:
        """It ended, well or not."""

    def compared(self, table: str, done: int, rows: int) -> None:
        """So many of about so many rows of a table are compared."""

    def note(self, text: str) -> None:
        """Something that the user wants to know while it happens."""


class Comparing(Progress):
    """The progress of a comparison; `confirm` raises AbortedError when the cutover has to end."""

    def __init__(self, checklist: Checklist, confirm: Callable[[], None]) -> None:
        self._checklist = checklist
        self._confirm = confirm
        self._rows: dict[str, int] = {}
        self._done: dict[str, int] = {}

    def table_started(self, table: str, rows: int) -> None:
        self._rows[table], self._done[table] = rows, 0

    def advanced(self, table: str, rows: int) -> None:
        self._confirm()
        self._done[table] += rows
        self._checklist.compared(table, self._done[table], self._rows[table])

    def table_finished(self, table: str) -> None:  # noqa: ARG002 - the protocol names it
        self._confirm()

    def note(self, text: str) -> None:
        self._checklist.note(text)
