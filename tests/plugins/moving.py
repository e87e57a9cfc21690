"""A source moved by the engine itself: loaded, caught up with, and looked at from outside."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest

from syncd import model
from syncd.config import Config, TableConfig, TypeOverride, load
from syncd.engine import load as loading
from syncd.engine.catchup import Catchup
from syncd.engine.progress import Silent
from syncd.engine.sides import Ownership, Sides, opened
from syncd.engine.sweep import SweepReport, sweep
from syncd.model import PassReport, Reject
from syncd.plan import Carried, by_declared_type
from syncd.target import reject
from syncd.target.database import Target
from tests.plugins.source import MakeSource

TOLERANT = "[sync]\nmax_reject_ratio = 1\n"
"""Settings with which no table stops for its rejects."""


class Move:
    """One source and its target. Nothing is open between two calls, so the source may be written to by then."""

    def __init__(self, source: Path, dsn: str, folder: Path, *, as_declared: bool = False) -> None:
        """`as_declared` keeps the types that are declared, whatever the values say of them."""
        self.source = source
        self.dsn = dsn
        self._folder = folder
        self._as_declared = as_declared
        self.configure(TOLERANT)

    def configure(self, ini: str) -> None:
        """Go on with these settings."""
        path = self._folder / "syncd.ini"
        path.write_text(ini)
        flags = {("source", "path"): str(self.source), ("sync", "state_dir"): str(self._folder / "state")}
        config = load(path, flags)
        self.config: Config = self._with_declared_types(config) if self._as_declared else config

    def _with_declared_types(self, config: Config) -> Config:
        tables = dict(config.tables)
        for table, column, declared in self.read(
            "SELECT m.name, c.name, c.type FROM sqlite_schema m, pragma_table_xinfo(m.name) c WHERE m.type = 'table'"
        ):
            name, value = column.decode(), model.Column(column.decode(), declared.decode())
            type_, _ = by_declared_type(Carried(name, name, value.affinity, value))
            known = tables.get(table.decode(), TableConfig())
            types = {name: TypeOverride(name=type_.name), **known.types}
            tables[table.decode()] = known.model_copy(update={"types": types})
        return config.model_copy(update={"tables": tables})

    @contextmanager
    def opened(self) -> Iterator[Sides]:
        target = Target(self.dsn, schema=self.config.target.schema_, timezone=self.config.target.timezone)
        with opened(self.config, target, Ownership.TAKE) as sides:
            yield sides

    def load(self) -> PassReport:
        with self.opened() as sides:
            return loading.load(sides, Silent())

    def accept_and_load(self) -> PassReport:
        """Go on with the file that now stands where the source stood."""
        target = Target(self.dsn, schema=self.config.target.schema_, timezone=self.config.target.timezone)
        with opened(self.config, target, Ownership.TAKE, accept_new_source=True) as sides:
            return loading.load(sides, Silent())

    def load_for(self, batches: int) -> PassReport:
        """Load until it was asked so many times whether to stop."""
        asked = count()
        with self.opened() as sides:
            return loading.load(sides, Silent(), lambda: next(asked) >= batches)

    def catch_up(self) -> PassReport:
        """One thorough pass."""
        with self.opened() as sides, closing(Catchup(sides)) as catchup:
            return catchup.run()

    @contextmanager
    def going_on(self) -> Iterator[Catchup]:
        """Passes of one owner, on one connection to the target."""
        with self.opened() as sides, closing(Catchup(sides)) as catchup:
            yield catchup

    def sweep(self, *, force: bool = False) -> SweepReport:
        """One sweep."""
        with self.opened() as sides, closing(Catchup(sides)) as catchup:
            return sweep(sides, catchup, force=force)

    def write(self, script: str) -> None:
        """Change the source by a script."""
        with closing(sqlite3.connect(self.source)) as database:
            database.executescript(script)

    def insert(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement of the source for each row of values."""
        with closing(sqlite3.connect(self.source)) as database, database:
            database.executemany(statement, rows)

    def read(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of the source; text as its bytes."""
        with closing(sqlite3.connect(self.source)) as database:
            database.text_factory = bytes
            return database.execute(statement).fetchall()

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of the target."""
        with closing(psycopg.connect(self.dsn, autocommit=True, options="-c timezone=UTC")) as connection:
            return connection.execute(statement.encode()).fetchall()

    def execute(self, script: str) -> None:
        """Change the target by a script."""
        with closing(psycopg.connect(self.dsn, autocommit=True)) as connection:
            connection.execute(script.encode())

    def rejects(self, table: str | None = None) -> tuple[Reject, ...]:
        with self.opened() as sides:
            return reject.listed(sides.control, sides.state.source_name, table)

    def refused(self, table: str | None = None) -> list[tuple[str, str, str]]:
        """Key, reason and column of each reject."""
        return sorted((r.source_key, r.reason, r.column) for r in self.rejects(table))

    def reset(self) -> None:
        """Empty the target of all that is in it."""
        self.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public; DROP SCHEMA IF EXISTS syncd CASCADE")


class MakeMove(Protocol):
    def __call__(self, source: str, target: str = "", *, wal: bool = True, as_declared: bool = False) -> Move: ...


@pytest.fixture
def make_move(make_source: MakeSource, database: str, tmp_path: Path) -> MakeMove:
    """A move between a source and a target made by their scripts."""

    def make(source: str, target: str = "", *, wal: bool = True, as_declared: bool = False) -> Move:
        move = Move(make_source(source, wal=wal), database, tmp_path, as_declared=as_declared)
        if target:
            move.execute(target)
        return move

    return make
