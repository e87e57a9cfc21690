"""What the console shows to people on a terminal, to files and to programs."""

import json
import sys
from collections.abc import Callable

import pytest

from syncd import log
from syncd.console import Column, Page, Paragraph, Table, output
from syncd.console.page import ago, duration, plain_lines
from syncd.errors import ConfigError, TargetUnavailableError
from tests.plugins.consoles import MakeConsole, written

pytestmark = pytest.mark.usefixtures("clean_log")

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
