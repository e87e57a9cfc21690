"""What the log looks like, and who is heard in it."""

import io
import json
import logging
import sys
import threading
from datetime import datetime
from typing import Any

import pytest

from syncd import log
from tests.plugins.logs import FORMATS, logged, raised

pytestmark = pytest.mark.usefixtures("log_restored", "nothing_hidden")


def table_loaded() -> None:
    log.event("info", "table_loaded", "loaded x: 3 rows", table="x", rows=3, where="a > 'b'", mark=None)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


# How it looks


def test_text_has_the_time_the_level_the_message_and_the_detail() -> None:
    line = logged("text", table_loaded)

    time, rest = line[:29], line[29:]
    assert datetime.fromisoformat(time).tzinfo is not None
    assert rest == """ INFO     loaded x: 3 rows table=x rows=3 where="a > 'b'" mark=null event=table_loaded\n"""


def test_json_is_one_object_a_line() -> None:
    entry = json.loads(logged("json", table_loaded))

    assert datetime.fromisoformat(entry.pop("time")).utcoffset() is not None
    assert entry == {
        "level": "INFO",
        "event": "table_loaded",
        "message": "loaded x: 3 rows",
        "table": "x",
        "rows": 3,
        "where": "a > 'b'",
        "mark": None,
    }


def test_json_times_are_utc() -> None:
    assert json.loads(logged("json", table_loaded))["time"].endswith("+00:00")


def test_json_keeps_a_detail_that_is_named_like_a_field() -> None:
    entry = json.loads(logged("json", lambda: log.event("info", "e", "m", level=3, time="noon", message="x")))

    assert (entry["level"], entry["message"]) == ("INFO", "m")
    assert (entry["level_"], entry["time_"], entry["message_"]) == (3, "noon", "x")


def test_json_stays_json_whatever_the_detail_is() -> None:
    class Broken:
        def __str__(self) -> str:
            raise ValueError

    detail: dict[str, Any] = {"a": float("nan"), "b": {1: {2}}, "c": Broken(), "d": "\ud800", "e": b"x"}
    entry = json.loads(logged("json", lambda: log.event("info", "e", "m", **detail)), parse_constant=pytest.fail)

    assert (entry["a"], entry["b"], entry["c"], entry["e"]) == ("nan", {"1": [2]}, "<Broken: ValueError>", "b'x'")


@pytest.mark.parametrize(
    ("level", "priority"), [("debug", 7), ("info", 6), ("success", 6), ("warning", 4), ("error", 3), ("critical", 2)]
)
def test_the_journal_gets_a_priority_and_no_time(level: str, priority: int) -> None:
    line = logged("journal", lambda: log.event(level, "e", "message"), level="debug")

    assert line == f"<{priority}>message event=e\n"


def test_events_below_the_level_are_left_out() -> None:
    assert logged("text", lambda: log.event("info", "e", "m"), level="warning") == ""


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="LOUD"):
        log.configure("loud", "text")


@pytest.mark.parametrize(
    ("stream", "no_color", "term", "coloured"),
    [
        (Terminal(), "", "xterm", True),
        (Terminal(), "1", "xterm", False),
        (Terminal(), "", "dumb", False),
        (io.StringIO(), "", "xterm", False),
    ],
)
def test_colour_on_a_terminal_only_and_not_against_no_color(
    stream: io.StringIO, no_color: str, term: str, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", term)
    log.configure("INFO", "text", stream)

    table_loaded()

    assert ("\x1b[" in stream.getvalue()) is coloured
    assert "loaded x: 3 rows" in stream.getvalue()


def test_braces_and_tags_in_a_message_mean_nothing() -> None:
    assert "{x} <red>{0}</red> %s" in logged("text", lambda: log.event("info", "e", "{x} <red>{0}</red> %s", x=1))


@pytest.mark.parametrize("style", FORMATS)
@pytest.mark.parametrize("breaking", ["\n", "\r\n", "\x0b", "\x85", "\u2028", "\n<0>", "\x1b[2J\n"])
def test_a_newline_forges_no_line(style: log.Format, breaking: str) -> None:
    forged = f"x{breaking}2026-01-01 00:00:00 CRITICAL forged"

    output = logged(style, lambda: log.event("info", "e", forged, detail=forged))

    assert len(output.splitlines()) == 1
    assert "\x1b" not in output


@pytest.mark.parametrize(("style", "margin"), [("text", "    "), ("journal", "<3>    ")])
def test_every_line_of_a_traceback_is_set_in(style: log.Format, margin: str) -> None:
    error = raised(ValueError("x\n2026-01-01 00:00:00 CRITICAL forged\r<0>forged"))

    first, *rest = logged(style, lambda: log.event("error", "e", "failed", exception=error)).splitlines()

    assert "failed" in first
    assert all(line.startswith(margin) for line in rest)
    assert any("ValueError: x" in line for line in rest)


def test_a_traceback_shows_no_values() -> None:
    the_value = "".join(["do", "not", "show"])
    with pytest.raises(ValueError, match="9") as caught:
        raise ValueError(len(the_value))

    output = logged("text", lambda: log.event("error", "e", "failed", exception=caught.value))

    assert "raise ValueError(len(the_value))" in output
    assert the_value not in output


# What others would print


def test_libraries_are_heard_from_warnings_on() -> None:
    def speak() -> None:
        logging.getLogger("apscheduler.scheduler").info("added job")
        logging.getLogger("apscheduler.executors.default").warning("run of %s was missed by %s", "pass", "0:00:05")

    entries = [json.loads(line) for line in logged("json", speak, level="debug").splitlines()]

    assert [(entry["level"], entry["event"], entry["logger"], entry["message"]) for entry in entries] == [
        ("WARNING", "library", "apscheduler.executors.default", "run of pass was missed by 0:00:05")
    ]


def test_a_library_that_logs_wrongly_is_still_heard() -> None:
    record = logging.LogRecord("watchdog", logging.WARNING, __file__, 1, "two %s %s", ("one",), None)

    assert "two %s %s" in logged("text", lambda: log._InterceptHandler().emit(record))


def test_configuring_again_doubles_nothing() -> None:
    logged("text", table_loaded)

    assert len(logged("text", lambda: logging.getLogger("watchdog").error("once")).splitlines()) == 1


def test_an_uncaught_exception_is_logged_redacted() -> None:
    error = raised(RuntimeError("postgresql://u:hunter2@h/db"))

    entry = json.loads(logged("json", lambda: sys.excepthook(type(error), error, error.__traceback__)))

    assert (entry["level"], entry["event"], entry["message"]) == ("CRITICAL", "crashed", "uncaught RuntimeError")
    assert entry["exception"].startswith("Traceback")
    assert entry["exception"].endswith("RuntimeError: postgresql://u:***@h/db")


def test_an_uncaught_exception_in_a_thread_is_logged_with_its_thread() -> None:
    def crash() -> None:
        raise RuntimeError("password=hunter2")

    def run() -> None:
        # pytest puts its own hook in the place of ours for the length of a test.
        threading.excepthook = log._log_uncaught_in_thread
        thread = threading.Thread(target=crash, name="worker")
        thread.start()
        thread.join()

    entry = json.loads(logged("json", run))

    assert (entry["event"], entry["thread"]) == ("crashed", "worker")
    assert "hunter2" not in json.dumps(entry)


def test_a_thread_may_exit_in_silence() -> None:
    def run() -> None:
        threading.excepthook = log._log_uncaught_in_thread
        thread = threading.Thread(target=sys.exit)
        thread.start()
        thread.join()

    assert logged("text", run) == ""


def test_an_interrupt_is_left_to_python(capsys: pytest.CaptureFixture[str]) -> None:
    assert logged("text", lambda: sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)) == ""
    assert "KeyboardInterrupt" in capsys.readouterr().err
