"""The web server: who may look, what it shows, and what it does with those who are in the way."""

import http.client
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace

import pytest

from syncd.engine.report import Report, judged
from syncd.errors import ConfigError
from syncd.service.web import server as serving
from syncd.service.web.server import WebServer
from tests.plugins.patience import wait_until
from tests.plugins.reports import ODD_NAME, FakeSampler, full_report, ready_report

TOKEN = "a token of some length"
Open = Callable[..., "Site"]


class Site:
    """A running server, and the sampler behind it."""

    def __init__(self, sampler: FakeSampler, port: int) -> None:
        self.sampler = sampler
        self.port = port

    def ask(self, path: str = "/", method: str = "GET", body: str | None = None, **headers: str) -> "Answer":
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read().decode())

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)


class Answer:
    def __init__(self, status: int, headers: dict[str, str], text: str) -> None:
        self.status = status
        self.headers = headers
        self.text = text


@pytest.fixture
def opened() -> Iterator[Open]:
    """Start a server on a free port."""
    with ExitStack() as stack:

        def start(
            report: Report | None = None,
            *,
            token: str | None = None,
            hosts: tuple[str, ...] = (),
            host: str = "127.0.0.1",
        ) -> Site:
            serving.Limited.forget_rates()
            sampler = FakeSampler(judged(report or full_report()))
            server = WebServer(sampler, f"{host}:0", hosts, token)
            server.start()
            stack.callback(server.close)
            return Site(sampler, server.port)

        yield start


def test_the_page_shows_everything_and_escapes_it(opened: Open) -> None:
    page = opened().ask()

    assert page.status == 200
    assert "&lt;script&gt;alert(" in page.text and "<script>alert(" not in page.text
    assert "too &lt;b&gt;many&lt;/b&gt; rejects" in page.text and "no &lt;date&gt;" in page.text
    assert "'<i>'" not in page.text
    assert "column.due = CAST(due AS ...)" in page.text


def test_the_page_needs_nothing_from_elsewhere(opened: Open) -> None:
    site = opened()
    page = site.ask().text

    named = re.findall(r'(?:src|href)="([^"#]+)"', page)
    assert all(name.startswith("/") or name == "data:," for name in named)
    assert not re.search(r"\sstyle=|\son\w+=", page)
    assert {site.ask(name).status for name in named if name.startswith("/static")} == {200}


def test_every_answer_carries_a_strict_policy(opened: Open) -> None:
    site = opened()

    for path in ("/", "/metrics", "/healthz", "/readyz", "/static/style.css", "/nowhere"):
        headers = site.ask(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")
        assert "server" not in headers


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_another_host_name_is_turned_away(opened: Open, host: str) -> None:
    assert opened().ask(Host=host).status == 421


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8787", "127.0.0.1:1", "[::1]:80", "10.0.0.5", "syncd.example"]
)
def test_our_own_names_and_plain_addresses_are_served(opened: Open, host: str) -> None:
    assert opened(hosts=("syncd.example",)).ask(Host=host).status == 200


@pytest.mark.parametrize("path", ["/", "/metrics", "/readyz", "/events", "/healthz"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_it_is_read_only(opened: Open, path: str, method: str) -> None:
    assert opened().ask(path, method).status == 405


def test_readiness_tells_why_not(opened: Open) -> None:
    site = opened(ready_report())
    assert (site.ask("/readyz").status, site.ask("/readyz").text) == (200, "ready\n")

    site.sampler.report = replace(ready_report(), lag=100.0, trouble=("target: connection refused",))

    answer = site.ask("/readyz")
    assert (answer.status, answer.text) == (503, "target: connection refused\nthe lag is 100.0 s\n")
    assert (site.ask("/healthz").status, site.ask("/healthz").text) == (200, "ok\n")


def test_metrics_are_text_for_prometheus(opened: Open) -> None:
    answer = opened().ask("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "\nsyncd_lag_seconds 2.0\n" in answer.text


def test_an_address_for_all_needs_a_token() -> None:
    with pytest.raises(ConfigError, match="no token"):
        WebServer(FakeSampler(full_report()), "0.0.0.0:0", (), None)


def test_nobody_looks_without_the_token(opened: Open) -> None:
    site = opened(token=TOKEN, host="0.0.0.0")

    assert site.ask("/metrics").status == 401
    assert site.ask("/events").status == 401
    assert site.ask("/metrics", Authorization="Bearer wrong").status == 401
    assert site.ask("/metrics", Authorization=f"Bearer {TOKEN}").status == 200
    assert site.ask("/healthz").status == 200
    assert "lag" not in site.ask("/readyz").text
    sent = site.ask(Accept="text/html")
    assert (sent.status, sent.headers["location"]) == (303, "/login")


def test_the_token_opens_the_dashboard(opened: Open) -> None:
    site = opened(token=TOKEN)

    assert site.ask("/login", "POST", "token=wrong").status == 403
    done = site.ask("/login", "POST", "token=a+token+of+some+length")
    cookie = done.headers["set-cookie"]
    assert done.status == 303 and "HttpOnly" in cookie and "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert site.ask(Cookie=cookie.partition(";")[0]).status == 200
    assert site.ask("/login", "POST", "token=" + "x" * 100_000).status == 403


def test_the_stream_sends_what_changed_alone(opened: Open) -> None:
    site = opened()
    with site.connect() as viewer:
        viewer.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert {"banner", "steps", "figures", "charts", "tables"} <= event(viewer).keys()
        first, *others = site.sampler.report.tables
        site.sampler.report = replace(site.sampler.report, tables=(replace(first, rejects=77), *others))
        changed = event(viewer)

    assert "table-1" in changed and ">77<" in changed["table-1"]
    assert not {"tables", "table-2", "steps", "events"} & changed.keys()


@pytest.mark.parametrize(("cutover", "is_told"), [("promoted", True), ("", False)])
def test_the_stream_ends_with_the_last_report(cutover: str, caplog: pytest.LogCaptureFixture, *, is_told: bool) -> None:
    sampler = FakeSampler(ready_report())
    server = WebServer(sampler, "127.0.0.1:0", (), None)
    server.start()
    with Site(sampler, server.port).connect() as viewer:
        viewer.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        event(viewer)
        sampler.report = replace(ready_report(), cutover=cutover, lag=1.5)
        server.close()
        last = b"".join(iter(lambda: viewer.recv(65536), b""))

    assert b"1.5 s" in last and (b"PostgreSQL leads" in last, b"event: end" in last) == (is_told, is_told)
    assert [record for record in caplog.records if record.exc_info] == []


def event(viewer: socket.socket) -> dict[str, str]:
    """The next event of sections."""
    read = b""
    while not (found := re.search(rb"event: sections\ndata: (.*)\n\n", read)):
        more = viewer.recv(65536)
        assert more, read
        read += re.sub(rb"\r\n[0-9a-f]+\r\n", b"", more)
    parsed: dict[str, str] = json.loads(found[1])
    return parsed


def test_a_name_stays_a_name_in_the_stream(opened: Open) -> None:
    site = opened()
    with site.connect() as viewer:
        viewer.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        tables = event(viewer)["tables"]

    assert ODD_NAME not in tables and "&lt;script&gt;" in tables


def test_who_says_nothing_is_dropped(opened: Open) -> None:
    with opened().connect() as silent:
        silent.sendall(b"GET / HTTP/1.1\r\nHost: lo")
        began = time.monotonic()
        assert gone(silent)
        assert time.monotonic() - began < serving.HEADER_SECONDS + 5


def test_who_does_not_read_is_dropped(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "STUCK_SECONDS", 2.0)
    monkeypatch.setattr(serving, "_INSPECT_SECONDS", 0.5)
    table = full_report().tables[0]
    many = replace(full_report(), tables=tuple(replace(table, name=f"{n:0>4000}") for n in range(600)))
    site = opened(many)
    with site.connect() as stuck:
        stuck.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_until(lambda: bool(serving.Limited.open_now()), "it is served")
        wait_until(lambda: not serving.Limited.open_now(), "it is dropped", 10)


def test_huge_headers_are_refused(opened: Open) -> None:
    site = opened()
    with site.connect() as greedy:
        greedy.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 10 * serving.HEADER_BYTES)
        assert b" 400 " in greedy.recv(100)


def test_two_hundred_silent_connections_keep_nobody_out(opened: Open) -> None:
    site = opened()
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(site.connect())
        assert len(serving.Limited.open_now()) <= serving.CONNECTIONS
        time.sleep(1.1)
        assert site.ask("/healthz").status == 200


def test_an_address_that_is_taken_is_a_warning(opened: Open) -> None:
    site = opened()
    second = WebServer(FakeSampler(full_report()), f"127.0.0.1:{site.port}", (), None)
    second.start()
    second.close()

    assert site.ask("/healthz").status == 200


def gone(connection: socket.socket) -> bool:
    try:
        return connection.recv(100) == b""
    except ConnectionResetError:
        return True
