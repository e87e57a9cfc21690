"""A whole move for the tests that bring bad luck: a market that trades, a target, a configuration, what is there."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest

from syncd.market.build import create
from tests.plugins.comparison import assert_every_row_is_equal
from tests.plugins.patience import wait_until


class Trading:
    """The market's application, in a process of its own."""

    def __init__(self, source: Path, *further: str, rate: float) -> None:
        arguments = ["trade", str(source), "--json", "--rate", str(rate), *further]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "syncd.market", *arguments], stdout=subprocess.PIPE, text=True
        )
        self._line()

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> dict[str, Any]:
        """Let it end, and close the file; what it has done."""
        self._process.terminate()
        return self.wait()

    def wait(self) -> dict[str, Any]:
        """Wait until its time is over; what it has done."""
        *_, last = self._said()
        assert self._process.wait(30) == 0
        return last

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _line(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline()

    def _said(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._process.communicate(timeout=30)[0].splitlines()]


@dataclass
class Scene:
    """One source on its way into one target. `config` is the INI file; `dsn` is the target's, by the straight way."""

    source: Path
    dsn: str
    config: Path
    state_dir: Path
    _stack: ExitStack = field(repr=False)

    def configure(self, *, through: str = "", **settings: str | float) -> None:
        """Write the INI file; `settings` are keys of [sync], `through` a way to the target by a detour."""
        lines = [f"{name} = {value}" for name, value in ({"state_dir": self.state_dir} | settings).items()]
        sections = ("[source]", f"path = {self.source}", "[target]", f"dsn = {through or self.dsn}", "[sync]", *lines)
        self.config.write_text("\n".join((*sections, "")))

    def trade(self, *further: str, rate: float = 100) -> Trading:
        """Let the application write until the test ends or `stop` is called."""
        trading = Trading(self.source, *further, rate=rate)
        self._stack.callback(trading.close)
        return trading

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query on the target."""
        with closing(psycopg.connect(self.dsn, autocommit=True)) as connection:
            return connection.execute(query.encode()).fetchall()

    @property
    def applied(self) -> int:
        """Rows that the checkpoints speak of; 0 before there is any checkpoint."""
        try:
            return int(self.ask("SELECT coalesce(sum(rows_applied), 0) FROM syncd.checkpoint")[0][0])
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            return 0

    @property
    def is_loaded(self) -> bool:
        """Whether every table has gone over to catch-up."""
        try:
            rows = self.ask("SELECT bool_and(phase = 'catchup' AND part = 0) FROM syncd.checkpoint")
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            return False
        return bool(rows[0][0])

    @property
    def marks(self) -> list[tuple[Any, ...]]:
        """Where every table stands."""
        return self.ask("SELECT table_name, part, phase, mark FROM syncd.checkpoint ORDER BY table_name, part")

    def wait_until_applied(self, more_than: int = 0, seconds: float = 30) -> None:
        wait_until(lambda: self.applied > more_than, f"more than {more_than} rows applied", seconds)

    def assert_equal(self) -> None:
        """Nothing lost and nothing doubled; call it when nobody writes any longer."""
        assert_every_row_is_equal(self.source, self.dsn)

    def wait_until_equal(self, seconds: float = 60) -> None:
        """Wait until a daemon has brought all of a source that nobody writes to any longer."""
        wait_until(lambda: self.is_loaded, "every table loaded", seconds)
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.assert_equal()
            except AssertionError:
                if time.monotonic() > deadline:
                    raise


class MakeScene(Protocol):
    def __call__(self, dsn: str, *, rows: int = 2000, through: str = "", **settings: str | float) -> Scene: ...


@pytest.fixture
def make_scene(tmp_path: Path) -> Iterator[MakeScene]:
    """Set the scene: a new market of so many rows beside an empty target."""
    with ExitStack() as stack:

        def make(dsn: str, *, rows: int = 2000, through: str = "", **settings: str | float) -> Scene:
            folder = tmp_path / "app"
            folder.mkdir()
            scene = Scene(folder / "market.db", dsn, tmp_path / "syncd.ini", tmp_path / "state", stack)
            create(scene.source, rows=rows)
            scene.configure(through=through, **settings)
            return scene

        yield make
