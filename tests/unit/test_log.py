"""What the log looks like, and what never stands in it."""

import io
import json
import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from loguru import logger

from syncd import log

FORMATS: list[log.Format] = ["text", "json", "journal"]


@pytest.fixture(autouse=True, scope="module")
def restored() -> Iterator[None]:
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook)
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    sys.excepthook, threading.excepthook = hooks
    logger.remove()
    logger.configure(patcher=lambda _: None)


@pytest.fixture(autouse=True)
def nothing_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    forget(monkeypatch)


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_exact", log._ExactSecrets())


def logged(style: log.Format, write: Callable[[], object], level: str = "INFO") -> str:
    stream = io.StringIO()
    log.configure(level, style, stream)
    write()
    return stream.getvalue()


def table_loaded() -> None:
    log.event("info", "table_loaded", "loaded x: 3 rows", table="x", rows=3, where="a > 'b'", mark=None)


def raised(error: BaseException) -> BaseException:
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


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


# What is secret


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://u:hunter2@h:5432/db?sslmode=require", "postgresql://u:***@h:5432/db?sslmode=require"),
        ("postgres://u:hunter2@h1:1,h2:2/db", "postgres://u:***@h1:1,h2:2/db"),
        ("postgresql://:hunter2@/db", "postgresql://:***@/db"),
        ("postgresql://u%40corp:hun%20ter2%2F@h", "postgresql://u%40corp:***@h"),
        ("postgresql://u@corp:hunter2@h", "postgresql://u@corp:***@h"),
        ("postgresql://u:hun@ter/2@h/db", "postgresql://u:***@h/db"),
        ("postgresql://u:hunter 2@h/db", "postgresql://u:***@h/db"),
        (
            "from postgresql://u:hunter2@h to postgresql://v:hunter2@h",
            "from postgresql://u:***@h to postgresql://v:***@h",
        ),
        ("smtps://me:hunter2@mail.example", "smtps://me:***@mail.example"),
        ("postgresql:///db?user=u&password=hunter2", "postgresql:///db?user=u&password=***"),
        ("host=h password=hunter2 user=u", "host=h password=*** user=u"),
        ("host=h password = hunter2 user=u", "host=h password = *** user=u"),
        ("host=h password='hun ter2' user=u", "host=h password=*** user=u"),
        (r"host=h password='hun\' ter2' user=u", "host=h password=*** user=u"),
        (r"host=h password=hun\ ter2 user=u", "host=h password=*** user=u"),
        ("host=h password='hunter2 user=u", "host=h password=***"),
        ("sslpassword=hunter2 sslkey=k", "sslpassword=*** sslkey=k"),
        ("PGPASSWORD=hunter2 psql", "PGPASSWORD=*** psql"),
        ("password=x password=hunter2", "password=*** password=***"),
        ("{'user': 'u', 'password': 'hunter2', 'port': 1}", "{'user': 'u', 'password': ***, 'port': 1}"),
        ('{"password": "hun\\"ter2", "port": 1}', '{"password": ***, "port": 1}'),
        ("Target(password='hunter2', port=1)", "Target(password=***, port=1)"),
        ("syncd --pg-password hunter2 check", "syncd --pg-password *** check"),
        ("syncd --pg-password='hun ter2' check", "syncd --pg-password=*** check"),
    ],
)
def test_a_secret_is_known_by_its_form(text: str, shown: str) -> None:
    assert log.redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u@h:5432/db",
        "http://localhost:8787/metrics was asked by a@b",
        "passfile=/home/u/.pgpass password_file = /etc/x",
        'FATAL: password authentication failed for user "u"',
        "loaded x: 3 rows",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert log.redact(text) == text


@pytest.mark.parametrize(
    "dsn",
    [
        "host=h password=my hunter2",
        "postgresql://u:%hunter2@h/db",
        "postgresql://u:%00hunter2@h/db",
        "postgresql://u:x hunter2@h/db",
        "postgresql://u:x@h/db?hunter2",
        "postgresql://u:hunter2@[h",
        "postgresql://u:x@hunter2@h.invalid/db",
    ],
)
def test_what_libpq_says_of_a_malformed_dsn_does_not_show_the_password(dsn: str) -> None:
    psycopg = pytest.importorskip("psycopg")

    with pytest.raises(psycopg.Error) as raised:
        psycopg.connect(dsn, connect_timeout=1)

    assert "hunter2" in str(raised.value)
    assert "hunter2" not in log.redact(str(raised.value))


@pytest.mark.parametrize("hostile", ["://a:", "://a: ", "password=", "password='", "password=\\'", "host '", "\\"])
def test_hostile_text_takes_no_long_time(hostile: str) -> None:
    start = time.process_time()

    log.redact("@ password" + hostile * (100_000 // len(hostile)))

    assert time.process_time() - start < 5


def test_a_value_under_a_secret_name_is_hidden_whatever_it_is() -> None:
    detail: dict[str, Any] = {"password": 12345, "target": {"pg_password": ["x"], "port": 5432}, "password_file": "f"}
    entry = json.loads(logged("json", lambda: log.event("info", "e", "m", **detail)))

    assert entry["password"] == "***"
    assert entry["target"] == {"pg_password": "***", "port": 5432}
    assert entry["password_file"] == "f"


@pytest.mark.parametrize("spelt", [str, repr, quote, json.dumps, str.encode, lambda secret: secret.replace("'", "''")])
def test_a_hidden_secret_is_found_in_every_spelling(spelt: Callable[[str], object]) -> None:
    secret = "hün'SHOWN\\2 /\n"
    log.hide(secret)

    assert "SHOWN" not in log.redact(f"before {spelt(secret)} after")


def test_a_hidden_secret_of_two_lines_is_found_in_an_exception_group() -> None:
    log.hide("SHOWN-1\nSHOWN-2")
    error = raised(ExceptionGroup("both", [ValueError("SHOWN-1\nSHOWN-2")]))

    assert "SHOWN" not in logged("text", lambda: log.event("error", "e", "failed", exception=error))


def test_a_hidden_number_is_hidden_as_a_number() -> None:
    log.hide("20260101")

    assert json.loads(logged("json", lambda: log.event("info", "e", "m", rows=20260101, n=7)))["rows"] == "***"


def test_a_short_secret_is_hidden_only_where_its_form_shows_it() -> None:
    log.hide("ab")

    assert log.redact("a table about postgresql://u:ab@h") == "a table about postgresql://u:***@h"


def test_every_sink_gets_the_record_without_secrets() -> None:
    records: list[Any] = []

    def fail() -> None:
        logger.add(lambda message: records.append(message.record), format="{message}{exception}", diagnose=True)
        error = raised(ValueError("password=hunter2"))
        log.event("error", "e", "password=hunter2", exception=error, dsn="postgresql://u:hunter2@h")

    logged("text", fail)

    assert len(records) == 1
    assert records[0]["exception"] is None
    assert "hunter2" not in f"{records[0]['message']} {records[0]['extra']}"


MARKER = "S3cr3T"
fragments = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
awkward = st.sampled_from(["'", '"', "\\", " ", "\n", "@", "/", ":", "&", "%", "=", "\\'", "' user='", "{x}", "</red>"])
passwords = st.lists(fragments | awkward, min_size=1, max_size=5).map(lambda parts: MARKER.join(["", *parts, ""]))


def as_url(password: str) -> str:
    return f"postgresql://u:{quote(password, safe='')}@h/db"


def as_key_and_value(password: str) -> str:
    return "host=h password='{}'".format(password.replace("\\", "\\\\").replace("'", "\\'"))


def as_unquoted_value(password: str) -> str:
    return "host=h password=" + re.sub(r"([\s\\'])", r"\\\1", password)


def in_message(dsn: str) -> None:
    log.event("info", "connect", f"connecting to {dsn}")


def in_extra(dsn: str) -> None:
    log.event("info", "connect", "connecting", target=dsn, options={"dsn": [dsn]})


def in_repr(dsn: str) -> None:
    log.event("info", "connect", f"connecting to {dsn!r}", options=(Target(dsn),))


def in_exception_chain(dsn: str) -> None:
    cause = raised(KeyError(dsn))
    cause.add_note(dsn)
    error = ConnectionError(f"cannot reach {dsn}")
    error.__cause__ = cause
    log.event("error", "connect", "failed", exception=raised(error))


class Target:
    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    def __repr__(self) -> str:
        return f"Target(dsn={self.dsn!r})"


SPELLINGS = [as_url, as_key_and_value, as_unquoted_value]
PLACES = [in_message, in_extra, in_repr, in_exception_chain]


@settings(deadline=None)
@given(passwords, st.sampled_from(SPELLINGS), st.sampled_from(PLACES), st.sampled_from(FORMATS))
def test_no_part_of_a_password_in_a_dsn_is_ever_logged(
    password: str, spelt: Callable[[str], str], put: Callable[[str], None], style: log.Format
) -> None:
    assert MARKER not in logged(style, lambda: put(spelt(password)))


any_password = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@settings(deadline=None)
@given(any_password, st.sampled_from([as_url, as_key_and_value]), st.sampled_from(FORMATS))
def test_the_log_is_the_same_whatever_the_password_is(
    password: str, spelt: Callable[[str], str], style: log.Format
) -> None:
    def line(secret: str) -> str:
        output = "".join(logged(style, partial(put, spelt(secret))) for put in (in_message, in_extra))
        return re.sub(r"\d{4}-\d\d-\d\d[T ][\d:.]+", "TIME", output)

    assert line(password) == line("another")


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="\0"), min_size=log.SHORTEST_HIDDEN), st.sampled_from(FORMATS))
def test_a_hidden_secret_is_never_logged(password: str, style: log.Format) -> None:
    def write(secret: str) -> None:
        log.event("error", "e", f"<{secret}> {secret!r}", exception=ValueError(secret), a=secret, b=[{"c": (secret,)}])

    # Where the line holds such a text without it, its presence says nothing.
    assume(password not in logged(style, lambda: write(log.HIDDEN)))
    with pytest.MonkeyPatch.context() as monkeypatch:
        forget(monkeypatch)
        log.hide(password)
        assert password not in logged(style, lambda: write(password))
