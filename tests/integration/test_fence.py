"""The fence, beside writers in processes of their own."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from syncd.errors import NotReadyError, RefusedError, SourceBusyError, SourceError
from syncd.source.database import Database
from syncd.source.fence import Fence, confirm_quiet
from tests.plugins.source import MakeSource, OpenWriter

TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a')"

_PERSISTENT = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], timeout=0.05, isolation_level=None)
number, refused = 1, 0
while True:
    try:
        database.execute("INSERT INTO t VALUES (?, 'x')", (number + 1,))
    except sqlite3.OperationalError:
        refused += 1
        print("busy", flush=True)
        continue
    number += 1
    print(number, flush=True)
"""
_HOLDS_FENCE = """
import sys, time
from pathlib import Path
from syncd.source.fence import Fence
fence = Fence(Path(sys.argv[1]))
fence.take()
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture(params=[True, False], ids=["wal", "rollback"])
def source(make_source: MakeSource, request: pytest.FixtureRequest) -> Path:
    return make_source(TABLE, wal=request.param)


def test_a_writer_is_kept_out_and_loses_nothing(source: Path, open_writer: OpenWriter) -> None:
    writer = open_writer(source, busy_seconds=0)
    with closing(Fence(source)) as fence:
        fence.take()
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            writer.execute("INSERT INTO t VALUES (2, 'b')")
        assert writer.execute("SELECT id FROM t") == [(1,)]
        fence.release()
        writer.execute("INSERT INTO t VALUES (2, 'b')")

    assert writer.execute("SELECT id FROM t") == [(1,), (2,)]


def test_a_writer_that_retries_for_ever_goes_on_after_the_fence(source: Path) -> None:
    busy = subprocess.Popen([sys.executable, "-c", _PERSISTENT, source], stdout=subprocess.PIPE, text=True)
    assert busy.stdout is not None
    try:
        assert busy.stdout.readline()
        with closing(Fence(source)) as fence, closing(Database(source, busy_seconds=60)) as reader:
            fence.take()
            fence.prove()
            while busy.stdout.readline() != "busy\n":
                pass
            frozen = reader.connection.execute("SELECT count(*) FROM t").fetchall()
            for _ in range(10):
                assert busy.stdout.readline() == "busy\n"
            assert reader.connection.execute("SELECT count(*) FROM t").fetchall() == frozen
            fence.release()
            while not busy.stdout.readline()[:-1].isdigit():
                pass
    finally:
        busy.kill()
        said, _ = busy.communicate()
    last = max([int(line) for line in said.split() if line.isdigit()], default=0)
    with closing(sqlite3.connect(source)) as database:
        assert database.execute("SELECT count(*) FROM t").fetchone()[0] >= last


def test_a_second_process_proves_it(source: Path) -> None:
    with closing(Fence(source)) as fence:
        with pytest.raises(SourceError, match="could begin to write"):
            fence.prove()
        fence.take()
        fence.prove()


def test_the_proof_sees_that_locks_were_lost(make_source: MakeSource) -> None:
    """Any close of the file in the process that holds the fence takes its locks away."""
    source = make_source(TABLE, wal=False)
    with closing(Fence(source)) as fence:
        fence.take()
        source.read_bytes()

        assert fence.is_held
        with pytest.raises(SourceError, match="does not hold"):
            fence.prove()


def test_readers_of_the_same_process_do_not_end_it(source: Path) -> None:
    with closing(Fence(source)) as fence:
        fence.take()
        for _ in range(3):
            with closing(Database(source)) as reader, reader.transaction() as connection:
                assert connection.execute("SELECT id FROM t").fetchall() == [(1,)]
        fence.prove()


def test_a_transaction_that_stays_open_is_told(source: Path, open_writer: OpenWriter) -> None:
    writer = open_writer(source)
    writer.begin()
    with closing(Fence(source)) as fence:
        with pytest.raises(SourceBusyError, match="keeps a write transaction open"):
            fence.take(seconds=0.3)
        assert not fence.is_held
        writer.commit()
        fence.take()


def test_it_is_taken_as_soon_as_the_writer_commits(source: Path, open_writer: OpenWriter) -> None:
    writer = open_writer(source)
    writer.begin()
    with closing(Fence(source)) as fence:
        later = threading.Timer(0.3, writer.commit)
        later.start()
        assert 0.2 < fence.take(seconds=5) < 3
        # The lock is free before the writer has answered: its pipe must not be closed meanwhile.
        later.join()


def test_kill_9_releases_it(source: Path, open_writer: OpenWriter) -> None:
    holder = subprocess.Popen([sys.executable, "-c", _HOLDS_FENCE, source], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    writer = open_writer(source, busy_seconds=0)
    with pytest.raises(sqlite3.OperationalError):
        writer.execute("INSERT INTO t VALUES (2, 'b')")

    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()

    writer.execute("INSERT INTO t VALUES (2, 'b')")


def test_closing_leaves_the_log_alone(make_source: MakeSource, open_writer: OpenWriter) -> None:
    source = make_source(TABLE)
    writer = open_writer(source)
    writer.execute("INSERT INTO t VALUES (2, 'b')")
    log = source.with_name(f"{source.name}-wal")
    before = log.stat().st_size
    writer.kill9()

    with closing(Fence(source)) as fence:
        fence.take()

    assert log.stat().st_size == before > 0


def test_a_folder_that_may_not_be_written_to_is_refused(make_source: MakeSource) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    source = make_source(TABLE)
    source.parent.chmod(0o500)
    try:
        with pytest.raises(RefusedError, match="ReadWritePaths"):
            Fence(source)
    finally:
        source.parent.chmod(0o700)


def test_somebody_who_still_writes_is_seen(source: Path, open_writer: OpenWriter) -> None:
    writer = open_writer(source)
    with closing(Database(source)) as reader:
        confirm_quiet(reader, seconds=0.2)
        seen: list[NotReadyError] = []

        def watch() -> None:
            try:
                confirm_quiet(reader, seconds=5)
            except NotReadyError as error:
                seen.append(error)

        thread = threading.Thread(target=watch)
        thread.start()
        while thread.is_alive():
            writer.execute("UPDATE t SET v = v || 'b'")
            thread.join(0.02)
    assert [error.what for error in seen] == ["somebody still writes to the source"]
