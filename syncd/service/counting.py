"""Counts the rows of both sides now and then, from a thread and connections of its own, for at most 1 % of the time."""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from syncd.errors import SyncdError
from syncd.model import Mark
from syncd.plan import Plan, TablePlan
from syncd.quoting import identifier
from syncd.source import catalog
from syncd.source.database import Database, query, translated
from syncd.target import observe
from syncd.target.database import Connection, PostgresError, Target, connect

LEAST_SECONDS = 60.0
SHARE = 100
"""A count that takes a second is not made again for a hundred."""
BEHIND_SECONDS = 1.0
"""A lag from which on changes wait: as long as they do, the two sides are not counted but what waits is."""
_STEP = 1.0


@dataclass(frozen=True)
class Counted:
    """Rows of one table on both sides, and the net rows that passes had added by then."""

    source: int
    target: int
    added: int


class Counting:
    """`rows` and `pending` are replaced whole. A table that `pending` does not name waits with nobody knows how many.

    `added` tells how many rows net passes added to a table; `lag` since how many seconds changes wait now.
    """

    def __init__(
        self,
        source: Path,
        target: Target,
        added: Callable[[str], int],
        marks: Callable[[], Mapping[str, Mark]],
        lag: Callable[[], float],
    ) -> None:
        self._path = source
        self._target = target
        self._added = added
        self._marks = marks
        self._lag = lag
        self._ended = threading.Event()
        self._due = 0.0
        self._version: int | None = None
        self.plan: Plan | None = None
        self.rows: Mapping[str, Counted] = {}
        self.pending: Mapping[str, int] = {}

    def start(self) -> None:
        threading.Thread(target=self._run, name="counting", daemon=True).start()

    def close(self) -> None:
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(_STEP):
            if self.plan is None:
                continue
            try:
                with ExitStack() as stack:
                    self._work(stack)
            except SyncdError:
                # Whatever is wrong with the source, the daemon's own work tells it.
                self.pending = {}

    def _work(self, stack: ExitStack) -> None:
        source = Database(self._path, busy_seconds=0.5)
        stack.callback(source.close)
        self._version = None
        while not self._ended.wait(_STEP):
            plan = self.plan
            if plan is None:
                return
            if self._lag() > BEHIND_SECONDS:
                self.pending = self._beyond(source, plan)
                continue
            self.pending = {table.name: 0 for table in plan.tables}
            if time.monotonic() > self._due and source.data_version != self._version:
                began = time.monotonic()
                self._count(source, plan)
                self._due = time.monotonic() + max(LEAST_SECONDS, SHARE * (time.monotonic() - began))

    def _count(self, source: Database, plan: Plan) -> None:
        """Count each table of its own, so that no read transaction is long.

        Rows that waited meanwhile would be counted, and then added once more by their pass: such a count is kept, but
        made again even where nothing changes any more.
        """
        version, settled = source.data_version, self._lag() == 0
        try:
            connection = connect(self._target)
            try:
                self.rows = {table.name: self._counted(source, connection, table) for table in plan.tables}
            finally:
                connection.close()
        except (SyncdError, PostgresError):
            # The target is away, as the probe tells, or the source, as the next look does.
            return
        self._version = version if settled and self._lag() == 0 and source.data_version == version else None

    def _counted(self, source: Database, connection: Connection, table: TablePlan) -> Counted:
        added = self._added(table.name)
        with translated(self._path):
            there = catalog.row_count(source.connection, table.name, table.where)
        return Counted(there, observe.count_rows(connection, self._target.schema, table.target), added)

    def _beyond(self, source: Database, plan: Plan) -> Mapping[str, int]:
        """How many rowids lie beyond each mark: no fewer rows wait than that, unless rowids have gaps."""
        marks = self._marks()
        found = {}
        with translated(self._path):
            for table in plan.tables:
                mark = marks.get(table.name)
                if table.source.rowid and mark and mark.rowid is not None:
                    highest = query(
                        source.connection, f"SELECT max({table.source.rowid}) FROM {identifier(table.name)}"
                    )
                    found[table.name] = max(int(highest[0][0] or 0) - mark.rowid, 0)
        return found
