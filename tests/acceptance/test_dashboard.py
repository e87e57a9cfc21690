"""The dashboard as people see it, in a real browser, while a daemon copies and an application writes."""

import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.plugins.browser import Browser
from tests.plugins.cli import RunSyncd, StartSyncd, Syncd
from tests.plugins.patience import wait_until
from tests.plugins.postgres import OwnServer
from tests.plugins.scene import MakeScene, Scene
from tests.plugins.source import OpenWriter

PICTURES = os.environ.get("SYNCD_TEST_PICTURES")
ODD = "<script>alert(1)</script>"
LAG = "parseFloat(document.querySelector('#figures dd').textContent)"
ROWS = "parseInt(document.querySelectorAll('#figures dd')[4]?.textContent.replaceAll(',', ''))"
BANNER = "document.getElementById('banner').innerText"


class Dashboard:
    """A daemon that shows what it does."""

    def __init__(self, scene: Scene, daemon: Syncd, address: str) -> None:
        self.scene = scene
        self.daemon = daemon
        self.address = address

    def ask(self, path: str) -> tuple[int, str]:
        # The server turns those away that ask more than 40 times a second for long.
        time.sleep(0.05)
        try:
            with urllib.request.urlopen(self.address + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name: str) -> float:
        lines = self.ask("/metrics")[1].splitlines()
        return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])


def notes(first: int, last: int) -> str:
    """The statement that writes notes of these numbers."""
    numbers = f"WITH n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})"
    return f"{numbers} INSERT INTO notes SELECT i, '2024-01-01' FROM n"


def dashboard_of(scene: Scene, start_syncd: StartSyncd) -> Dashboard:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    with scene.config.open("a") as file:
        file.write(f"[web]\nlisten = 127.0.0.1:{port}\n")
    daemon = start_syncd("run", "--force", "-c", scene.config)
    daemon.wait_for("event=web_started")
    return Dashboard(scene, daemon, f"http://127.0.0.1:{port}")


@pytest.fixture
def dashboard(
    database: str, make_scene: MakeScene, open_writer: OpenWriter, start_syncd: StartSyncd
) -> Iterator[Dashboard]:
    scene = make_scene(database, rows=3000, interval="500ms")
    with closing(psycopg.connect(database, autocommit=True)) as connection:
        connection.execute("CREATE TABLE notes (id bigint PRIMARY KEY, due date)")
    writer = open_writer(scene.source)
    writer.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, due DATE)")
    writer.execute("INSERT INTO notes VALUES (1, 'soon')")
    writer.execute(notes(2, 400))
    writer.execute(f'CREATE TABLE "{ODD}" (id INTEGER PRIMARY KEY, word TEXT)')
    writer.execute(f"INSERT INTO \"{ODD}\" VALUES (1, 'x')")
    shown = dashboard_of(scene, start_syncd)
    wait_until(lambda: scene.is_loaded, "loaded")
    wait_until(lambda: 'class="tname"' in shown.ask("/")[1], "the page knows the tables")
    yield shown
    assert shown.daemon.terminate() == 0


def test_numbers_move_while_an_application_writes(dashboard: Dashboard, browser: Browser) -> None:
    browser.go(dashboard.address)
    before = browser.wait_for(ROWS)
    trading = dashboard.scene.trade(rate=50)
    browser.wait_for(f"{ROWS} > {before}")
    browser.wait_for(
        "[...document.querySelectorAll('td[data-label=Rate]')].some(cell => cell.innerText.includes('rows/s'))"
    )
    trading.stop()
    assert browser.look(f"document.querySelectorAll('th .tname')[0].textContent === {ODD!r}")
    assert browser.look("document.querySelector('[aria-current=step]').innerText").split()[1] == "Catch-up"
    assert browser.said == []


def test_the_reject_shows_its_cause_and_what_to_write(dashboard: Dashboard, browser: Browser) -> None:
    browser.go(dashboard.address)
    browser.wait_for("!!document.querySelector('#rejects summary')")
    said = browser.look("document.querySelector('#rejects').textContent")
    assert "1 notes.due" in said and "[table:notes]\ncolumn.due = " in said


def test_without_scripts_the_page_is_whole_and_comes_again(dashboard: Dashboard, browser: Browser) -> None:
    browser.without_scripts()
    browser.go(dashboard.address)
    assert browser.look("document.querySelectorAll('#tables tbody tr').length") == 14
    before = browser.look(ROWS)
    trading = dashboard.scene.trade(rate=50)
    browser.wait_for(f"{ROWS} > {before}")
    trading.stop()


def test_keyboard_and_screen_reader(dashboard: Dashboard, browser: Browser) -> None:
    browser.go(dashboard.address)
    browser.press("Tab")
    assert browser.look("document.activeElement.textContent") == "Skip to the tables"
    told = browser.accessible()
    roles = [node["role"]["value"] for node in told if not node.get("ignored")]
    assert {"banner", "navigation", "main", "table", "rowheader", "columnheader", "progressbar", "contentinfo"} <= set(
        roles
    )
    named = ("progressbar", "navigation", "link", "image", "region")
    unnamed = [n for n in told if n["role"]["value"] in named and not n["ignored"] and not n["name"]["value"]]
    assert unnamed == []


@pytest.mark.parametrize(
    ("name", "width", "dark"), [("light", 1280, False), ("dark", 1280, True), ("phone", 375, False)]
)
def test_nothing_runs_over_the_edge(
    dashboard: Dashboard, browser: Browser, name: str, width: int, *, dark: bool
) -> None:
    browser.shows(width, 900, dark=dark, mobile=width < 500)
    browser.go(dashboard.address)
    assert browser.look("document.documentElement.scrollWidth") <= width
    cards = "[...document.querySelectorAll('#figures dl > div, .columns > section')]"
    assert browser.look(f"{cards}.filter(card => card.scrollWidth > card.clientWidth).length") == 0
    bottoms = "['.timeline', '#events'].map(name => document.querySelector(name).getBoundingClientRect().bottom)"
    list_ends, card_ends = browser.look(bottoms)
    assert card_ends - list_ends < 30
    assert browser.look("getComputedStyle(document.body).backgroundColor") == (
        "rgb(14, 20, 27)" if dark else "rgb(244, 246, 249)"
    )
    if PICTURES:
        browser.picture(Path(PICTURES) / f"{name}.png")


def test_pause_and_resume_from_another_shell(dashboard: Dashboard, run_syncd: RunSyncd, browser: Browser) -> None:
    scene = dashboard.scene
    browser.go(dashboard.address)
    assert run_syncd("pause", "-c", scene.config).returncode == 0
    browser.wait_for(f"{BANNER}.includes('paused')", 5)
    before = scene.applied
    trading = scene.trade(rate=50)
    wait_until(lambda: dashboard.metric("syncd_lag_seconds") > 1, "it lags")
    assert scene.applied == before
    status = run_syncd("status", "-c", scene.config).stdout
    assert "every table: paused, by " in status
    trading.stop()
    assert run_syncd("resume", "-c", scene.config).returncode == 0
    scene.wait_until_applied(before)
    wait_until(lambda: dashboard.metric("syncd_lag_seconds") == 0, "in step again")
    events = scene.ask("SELECT event FROM syncd.event WHERE event IN ('paused', 'resumed') ORDER BY id")
    assert events == [("paused",), ("resumed",)]
    browser.wait_for(f"{BANNER}.includes('in step')")


def test_one_paused_table_waits_and_the_others_go_on(
    dashboard: Dashboard, run_syncd: RunSyncd, open_writer: OpenWriter
) -> None:
    scene = dashboard.scene
    assert run_syncd("pause", "notes", "-c", scene.config).returncode == 0
    wait_until(lambda: 'syncd_table_paused{table="notes"} 1.0' in dashboard.ask("/metrics")[1], "it is paused")
    with closing(open_writer(scene.source)) as writer:
        writer.execute("INSERT INTO notes VALUES (1000, '2024-01-01')")
        writer.execute(f"INSERT INTO \"{ODD}\" VALUES (2, 'y')")
    wait_until(lambda: scene.ask(f'SELECT count(*) FROM "{ODD}"') == [(2,)], "the other table goes on")
    assert scene.ask("SELECT count(*) FROM notes WHERE id = 1000") == [(0,)]
    assert run_syncd("resume", "notes", "-c", scene.config).returncode == 0
    wait_until(lambda: scene.ask("SELECT count(*) FROM notes WHERE id = 1000") == [(1,)], "it goes on")


def test_a_throttled_table_takes_its_time(dashboard: Dashboard, run_syncd: RunSyncd, open_writer: OpenWriter) -> None:
    scene = dashboard.scene
    count = "SELECT count(*) FROM notes WHERE id > 1000"
    assert run_syncd("throttle", "20", "notes", "-c", scene.config).returncode == 0
    wait_until(lambda: scene.ask("SELECT count(*) FROM syncd.control") == [(1,)], "it is asked for")
    wait_until(lambda: "at most 20 rows/s" in run_syncd("status", "-c", scene.config).stdout, "status tells it")
    with closing(open_writer(scene.source)) as writer:
        writer.execute(notes(1001, 1050))
        wait_until(lambda: scene.ask(count) == [(50,)], "the first rows")
        began = time.monotonic()
        writer.execute(notes(1051, 1100))
    wait_until(lambda: scene.ask(count) == [(100,)], "the other rows")
    assert 2.0 < time.monotonic() - began < 6.0
    assert run_syncd("throttle", "off", "notes", "-c", scene.config).returncode == 0
    assert scene.ask("SELECT count(*) FROM syncd.control") == [(0,)]


def test_a_page_without_its_daemon_says_so_until_it_is_back(
    dashboard: Dashboard, start_syncd: StartSyncd, browser: Browser
) -> None:
    browser.go(dashboard.address)
    before = browser.look("document.title")
    assert dashboard.daemon.terminate() == 0
    assert "Traceback" not in dashboard.daemon.stderr
    browser.wait_for(f"document.getElementById('banner').className === 'bad' && {BANNER}.includes('no connection')")
    assert "no connection since" in browser.look("document.title")
    assert float(browser.look("getComputedStyle(document.querySelector('main')).opacity")) < 1
    dashboard.daemon = start_syncd("run", "--force", "-c", dashboard.scene.config)
    browser.wait_for(f"!{BANNER}.includes('no connection') && !document.body.className")
    browser.wait_for(f"document.title === {before!r}")


def test_a_promotion_is_the_last_that_page_and_metrics_show(
    database: str, make_scene: MakeScene, start_syncd: StartSyncd, run_syncd: RunSyncd, browser: Browser
) -> None:
    scene = make_scene(database, rows=2000, interval="500ms")
    with scene.config.open("a") as file:
        file.write("[cutover]\nseal = rename\n")
    shown = dashboard_of(scene, start_syncd)
    wait_until(lambda: scene.is_loaded, "loaded")
    trading = scene.trade(rate=50)
    browser.go(shown.address)
    browser.wait_for(f"{ROWS} > 0")
    assert shown.metric("syncd_target_reachable") == 1
    assert run_syncd("cutover", "--yes", "-c", scene.config).returncode == 0
    trading.stop()
    assert shown.daemon.returncode is None
    wait_until(lambda: 'syncd_stage{stage="promoted"} 1.0' in shown.ask("/metrics")[1], "the metrics tell it")
    assert shown.daemon.wait() == 0
    browser.wait_for(f"{BANNER}.includes('promoted: PostgreSQL leads')")
    assert browser.look("document.getElementById('banner').className") == "good"
    tables = [name for (name,) in scene.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    assert browser.look(ROWS) == sum(scene.ask(f"SELECT count(*) FROM {name}")[0][0] for name in tables)
    assert browser.said == []


def test_a_target_that_is_away_shows_everywhere(
    own_server: OwnServer, make_scene: MakeScene, start_syncd: StartSyncd, browser: Browser
) -> None:
    scene = make_scene(own_server.dsn(), rows=2000, interval="500ms")
    shown = dashboard_of(scene, start_syncd)
    wait_until(lambda: scene.is_loaded, "loaded")
    browser.go(shown.address)
    trading = scene.trade(rate=30)
    browser.wait_for(f"{ROWS} > 0")
    own_server.stop("immediate")
    browser.wait_for(f"document.getElementById('banner').className === 'bad' && {BANNER}.includes('target')", 10)
    assert (shown.ask("/readyz")[0], "target" in shown.ask("/readyz")[1]) == (503, True)
    assert shown.metric("syncd_target_reachable") == 0
    assert shown.ask("/healthz")[0] == 200
    before = shown.metric("syncd_lag_seconds")
    wait_until(lambda: shown.metric("syncd_lag_seconds") > before + 1, "the lag grows")
    own_server.start()
    browser.wait_for("document.getElementById('banner').className !== 'bad'", 40)
    trading.stop()
    wait_until(lambda: shown.ask("/readyz")[0] == 200 and shown.metric("syncd_lag_seconds") == 0, "ready again", 40)
    assert browser.said == []
    assert shown.daemon.terminate() == 0
