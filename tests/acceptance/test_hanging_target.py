"""A server that stops answering frees its clients, and the work goes on when it answers again."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing

import pytest
from loguru import logger

from syncd import config as configuration
from syncd.engine.catchup import Catchup
from syncd.engine.load import load
from syncd.engine.persistence import persistently
from syncd.engine.progress import Silent
from syncd.engine.sides import Ownership, Sides, opened
from syncd.errors import TargetUnavailableError
from syncd.model import PassReport
from syncd.target import database, stall
from syncd.target.database import Target
from tests.plugins.patience import wait_until
from tests.plugins.postgres import OwnServer
from tests.plugins.scene import MakeScene, Scene


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stall, "PATIENCE", 1.0)
    monkeypatch.setattr(stall, "PROBE_SECONDS", 2)
    monkeypatch.setattr(database, "CONNECT_SECONDS", 2)


@pytest.fixture
def scene(own_server: OwnServer, make_scene: MakeScene) -> Scene:
    return make_scene(own_server.dsn(), rows=3000, batch_rows=5, workers=3)


@pytest.fixture
def aside() -> Iterator[ThreadPoolExecutor]:
    """Another thread, for the work that is going to hang."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
def events() -> Iterator[list[str]]:
    """The names of the events that are logged."""
    names: list[str] = []
    sink = logger.add(lambda message: names.append(str(message.record["extra"].get("event"))))
    yield names
    logger.remove(sink)


def test_a_load_goes_on_when_the_server_answers_again(
    own_server: OwnServer, scene: Scene, aside: ThreadPoolExecutor, events: list[str]
) -> None:
    loading: Future[PassReport] = aside.submit(
        persistently, lambda: opened_sides(scene), lambda sides: load(sides, Silent())
    )
    scene.wait_until_applied()
    own_server.pause()
    try:
        wait_until(lambda: "retry" in events, "a hanging connection given up")
    finally:
        own_server.resume()
    assert not loading.result(60).stopped
    scene.assert_equal()


def test_a_pass_that_hangs_ends_as_a_passing_fault(
    own_server: OwnServer, scene: Scene, aside: ThreadPoolExecutor
) -> None:
    with opened_sides(scene) as sides:
        load(sides, Silent())
    scene.trade("--seconds", "0.5").wait()
    with opened_sides(scene) as sides:
        with closing(Catchup(sides)) as catchup:
            own_server.pause()
            try:
                with pytest.raises(TargetUnavailableError):
                    aside.submit(catchup.run).result(30)
            finally:
                own_server.resume()
        with closing(Catchup(sides)) as catchup:
            catchup.run()
    scene.assert_equal()


def opened_sides(scene: Scene) -> AbstractContextManager[Sides]:
    return opened(configuration.load(scene.config), Target(scene.dsn), Ownership.TAKE)
