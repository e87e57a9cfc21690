"""The frozen image: one state of the source that a full comparison reads, in as many threads as it likes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from syncd.engine.sides import Sides
from syncd.log import event
from syncd.plan import Plan, TablePlan
from syncd.source import snapshot
from syncd.source.database import Database


@dataclass(frozen=True)
class Image:
    """A private copy of the source, or the live file where there is no room for one (`private` is false then)."""

    path: Path
    private: bool
    tables: tuple[TablePlan, ...]

    def open(self) -> Database:
        """One more connection to it, for a thread."""
        return Database(self.path, private=self.private)

    def discard(self) -> None:
        if self.private:
            self.path.unlink(missing_ok=True)


class Camera:
    """Takes the image at the end of a pass's reading, in its transaction: it shows what the pass brings, no more."""

    def __init__(self, sides: Sides) -> None:
        self._sides = sides
        self.image: Image | None = None

    def take(self, _: apsw.Connection, plan: Plan) -> None:
        source, directory = self._sides.source, self._sides.state_dir
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if snapshot.has_room(source, directory):
            name = snapshot.take(source, directory)
            self.image = Image(snapshot.path_of(directory, name), True, plan.tables)
        else:
            event("WARNING", "no_room_for_snapshot", f"no room for a copy in {directory}: reading the live file")
            self.image = Image(source.path, False, plan.tables)

    @contextmanager
    def taken(self) -> Iterator[Image]:
        """The image that was taken, removed afterwards."""
        if self.image is None:
            raise RuntimeError("no pass has taken the image")
        try:
            yield self.image
        finally:
            self.image.discard()
