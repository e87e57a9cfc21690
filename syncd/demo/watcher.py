"""What the demo knows while the application trades: what the two programs tell, and what both sides hold."""

import statistics
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from syncd.demo.actors import Line
from syncd.demo.lag import LagMeter
from syncd.demo.screen import Moment, TableMoment
from syncd.source import catalog as source_catalog
from syncd.source.database import Database
from syncd.target import catalog as target_catalog
from syncd.target.database import Connection, Target, connect

SCHEMA = "public"
_UPDATES = "SELECT relname, n_tup_upd FROM pg_stat_user_tables WHERE schemaname = %s"


class Ears:
    """Hears what the application and the daemon tell, each in a thread of its own."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.began: float | None = None
        self.heard: float | None = None
        self.application: Mapping[str, Any] = {}
        self.passes: list[float] = []

    def hear_application(self, line: Line) -> None:
        self.heard = time.monotonic()
        self.began = self.began or self.heard
        self.application = line

    def hear_daemon(self, line: Line) -> None:
        match line.get("event"):
            case "started":
                self.started.set()
            case "pass":
                self.passes.append(float(line["seconds"]))


@dataclass(frozen=True)
class Watcher:
    """Looks at both sides."""

    source: Database
    target: Connection
    names: tuple[str, ...]
    loaded: Mapping[str, int]
    ears: Ears
    meter: LagMeter
    of_seconds: float

    @classmethod
    @contextmanager
    def opened(cls, source: Path, target: Target, ears: Ears, meter: LagMeter, of_seconds: float) -> Iterator[Self]:
        """Look with connections of its own; what the target holds now counts as loaded."""
        database, connection = Database(source), connect(target)
        try:
            with database.transaction() as reading:
                names = tuple(table.name for table in source_catalog.read(reading).tables)
            loaded = {name: target_catalog.row_count(connection, SCHEMA, name) for name in names}
            yield cls(database, connection, names, loaded, ears, meter, of_seconds)
        finally:
            database.close()
            connection.close()

    def look(self) -> Moment:
        """How it stands now. The target is counted first, so a row that arrives meanwhile counts as behind."""
        there = {name: target_catalog.row_count(self.target, SCHEMA, name) for name in self.names}
        updates: dict[str, int] = dict(self.target.execute(_UPDATES, [SCHEMA]).fetchall())
        with self.source.transaction() as reading:
            here = {name: source_catalog.row_count(reading, name) for name in self.names}
        told, passes, began, heard = self.ears.application, self.ears.passes, self.ears.began, self.ears.heard
        return Moment(
            seconds=time.monotonic() - began if began else 0.0,
            of_seconds=self.of_seconds,
            tables=tuple(
                TableMoment(name, here[name], there[name], self.loaded[name], updates.get(name, 0))
                for name in self.names
            ),
            commits=told.get("commits", 0),
            commits_seconds=heard - began if heard and began else 0.0,
            inserted=told.get("inserted", 0),
            updated=told.get("updated", 0),
            passes=len(passes),
            pass_seconds=statistics.median(passes) if passes else None,
            lag=self.meter.lag,
        )
