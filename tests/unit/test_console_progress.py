"""What is shown of work that goes on: bars on a terminal, lines elsewhere."""

import sys
import threading
import time

import pytest

from syncd import log
from syncd.console.progress import STOPPING, Bars, Lines, Tally
from tests.plugins.consoles import MakeConsole, written

pytestmark = pytest.mark.usefixtures("clean_log")


def test_a_tally_counts_what_threads_report() -> None:
    tally = Tally()
    tally.started("t", 100)

    def report() -> None:
        for _ in range(1000):
            tally.advanced("t", 1)

    threads = [threading.Thread(target=report) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    standing = tally.standing()
    assert (standing.rows, standing.rows_total, standing.tables_done) == (8000, 8000, 0)
    tally.finished("t")
    assert tally.standing().tables_done == 1


def test_an_estimate_gives_way_to_what_was_found() -> None:
    tally = Tally()
    tally.started("gaps", 1_000_000)
    tally.started("unknown", 0)
    tally.advanced("gaps", 10)
    tally.advanced("unknown", 5)
    tally.finished("gaps")
    assert (tally.standing().rows, tally.standing().rows_total) == (15, 15)


def test_a_line_tells_rows_tables_speed_and_the_time_left() -> None:
    lines = Lines("loading", lambda: False)
    began = lines._began
    lines.table_started("a", 300_000)
    lines.table_started("b", 666_301)
    lines.advanced("a", 300_000)
    lines.table_finished("a")
    lines.advanced("b", 112_000)
    first = "loading: 412000 of 966301 rows, 1 of 2 tables, 41200 rows/s, about 13 s left"
    assert lines.line(began + 10) == first
    assert ", 0 rows/s, " in lines.line(began + 20)


def test_lines_come_while_nothing_moves(piped: MakeConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncd.console.progress.LINE_SECONDS", 0.1)
    console = piped()
    log.configure("INFO", "text")
    stopping = threading.Event()
    with console.progress("loading", stopping.is_set) as progress:
        progress.table_started("t", 10)
        stopping.set()
        progress.note("creating foreign keys")
        time.sleep(0.7)
    said = written(sys.stderr)
    assert said.count("loading: 0 of 10 rows, 0 of 1 tables, 0 rows/s") >= 2
    assert said.count(STOPPING) == 1
    assert "creating foreign keys" in said


def test_bars_show_tables_in_work_alone(watched: MakeConsole) -> None:
    console = watched()
    with console.progress("loading") as progress:
        assert isinstance(progress, Bars)
        for name in ("waiting", "[red]working[/red]", "done", "unknown"):
            progress.table_started(name, 0 if name == "unknown" else 1000)
        for name in ("[red]working[/red]", "done", "unknown"):
            progress.advanced(name, 500)
        progress.table_finished("done")
        before = len(written(progress.display.console.file))
        progress.display.refresh()
        shown = written(progress.display.console.file)[before:]
    assert "1 of 4 tables" in shown and "1,500 of 3,000" in shown
    assert "[red]working[/red]" in shown and "500 of 1,000" in shown
    assert "unknown" in shown
    assert "waiting" not in shown and "done" not in shown


def test_bars_say_that_they_stop(watched: MakeConsole) -> None:
    console = watched()
    with console.progress("loading", lambda: True) as progress:
        progress.table_started("t", 10)
    assert STOPPING in written(sys.stderr)
