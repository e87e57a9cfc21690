"""What the console shows to people on a terminal, to files and to programs."""

import io
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest
from loguru import logger

from syncd import log
from syncd.console import Column, Console, Page, Paragraph, Table, output
from syncd.console.found import (
    reject_groups_page,
    reject_page,
    rejects_page,
    status_page,
    typed_key,
)
from syncd.console.moved import dry_run_page, load_page, pass_page
from syncd.console.page import ago, duration, plain_lines
from syncd.console.progress import STOPPING, Bars, Lines, Tally
from syncd.engine.dryrun import DryRunReport, DryRunTable
from syncd.engine.status import StatusReport
from syncd.engine.trying import Cause
from syncd.errors import ConfigError, TargetUnavailableError
from syncd.log import Format
from syncd.model import (
    Applied,
    Mark,
    PassReport,
    Phase,
    Refusal,
    Reject,
    TableReport,
    TableStatus,
)


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        return True


class MakeConsole(Protocol):
    def __call__(self, *, json: bool = False, quiet: bool = False, log_format: Format = "text") -> Console: ...


@pytest.fixture(autouse=True)
def clean_log() -> Iterator[None]:
    yield
    logger.remove()


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> MakeConsole:
    """Make consoles whose two streams go to new files."""

    def make(*, json: bool = False, quiet: bool = False, log_format: Format = "text") -> Console:
        monkeypatch.setattr(sys, "stdout", io.StringIO())
        monkeypatch.setattr(sys, "stderr", io.StringIO())
        return Console(json=json, quiet=quiet, log_format=log_format)

    return make


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> MakeConsole:
    """Make consoles whose two streams go to a new terminal of 80 columns, without colours."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")

    def make(*, json: bool = False, quiet: bool = False, log_format: Format = "text") -> Console:
        monkeypatch.setattr(sys, "stdout", Terminal())
        monkeypatch.setattr(sys, "stderr", Terminal())
        return Console(json=json, quiet=quiet, log_format=log_format)

    return make


def written(stream: object) -> str:
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()


NUMBERS = Table(
    (Column("table"), Column("rows", number=True), Column("seconds", number=True)),
    (("tickers", 18661, 1.5), ("日本", 5, 1234.6), ("nothing", None, None)),
    ("total", 18666, 0.0),
)


def test_a_table_for_a_file_has_plain_digits_in_aligned_columns() -> None:
    assert plain_lines(NUMBERS) == [
        "table     rows  seconds",
        "tickers  18661     1.50",
        "日本         5     1235",
        "nothing      -        -",
        "total    18666     0.00",
    ]


def test_a_file_gets_nothing_cut(piped: MakeConsole) -> None:
    piped().show(Page({}, (Table((Column("table"), Column("what")), (("x" * 300, "y" * 300),)),)))
    assert f"{'x' * 300}  {'y' * 300}" in written(sys.stdout)


def test_a_terminal_gets_thousands_apart_and_no_number_cut(watched: MakeConsole) -> None:
    columns = (Column("table"), *(Column(f"count {place}", number=True) for place in range(4)))
    watched().show(Page({}, (Table(columns, (("a_table_of_a_very_long_name" * 3, *[123_456_789_012] * 4),)),)))
    assert written(sys.stdout).count("123,456,789,012") == 4


def test_a_terminal_shows_the_first_rows_of_very_many(watched: MakeConsole) -> None:
    watched().show(Page({}, (Table((Column("key"),), tuple((f"key{n}",) for n in range(60)), at_most=50),)))
    shown = written(sys.stdout)
    assert "key49" in shown and "key50" not in shown and "and 10 more" in shown


@pytest.mark.parametrize("forced", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_a_file_gets_no_colours_whatever_the_environment_says(
    piped: MakeConsole, monkeypatch: pytest.MonkeyPatch, forced: str
) -> None:
    monkeypatch.setenv(forced, "1")
    console = piped()
    console.show(Page({}, (NUMBERS, Paragraph("said", style="bold red"))))
    console.complain(ConfigError("wrong"))
    assert "\x1b" not in written(sys.stdout) + written(sys.stderr)


def test_no_color_is_honoured(watched: MakeConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page({}, (Paragraph("said", style="red"),))
    watched().show(page)
    assert "\x1b[31m" not in written(sys.stdout)
    monkeypatch.delenv("NO_COLOR")
    watched().show(page)
    assert "\x1b[31m" in written(sys.stdout)


HOSTILE = "[red]x[/red] {0} \x1b[31m\nforged \u202e :smile:"


@pytest.mark.parametrize("kind", ["piped", "watched"])
def test_what_databases_hold_is_shown_as_it_is_and_harmless(kind: str, request: pytest.FixtureRequest) -> None:
    console = request.getfixturevalue(kind)()
    block = Table((Column("table"), Column("number", number=True)), ((HOSTILE, 1),))
    console.show(Page({}, (block, Paragraph("said: {}", (HOSTILE,)))))
    shown = written(sys.stdout)
    assert shown.count(r"[red]x[/red] {0} \x1b[31m") == 2
    assert r"\nforged \u202e :smile:" in shown
    assert "\u202e" not in shown and "\x1b[31m" not in shown


def test_json_is_one_document_of_plain_numbers(watched: MakeConsole) -> None:
    watched(json=True).show(Page({"rows": 1234567, "name": HOSTILE}, (NUMBERS,), (Paragraph("a note"),)))
    assert json.loads(written(sys.stdout)) == {"rows": 1234567, "name": HOSTILE}
    assert written(sys.stderr) == ""


@pytest.mark.parametrize("kind", ["piped", "watched"])
def test_talk_goes_to_stderr_and_hides_secrets(kind: str, request: pytest.FixtureRequest) -> None:
    console = request.getfixturevalue(kind)()
    console.say("target: postgresql://me:opensesame@db/app")
    console.complain(ConfigError("no postgresql://me:opensesame@db/app", where="app.ini:3", advice="Mend it"))
    assert written(sys.stdout) == ""
    assert "opensesame" not in written(sys.stderr)
    assert "app.ini:3: no postgresql://" in written(sys.stderr) and "\n  Mend it" in written(sys.stderr)


def test_quiet_says_nothing_but_what_ends_the_command(piped: MakeConsole) -> None:
    console = piped(quiet=True)
    console.say("by the way")
    with console.progress("loading") as progress:
        progress.note("on it")
    console.complain(ConfigError("wrong"))
    assert written(sys.stderr) == "syncd: wrong\n"


def test_a_log_for_machines_gets_the_complaint_as_an_event(piped: MakeConsole) -> None:
    console = piped(log_format="json")
    log.configure("INFO", "json", console.log_stream)
    console.complain(TargetUnavailableError("it is away"))
    told = json.loads(written(sys.stderr))
    assert (told["level"], told["message"], told["exit_code"]) == ("ERROR", "it is away", 75)


def test_the_log_of_a_terminal_appears_above_the_bars(watched: MakeConsole) -> None:
    console = watched()
    log.configure("WARNING", "text", console.log_stream)
    with console.progress("loading") as progress:
        progress.table_started("t", 10)
        log.event("WARNING", "retry", "[bold]target[/bold] is away")
        progress.advanced("t", 1)
    assert "[bold]target[/bold] is away event=retry\n" in written(sys.stderr)


def test_a_watch_goes_on_when_the_target_is_away_for_a_moment(
    piped: MakeConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "WATCH_SECONDS_ELSEWHERE", 0)
    with pytest.raises(KeyboardInterrupt):
        piped().watch(_answering("first", TargetUnavailableError("it is away"), "third", KeyboardInterrupt()), never)
    assert "first\n\nthird\n\n" in written(sys.stdout)
    assert "it is away" in written(sys.stderr)


def test_a_watch_redraws_a_terminal_and_leaves_its_cursor_visible(
    watched: MakeConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "WATCH_SECONDS", 0)
    with pytest.raises(KeyboardInterrupt):
        watched().watch(_answering("first", TargetUnavailableError("it is away"), KeyboardInterrupt()), never)
    shown = written(sys.stdout)
    assert "it is away" in shown and shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")


def never() -> bool:
    return False


def _answering(*answers: str | BaseException) -> Callable[[], Page]:
    left = iter(answers)

    def read() -> Page:
        answer = next(left)
        if isinstance(answer, BaseException):
            raise answer
        return Page({}, (Paragraph(answer),))

    return read


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "less than 1 s"), (59.4, "59 s"), (61, "1 min 1 s"), (7260, "2 h 1 min"), (180_000, "2 d 2 h")],
)
def test_a_duration_is_told_in_the_units_that_people_think_in(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-3, "0 s ago"), (119, "119 s ago"), (120, "2 min ago"), (7200, "2 h ago"), (1e6, "11 d ago")]
)
def test_a_moment_is_told_in_one_unit(seconds: float, text: str) -> None:
    assert ago(seconds) == text


# progress


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


# pages


def test_a_load_shows_each_table_and_why_one_stopped(piped: MakeConsole) -> None:
    error = "bad: 50 of 50 rows were rejected\n  See why"
    report = PassReport(
        (
            TableReport("good", Applied(read=10, inserted=8, updated=1, rejected=1), 2.0),
            TableReport("bad", Applied(read=50, rejected=50), 1.0, error),
        ),
        4.0,
    )
    page = load_page(report)
    piped().show(page)
    assert written(sys.stdout).splitlines() == [
        "table  rows read  written  rejected  seconds  rows/s",
        "good          10        9         1     2.00       5",
        "bad           50        0        50     1.00      50",
        "total         60        9        51     4.00      15",
        "",
        "51 rows rejected and kept: syncd rejects list",
        "bad stopped: 50 of 50 rows were rejected",
        "  See why",
    ]
    assert page.document["stopped"] == [{"table": "bad", "error": error}]


def test_a_load_without_work_names_what_stands_still(piped: MakeConsole) -> None:
    piped().show(load_page(PassReport((), 0.1)))
    assert (written(sys.stdout), written(sys.stderr)) == ("", "nothing to load: every table is loaded\n")
    piped().show(load_page(PassReport((), 0.1), [TableReport("bad", Applied(), 0.0, "too many")]))
    assert written(sys.stdout) == "bad stopped: too many\n"
    assert "tried again by syncd sync" in written(sys.stderr)


def test_a_pass_shows_tables_with_activity_alone(piped: MakeConsole) -> None:
    idle = TableReport("idle", Applied(read=20), 0.1)
    piped().show(pass_page(PassReport((idle, TableReport("busy", Applied(read=3, updated=2, deleted=1), 0.1)), 0.2)))
    assert "busy" in written(sys.stdout) and "idle" not in written(sys.stdout)
    assert written(sys.stderr) == ""


def test_a_pass_without_news_says_so_unless_tables_are_not_loaded(piped: MakeConsole) -> None:
    piped().show(pass_page(PassReport((), 0.1)))
    assert (written(sys.stdout), written(sys.stderr)) == ("", "nothing to do: the source has nothing new\n")
    piped().show(pass_page(PassReport((), 0.1), ("a", "b")))
    assert "not loaded yet, so left alone: a, b" in written(sys.stderr)


def test_a_dry_run_shows_what_cannot_land_and_the_estimate(piped: MakeConsole) -> None:
    refusal = Refusal("7", "value", "date cannot hold it", "d")
    cause = Cause("value", "d", 1, (refusal,))
    page = dry_run_page(DryRunReport((DryRunTable("t", 1000, 50_000, 0.5, (cause,)),), 0.5, 85.0))
    piped().show(page)
    shown = written(sys.stdout)
    assert "7: date cannot hold it" in shown and "1 min 25 s" in shown
    assert page.document["estimated_load_seconds"] == 85.0


def _status(phase: Phase = Phase.CATCHUP, error: str = "") -> TableStatus:
    at = (datetime.now(UTC) - timedelta(minutes=5)).isoformat(timespec="seconds")
    return TableStatus("t", phase, 1234, Mark(9, "'2025-10-31 18:30:00'"), 2, error, at)


def test_status_tells_a_person_the_age_and_a_file_the_moment(watched: MakeConsole) -> None:
    status = _status()
    watched().show(status_page(StatusReport("/app.db", "db/app", "running", (status,))))
    assert "5 min ago" in written(sys.stdout) and "1,234" in written(sys.stdout)
    table = status_page(StatusReport("/app.db", "db/app", "running", (status,))).blocks[-1]
    assert isinstance(table, Table)
    assert status.updated_at in plain_lines(table)[1]


def test_status_counts_the_phases_and_shows_errors_in_full(piped: MakeConsole) -> None:
    page = status_page(StatusReport("/app.db", "db/app", "none", (_status(), _status(Phase.STOPPED, "t: why\n  how"))))
    piped().show(page)
    shown = written(sys.stdout)
    assert "syncd   not running" in shown and "tables  2: 1 in catchup, 1 stopped" in shown
    assert shown.endswith("\nt stopped: why\n  how\n")
    assert json.loads(json.dumps(page.document))["tables"][0]["rows_applied"] == 1234


def test_status_does_not_call_a_table_stopped_that_was_not_swept(piped: MakeConsole) -> None:
    page = status_page(StatusReport("/app.db", "db/app", "none", (_status(error="9 of 10 rows would be deleted"),)))
    piped().show(page)
    assert written(sys.stdout).endswith("\nt is kept current but was not swept: 9 of 10 rows would be deleted\n")


def test_status_of_an_untouched_target_says_how_to_begin(piped: MakeConsole) -> None:
    piped().show(status_page(StatusReport("/app.db", "db/app", "none", ())))
    assert "syncd load" in written(sys.stderr) and "/app.db" in written(sys.stdout)


def _reject(key: str, reason: str = "value") -> Reject:
    return Reject("orders", key, reason, "cannot hold it", "qty", "22P02", 2, "then", "now", '{"id": 1, "qty": "[b]x"}')


def test_rejects_are_grouped_by_cause_the_largest_first() -> None:
    page = reject_groups_page([_reject("1", "orphan"), *(_reject(str(n)) for n in range(2, 7))])
    assert isinstance(page.blocks[0], Table)
    assert page.blocks[0].rows == (("orders", "value", "qty", 5, "2  3  4"), ("orders", "orphan", "qty", 1, "1"))


def test_rejects_are_listed_each(piped: MakeConsole) -> None:
    piped().show(rejects_page([_reject("1"), _reject("'o''clock'")]))
    assert "orders  o'clock  value" in written(sys.stdout)


def test_a_reject_is_shown_whole(piped: MakeConsole) -> None:
    page = reject_page(_reject("7"))
    piped().show(page)
    assert '  qty "[b]x"\n' in written(sys.stdout)
    assert page.document["row_data"] == {"id": 1, "qty": "[b]x"}


@pytest.mark.parametrize(
    ("source_key", "typed"), [("7", "7"), ("'a'", "a"), ("'o''clock'", "o'clock"), ("'a','b'", "'a','b'"), ("''", "")]
)
def test_a_key_is_typed_without_the_quotes_of_sql(source_key: str, typed: str) -> None:
    assert typed_key(source_key) == typed
