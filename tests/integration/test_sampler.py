"""What the sampler finds out by itself, while the worker waits."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.engine.pace import Pace
from syncd.service.sampler import Sampler
from syncd.service.signals import Wake
from syncd.target.database import Target
from tests.plugins.patience import wait_until
from tests.plugins.postgres import OwnServer
from tests.plugins.source import MakeSource


@pytest.fixture
def source(make_source: MakeSource) -> Path:
    return make_source("CREATE TABLE t (id INTEGER PRIMARY KEY)")


@pytest.fixture
def wake() -> Wake:
    return Wake()


@pytest.fixture
def sampler(source: Path, own_server: OwnServer, wake: Wake) -> Iterator[Sampler]:
    made = Sampler(source, Target(own_server.dsn()), Pace(), wake.on_schedule)
    made.start()
    yield made
    made.close()


def test_a_target_that_is_back_wakes_who_waits_for_it(sampler: Sampler, own_server: OwnServer, wake: Wake) -> None:
    own_server.stop()
    wait_until(lambda: not sampler.report.target_reachable, "the target is away")
    sampler.hindered("target: connection failed: Connection refused\n\tIs the server running there?")
    assert all(said.isprintable() for said in sampler.report.trouble)

    own_server.start()

    assert wake.sleep(60)
    wait_until(lambda: sampler.report.target_reachable, "the report tells it too")
    assert sampler.report.trouble == ("target: connection failed: Connection refused",)
