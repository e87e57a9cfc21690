"""The test plugins do what they promise."""

import select
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.plugins.cli import RunSyncd, StartSyncd
from tests.plugins.postgres import PASSWORD, OwnServer, wait_until_caught_up
from tests.plugins.proxy import OpenProxy
from tests.plugins.source import MakeSource, OpenWriter


def test_each_database_is_new_and_empty(database: str) -> None:
    with closing(psycopg.connect(database)) as connection:
        tables = connection.execute("SELECT 1 FROM pg_class WHERE relnamespace = 'public'::regnamespace").fetchall()
    assert tables == []


def test_the_guarded_role_needs_its_password(password_dsn: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(password_dsn)
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(password_dsn, password="wrong")
    with closing(psycopg.connect(password_dsn, password=PASSWORD)) as connection:
        connection.execute("CREATE SCHEMA mine")


def test_a_paused_server_hangs_until_it_is_resumed(own_server: OwnServer) -> None:
    with closing(psycopg.connect(own_server.dsn(), autocommit=True)) as connection:
        own_server.pause()
        with pytest.raises(psycopg.errors.ConnectionTimeout):
            psycopg.connect(own_server.dsn(), connect_timeout=2)
        own_server.resume()
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_crashed_server_keeps_its_port_and_its_rows(own_server: OwnServer) -> None:
    own_server.execute("CREATE TABLE kept AS SELECT 1 AS one")
    own_server.restart("immediate")
    own_server.execute("SELECT one FROM kept")
    with closing(psycopg.connect(own_server.socket_dsn())) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_a_standby_follows_and_is_read_only(own_server: OwnServer, standby: OwnServer) -> None:
    own_server.execute("CREATE TABLE followed (one int)")
    wait_until_caught_up(own_server, standby)
    standby.execute("SELECT one FROM followed")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        standby.execute("INSERT INTO followed VALUES (1)")


def test_a_proxy_cuts_now_and_lets_the_next_connection_pass(proxy: OpenProxy, database: str) -> None:
    between = proxy(database)
    with closing(psycopg.connect(between.dsn())) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == (connection.info.dbname,)
        between.cut_now()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    psycopg.connect(between.dsn()).close()


def test_a_proxy_cuts_in_the_middle_of_a_copy(proxy: OpenProxy, database: str) -> None:
    between = proxy(database)
    with closing(psycopg.connect(between.dsn(database), autocommit=True)) as connection:
        connection.execute("CREATE TABLE item (body text)")
        between.cut_after_bytes(100_000)
        with (
            pytest.raises(psycopg.OperationalError),
            connection.cursor() as cursor,
            cursor.copy("COPY item FROM STDIN") as copy,
        ):
            for _ in range(100_000):
                copy.write(b"x" * 100 + b"\n")
        between.wait_until_cut()
    with closing(psycopg.connect(between.dsn())) as connection:
        assert connection.execute("SELECT count(*) FROM item").fetchone() == (0,)


@pytest.mark.parametrize(("after", "rows"), [(True, 1), (False, 0)])
def test_a_proxy_loses_a_commit_or_its_answer(proxy: OpenProxy, database: str, after: bool, rows: int) -> None:
    between = proxy(database)
    with closing(psycopg.connect(between.dsn())) as connection:
        connection.execute("CREATE TABLE item (id int)")
        connection.commit()
        connection.execute("INSERT INTO item VALUES (1)")
        between.cut_on(b"COMMIT", after=after)
        with pytest.raises(psycopg.OperationalError):
            connection.commit()
    between.wait_until_cut()
    with closing(psycopg.connect(between.dsn())) as connection:
        assert connection.execute("SELECT count(*) FROM item").fetchone() == (rows,)


def test_a_stalled_proxy_holds_answers_back(proxy: OpenProxy, database: str) -> None:
    between = proxy(database)
    with closing(psycopg.connect(between.dsn(), autocommit=True)) as connection:
        between.stall()
        with pytest.raises(psycopg.errors.ConnectionTimeout):
            psycopg.connect(between.dsn(), connect_timeout=2)
        connection.pgconn.send_query(b"SELECT 1")
        assert not select.select([connection.fileno()], [], [], 0.3)[0]
        between.resume()
        assert select.select([connection.fileno()], [], [], 30)[0]


def test_a_writer_is_another_process_with_its_own_locks(make_source: MakeSource, open_writer: OpenWriter) -> None:
    path = make_source("CREATE TABLE item (id INTEGER PRIMARY KEY, body)")
    first, second = open_writer(path), open_writer(path, busy_seconds=0)
    first.executemany("INSERT INTO item (body) VALUES (?)", [("a",), (b"\0",), (None,)])
    assert second.execute("SELECT body FROM item") == [("a",), (b"\0",), (None,)]
    first.begin("EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        second.begin()
    first.kill9()
    with second.transaction():
        second.execute("DELETE FROM item")
    assert second.execute("SELECT count(*) FROM item") == [(0,)]


def test_a_statement_can_wait_while_the_test_goes_on(make_source: MakeSource, open_writer: OpenWriter) -> None:
    path = make_source("CREATE TABLE item (id INTEGER PRIMARY KEY)", wal=False)
    first, second = open_writer(path), open_writer(path)
    first.begin()
    second.send("INSERT INTO item VALUES (1) RETURNING id")
    first.commit()
    assert second.receive() == [(1,)]


def test_a_source_is_made_once(make_source: MakeSource) -> None:
    make_source("CREATE TABLE item (id)")
    with pytest.raises(FileExistsError, match="Writer"):
        make_source("CREATE TABLE item (id)")


_STAND_IN = """
import os, sys, time
print("state in", os.environ["SYNCD_STATE_DIR"], *sys.argv[1:], flush=True)
if "wait" in sys.argv:
    print("waiting", file=sys.stderr, flush=True)
    time.sleep(600)
sys.exit(int("fail" in sys.argv))
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """A program in place of syncd: Python looks in the working folder first."""
    (tmp_path / "syncd").mkdir()
    (tmp_path / "syncd" / "__init__.py").touch()
    (tmp_path / "syncd" / "__main__.py").write_text(_STAND_IN)
    return tmp_path


def test_a_command_is_run_to_its_end(stand_in: Path, run_syncd: RunSyncd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCD_STATE_DIR", "/elsewhere")
    assert run_syncd("plan").stdout == f"state in {stand_in / 'state'} plan\n"
    assert run_syncd("plan", env={"SYNCD_STATE_DIR": "/given"}).stdout == "state in /given plan\n"
    assert run_syncd("fail").returncode == 1
    with pytest.raises(subprocess.TimeoutExpired):
        run_syncd("wait", timeout=1)


def test_a_daemon_is_started_watched_and_ended(stand_in: Path, start_syncd: StartSyncd) -> None:
    first, second = start_syncd("wait"), start_syncd("wait")
    first.wait_for("waiting")
    second.wait_for("waiting")
    assert first.returncode is None
    assert first.terminate() == -signal.SIGTERM
    second.kill9()
    assert second.returncode == -signal.SIGKILL
    with pytest.raises(AssertionError, match=r"no 'ready' \(exit -9\)"):
        second.wait_for("ready")
