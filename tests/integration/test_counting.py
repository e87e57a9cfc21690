"""Rows of both sides, counted while an application writes, lags come and go, and the target goes away."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from syncd.model import Mark
from syncd.plan import Plan
from syncd.service import counting
from syncd.service.counting import Counted, Counting
from syncd.source.database import Database
from syncd.target.database import Target
from tests.plugins.patience import wait_until
from tests.plugins.planned import planned
from tests.plugins.postgres import OwnServer
from tests.plugins.source import MakeSource, OpenWriter


@dataclass
class Work:
    """What the daemon has done: ten rows are there, and how late it is."""

    lag: float = 0.0
    added: int = 0


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def source(make_source: MakeSource) -> Path:
    return make_source(
        "CREATE TABLE t (id INTEGER PRIMARY KEY);"
        "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) INSERT INTO t SELECT i FROM n"
    )


@pytest.fixture
def counts(source: Path, own_server: OwnServer, work: Work, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counting]:
    monkeypatch.setattr(counting, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(counting, "_STEP", 0.02)
    with closing(psycopg.connect(own_server.dsn(), autocommit=True)) as connection:
        connection.execute("CREATE TABLE t AS SELECT id FROM generate_series(1, 10) id")
    with closing(Database(source)) as opened:
        plan = Plan((planned(opened.connection, "t"),), ())
    made = Counting(source, Target(own_server.dsn()), lambda _: work.added, lambda: {"t": Mark(10)}, lambda: work.lag)
    made.plan = plan
    made.start()
    yield made
    made.close()


def test_what_waits_is_counted_once(
    counts: Counting, work: Work, source: Path, own_server: OwnServer, open_writer: OpenWriter
) -> None:
    wait_until(lambda: counts.rows == {"t": Counted(10, 10, 0)}, "both sides are counted")
    writer = open_writer(source)

    own_server.stop()
    work.lag = 20.0
    writer.execute("INSERT INTO t VALUES (11), (12), (13)")
    wait_until(lambda: counts.pending == {"t": 3}, "three rows wait")
    work.lag = 0.5
    writer.execute("INSERT INTO t VALUES (14)")
    wait_until(lambda: counts.pending == {"t": 0}, "nothing to speak of waits")
    work.lag = 20.0
    wait_until(lambda: counts.pending == {"t": 4}, "what a target that is away does not hide")
    assert counts.rows == {"t": Counted(10, 10, 0)}

    own_server.start()
    work.lag = 0.5
    wait_until(lambda: counts.rows == {"t": Counted(14, 10, 0)}, "counted a moment before the last rows landed")
    own_server.execute("INSERT INTO t SELECT generate_series(11, 14)")
    work.lag, work.added = 0.0, 4
    wait_until(lambda: counts.rows == {"t": Counted(14, 14, 4)}, "counted again, though nobody writes any more")
