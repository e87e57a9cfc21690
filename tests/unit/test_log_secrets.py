"""What never stands in the log."""

import json
import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from loguru import logger

from syncd import log
from tests.plugins.logs import FORMATS, forget, logged, raised

pytestmark = pytest.mark.usefixtures("log_restored", "nothing_hidden")


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
