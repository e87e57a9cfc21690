"""What systemd is told, what it hands over, and what its units allow."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.errors import ConfigError, RefusedError
from syncd.service.systemd import Notifier, credential

UNITS = Path(__file__).parents[2] / "systemd"
UNIT_NAMES = ["syncd.service", "syncd@.service"]
needs_systemd_analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


class Systemd:
    """The receiving end of a notify socket."""

    def __init__(self, address: str) -> None:
        self.environment = {"NOTIFY_SOCKET": address}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(5)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def heard(self) -> str:
        return self._socket.recv(4096).decode()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    listener = Systemd(str(tmp_path / "notify") if request.param == "path" else f"@syncd-test-{os.getpid()}")
    yield listener
    listener.close()


def test_each_method_says_its_word(systemd: Systemd) -> None:
    notifier = Notifier(systemd.environment)

    notifier.ready()
    assert systemd.heard() == "READY=1"
    notifier.status("caught up")
    assert systemd.heard() == "STATUS=caught up"
    notifier.watchdog()
    assert systemd.heard() == "WATCHDOG=1"
    notifier.stopping()
    assert systemd.heard() == "STOPPING=1"


def test_reloading_carries_the_monotonic_time(systemd: Systemd) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    Notifier(systemd.environment).reloading()
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000

    word, _, microseconds = systemd.heard().partition("\nMONOTONIC_USEC=")

    assert word == "RELOADING=1"
    assert before <= int(microseconds) <= after


def test_a_status_is_one_line_and_cannot_say_anything_else(systemd: Systemd) -> None:
    Notifier(systemd.environment).status("lag 3\nMAINPID=1")

    assert systemd.heard() == "STATUS=lag 3 MAINPID=1"


def test_a_long_status_is_cut_between_characters(systemd: Systemd) -> None:
    Notifier(systemd.environment).status("a" + "é" * 5000)

    assert systemd.heard() == "STATUS=a" + "é" * 511


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "relative"])
def test_outside_systemd_nothing_happens(address: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000000"})

    notifier.ready()
    notifier.watchdog()

    assert notifier.watchdog_interval is None


@pytest.mark.parametrize("address", ["/nonexistent/notify", "@nobody-listens-here", "/" + "x" * 200])
def test_a_lost_socket_never_raises(address: str) -> None:
    Notifier({"NOTIFY_SOCKET": address}).ready()


def test_a_supervisor_that_does_not_listen_costs_a_second_at_most(systemd: Systemd) -> None:
    notifier = Notifier(systemd.environment)
    queue = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text())
    for _ in range(queue + 1):
        notifier.watchdog()

    start = time.monotonic()
    notifier.watchdog()

    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("environment", "interval"),
    [
        ({"WATCHDOG_USEC": "120000000"}, 60.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 1.5),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_it_bites(environment: dict[str, str], interval: float | None) -> None:
    assert Notifier({"NOTIFY_SOCKET": "/run/notify", **environment}).watchdog_interval == interval


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"secret", "secret"),
        (b"secret\n", "secret"),
        (b"secret\n\n", "secret\n"),
        (b" two words \n", " two words "),
        ("pässwörd\n".encode(), "pässwörd"),
        (b"\n", None),
        (b"", None),
    ],
)
def test_a_credential_loses_one_newline_and_an_empty_one_is_none(
    tmp_path: Path, content: bytes, expected: str | None
) -> None:
    (tmp_path / "pgpassword").write_bytes(content)

    assert credential("pgpassword", {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == expected


def test_no_credential_is_none(tmp_path: Path) -> None:
    assert credential("pgpassword", {}) is None
    assert credential("pgpassword", {"CREDENTIALS_DIRECTORY": str(tmp_path)}) is None
    assert credential("pgpassword", {"CREDENTIALS_DIRECTORY": str(tmp_path / "absent")}) is None


def test_a_credential_that_is_no_text_is_named_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "pgpassword").write_bytes(b"secret\xff")

    with pytest.raises(ConfigError, match="UTF-8") as raised:
        credential("pgpassword", {"CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert str(tmp_path / "pgpassword") in str(raised.value)
    assert "secret" not in str(raised.value)
    assert raised.value.__suppress_context__


def test_a_credential_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pgpassword").mkdir()

    with pytest.raises(RefusedError, match="pgpassword"):
        credential("pgpassword", {"CREDENTIALS_DIRECTORY": str(tmp_path)})


@needs_systemd_analyze
@pytest.mark.parametrize("unit", UNIT_NAMES)
def test_systemd_finds_no_fault_in_the_unit(unit: str, tmp_path: Path) -> None:
    # With a program that exists here; that /opt/syncd does not is no fault of the unit.
    text = (UNITS / unit).read_text().replace("/opt/syncd/bin/syncd", "/bin/true")
    (tmp_path / unit).write_text(text)

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_systemd_analyze
@pytest.mark.parametrize("unit", UNIT_NAMES)
def test_the_unit_exposes_little(unit: str) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=15", str(UNITS / unit)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Overall exposure level" in done.stdout


def settings(unit: str) -> list[str]:
    lines = (UNITS / unit).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_the_template_differs_in_what_is_named_after_the_instance_only() -> None:
    plain, template = settings("syncd.service"), settings("syncd@.service")

    assert len(plain) == len(template)
    assert [(one, other) for one, other in zip(plain, template, strict=True) if one != other] == [
        (
            "Description=Copy of a live SQLite database in PostgreSQL (syncd)",
            "Description=Copy of a live SQLite database in PostgreSQL (syncd, %i)",
        ),
        (
            "ExecStart=/opt/syncd/bin/syncd -c /etc/syncd/syncd.ini --log-format journal run",
            "ExecStart=/opt/syncd/bin/syncd -c /etc/syncd/%i.ini --log-format journal run",
        ),
        ("StateDirectory=syncd", "StateDirectory=syncd-%i"),
        ("LoadCredential=pgpassword:/etc/syncd/pgpassword", "LoadCredential=pgpassword:/etc/syncd/%i.pgpassword"),
    ]


@pytest.mark.parametrize("unit", UNIT_NAMES)
def test_the_unit_stays_down_where_a_restart_cannot_help(unit: str) -> None:
    assert "RestartPreventExitStatus=2 4 5 77 78" in settings(unit)
