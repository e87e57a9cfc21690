"""Who is told what, while the daemon goes on: a receiver over HTTP, a command, and a receiver that is dead."""

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.plugins.cli import RunSyncd, StartSyncd
from tests.plugins.patience import wait_until
from tests.plugins.postgres import OwnServer
from tests.plugins.scene import MakeScene, Scene

SECRET = "hunter2-and-more"
WITHIN = 10.0
"""Seconds from the end of PostgreSQL until somebody knows."""


class Receiver:
    """A web hook: what it got, in its order."""

    def __init__(self) -> None:
        self.got: list[dict[str, str]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - as it is called there

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"json://ada:{SECRET}@127.0.0.1:{self._server.server_port}/hook"

    @property
    def titles(self) -> list[str]:
        return [told["title"] for told in self.got]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    yield started
    started.close()


def notify(scene: Scene, *lines: str) -> None:
    with scene.config.open("a") as file:
        file.write("\n".join(["[notify]", *lines, ""]))


def test_a_target_that_goes_and_comes_is_told(
    own_server: OwnServer, make_scene: MakeScene, start_syncd: StartSyncd, receiver: Receiver
) -> None:
    scene = make_scene(own_server.dsn(), rows=2000, interval="500ms")
    notify(scene, f"urls = {receiver.url}", "lag = 2s", "lag_for = 1s")
    daemon = start_syncd("run", "-c", scene.config)
    wait_until(lambda: "syncd: the load is done" in receiver.titles, "the load is told")
    trading = scene.trade(rate=30)
    own_server.stop("immediate")
    wait_until(lambda: "syncd: syncd is in trouble" in receiver.titles, "the end is told", WITHIN)
    wait_until(lambda: "syncd: the copy is late" in receiver.titles, "the lag is told", WITHIN)
    own_server.start()
    wait_until(lambda: "syncd: syncd works again" in receiver.titles, "the return is told", 40)
    wait_until(lambda: "syncd: the copy is current again" in receiver.titles, "the end of the lag is told", 40)
    trading.stop()
    (back,) = (told for told in receiver.got if told["title"] == "syncd: syncd works again")
    assert "target: fine again, after " in back["message"]
    assert receiver.titles.count("syncd: syncd is in trouble") == 1
    assert daemon.terminate() == 0
    assert SECRET not in daemon.stderr


def test_a_command_is_run_for_what_people_do(
    database: str, make_scene: MakeScene, start_syncd: StartSyncd, run_syncd: RunSyncd, tmp_path: Path
) -> None:
    hook, told = tmp_path / "hook.py", tmp_path / "told"
    hook.write_text(f"import sys\nopen({str(told)!r}, 'a').write(sys.stdin.read() + '\\n')\n")
    scene = make_scene(database, rows=500, interval="500ms")
    notify(scene, f"command = {sys.executable} {hook}")
    daemon = start_syncd("run", "-c", scene.config)
    wait_until(lambda: told.exists() and "the load is done" in told.read_text(), "the load is told")
    assert run_syncd("pause", "tickers", "-c", scene.config).returncode == 0
    wait_until(lambda: "tickers: paused" in told.read_text(), "the pause is told")
    assert daemon.terminate() == 0
    assert all(json.loads(line)["source"] == str(scene.source) for line in told.read_text().splitlines())


def test_a_promotion_is_told_before_the_daemon_ends(
    database: str, make_scene: MakeScene, start_syncd: StartSyncd, run_syncd: RunSyncd, receiver: Receiver
) -> None:
    scene = make_scene(database, rows=500, interval="500ms")
    notify(scene, f"urls = {receiver.url}")
    daemon = start_syncd("run", "-c", scene.config)
    wait_until(lambda: "syncd: the load is done" in receiver.titles, "the load is told")
    trading = scene.trade(rate=30)
    done = run_syncd("cutover", "--yes", "-c", scene.config)
    assert done.returncode == 0, done.stderr
    assert daemon.wait(30) == 0
    trading.stop()
    assert receiver.titles[-2:] == ["syncd: the source is fenced", "syncd: PostgreSQL is promoted"]


def test_an_end_that_comes_again_with_each_restart_is_told_once(
    database: str, make_scene: MakeScene, run_syncd: RunSyncd, receiver: Receiver
) -> None:
    scene = make_scene(database, rows=500)
    notify(scene, f"urls = {receiver.url}")
    scene.source.unlink()
    assert [run_syncd("run", "-c", scene.config).returncode for _ in range(2)] == [1, 1]
    assert receiver.titles == ["syncd: syncd ended"]


def test_a_dead_receiver_is_a_warning_and_the_rows_go_on(
    database: str, make_scene: MakeScene, start_syncd: StartSyncd, receiver: Receiver
) -> None:
    scene = make_scene(database, rows=500, interval="500ms")
    notify(scene, f"urls = json://ada:{SECRET}@127.0.0.1:1/hook, {receiver.url}", "command = /nowhere/to/be/found")
    daemon = start_syncd("run", "-c", scene.config)
    daemon.wait_for("a notice did not reach everybody: not every receiver of [notify] urls took it")
    assert receiver.titles == ["syncd: the load is done"]
    before = scene.applied
    trading = scene.trade(rate=50)
    scene.wait_until_applied(before)
    trading.stop()
    assert daemon.terminate(15) == 0
    assert SECRET not in daemon.stderr and "Traceback" not in daemon.stderr


def test_an_unknown_url_is_refused_at_the_start(database: str, make_scene: MakeScene, run_syncd: RunSyncd) -> None:
    scene = make_scene(database, rows=500)
    notify(scene, f"urls = nonsense://{SECRET}")
    refused = run_syncd("run", "-c", scene.config)
    assert refused.returncode == 78
    assert "Apprise does not know URL 1" in refused.stderr and SECRET not in refused.stderr
