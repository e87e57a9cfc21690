"""Rows that keep coming into compressed chunks: changed, deleted, late, and moved to another time."""

import threading
from contextlib import closing

import psycopg
import pytest

from syncd.engine.progress import Silent
from syncd.engine.verify import Asked, verify
from tests.plugins.moving import MakeMove, Move
from tests.plugins.patience import wait_until
from tests.plugins.shaping import BARS, SHAPED, kinds, shaped
from tests.plugins.verifying import full

pytestmark = pytest.mark.usefixtures("timescale")

NOTES = """
CREATE TABLE note (id INTEGER PRIMARY KEY, at DATE NOT NULL, text TEXT UNIQUE, updated_at DATETIME NOT NULL);
CREATE INDEX note_updated ON note (updated_at);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
INSERT INTO note SELECT i, date('2023-01-01', '+' || i || ' days'), 'note ' || i, '2024-06-01 00:00:00' FROM n;
"""
NOTES_SHAPED = """
[sync]
max_reject_ratio = 1
[hypertable:note]
time_column = at
chunk_interval = 6 months
compress_after = 30 days
"""


@pytest.fixture
def bars(make_move: MakeMove) -> Move:
    move = make_move(BARS)
    move.configure(SHAPED.partition("[aggregate")[0])
    move.load()
    shaped(move)
    assert uncompressed(move) == 0
    return move


@pytest.fixture
def notes(make_move: MakeMove) -> Move:
    move = make_move(NOTES)
    move.configure(NOTES_SHAPED)
    move.load()
    shaped(move)
    assert uncompressed(move) == 0
    return move


def uncompressed(move: Move) -> int:
    chunks = "timescaledb_information.chunks WHERE hypertable_schema = 'public' AND NOT is_compressed"
    return int(move.query(f"SELECT count(*) FROM {chunks}")[0][0])


def test_changed_and_late_rows_land_in_compressed_chunks(bars: Move) -> None:
    bars.write(
        "UPDATE bar SET close = close + 1 WHERE ticker = 'T3' AND date < '2023-03-01';"
        "INSERT INTO bar VALUES ('T9', '2023-01-15', 7, 7), ('T9', '2019-12-31', 8, 8);"
    )

    bars.sweep()

    assert full(bars).found == 0
    assert bars.query("SELECT close FROM bar WHERE ticker = 'T9' ORDER BY date") == [(8,), (7,)]
    shaped(bars)
    assert uncompressed(bars) == 0


def test_deleted_rows_vanish_from_compressed_chunks(bars: Move) -> None:
    bars.write(
        "DELETE FROM bar WHERE ticker = 'T2' AND date BETWEEN '2023-02-10' AND '2023-09-10';"
        "DELETE FROM bar WHERE date = '2024-05-05'; DELETE FROM bar WHERE ticker = 'T8' AND date = '2023-01-01';"
    )

    report = bars.sweep()

    assert report.as_pass.applied.deleted == 222
    assert full(bars).found == 0


def test_every_row_of_a_compressed_chunk_may_change_at_once(bars: Move) -> None:
    bars.write("UPDATE bar SET volume = volume + 1")

    bars.sweep()

    assert full(bars).found == 0


def test_a_row_whose_time_changes_leaves_none_behind(notes: Move) -> None:
    notes.write("UPDATE note SET at = '2024-01-20', updated_at = '2024-07-01 00:00:00' WHERE id IN (5, 250)")

    notes.catch_up()

    assert notes.query("SELECT id, at::text FROM note WHERE id IN (5, 250) ORDER BY 1") == [
        (5, "2024-01-20"),
        (250, "2024-01-20"),
    ]
    assert notes.query("SELECT count(*) FROM note") == [(400,)]


def test_a_move_that_no_mark_shows_is_found_by_the_sweep(notes: Move) -> None:
    notes.write("UPDATE note SET at = '2021-01-20' WHERE id = 7; DELETE FROM note WHERE id = 8")

    notes.sweep()

    assert notes.query("SELECT id, at::text FROM note WHERE id IN (7, 8)") == [(7, "2021-01-20")]
    assert full(notes).found == 0


def test_a_key_without_the_time_is_widened_and_what_cannot_be_unique_is_told(notes: Move) -> None:
    with notes.opened() as sides:
        there = sides.look_at_target()
        with sides.source.transaction() as connection:
            (plan,) = sides.plan(connection, there).tables

    assert plan.key == ("id", "at")
    assert [skipped.name for skipped in plan.not_carried] == ["note.note_id_key", "note.note_text_key"]
    assert all("hold its time column, at" in skipped.reason for skipped in plan.not_carried)


def test_rows_without_a_time_are_rejected(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE note (id INTEGER PRIMARY KEY, at DATE);"
        "INSERT INTO note VALUES (1, '2024-01-01'), (2, NULL), (3, '2024-01-03');"
    )
    move.configure(NOTES_SHAPED)

    move.load()

    assert move.refused() == [("2", "not null", "at")]
    assert move.query("SELECT count(*) FROM note") == [(2,)]


def test_times_may_be_whole_numbers(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE note (id INTEGER PRIMARY KEY, at INTEGER NOT NULL);"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)"
        "INSERT INTO note SELECT i, 1672531200000 + i * 86400000 FROM n;"
    )
    query = "SELECT time_bucket(2592000000::bigint, at) AS month, count(*) AS notes FROM note GROUP BY 1"
    move.configure(NOTES_SHAPED + f"[aggregate:monthly]\nquery = {query}\n")
    move.load()

    report = shaped(move)

    assert ("chunks", "note") in kinds(report)
    assert [len(step.statements) for step in report.steps if str(step.kind) == "refresh"] == [1]
    assert move.query("SELECT sum(notes) FROM monthly") == [(400,)]
    assert uncompressed(move) == 0
    late = move.query("SELECT extract(epoch FROM now()) - note_now() / 1000.0")[0][0]
    assert abs(late) < 60
    assert kinds(shaped(move)) == []
    assert full(move).found == 0


WAITS = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'ExclusiveLock'"


class Decompressing(Silent):
    """Another session that decompresses every chunk as soon as the comparison has begun."""

    def __init__(self, move: Move) -> None:
        self._move = move
        self._others = threading.Thread(target=self._decompress)

    def table_started(self, table: str, rows: int) -> None:
        super().table_started(table, rows)
        self._others.start()
        wait_until(
            lambda: not self._others.is_alive() or self._move.query(WAITS) != [(0,)], "it decompresses, or waits"
        )

    def _decompress(self) -> None:
        with closing(psycopg.connect(self._move.dsn, autocommit=True)) as connection:
            connection.execute("SELECT decompress_chunk(chunk) FROM show_chunks('bar') AS chunk")

    def join(self) -> None:
        self._others.join()


@pytest.mark.parametrize("sync", [True, False])
def test_chunks_stand_still_while_one_state_of_them_is_compared(bars: Move, *, sync: bool) -> None:
    progress = Decompressing(bars)

    with bars.opened() as sides:
        report = verify(sides, Asked("full", sync=sync), progress)
    progress.join()

    (table,) = report.tables
    assert (report.found, table.source_rows, table.target_rows, table.compared) == (0, 5840, 5840, 5840)
    assert uncompressed(bars) >= 4
