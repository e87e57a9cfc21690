"""The command line at work, run as users run it."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.plugins.cli import RunSyncd, StartSyncd
from tests.plugins.postgres import PASSWORD
from tests.plugins.source import MakeSource, OpenWriter

SHOP = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customer (id), due DATE);
INSERT INTO customer VALUES (1, 'Ada'), (2, 'Grace');
INSERT INTO orders VALUES (1, 1, '2024-02-29'), (2, 2, NULL);
"""


@pytest.fixture
def shop(make_source: MakeSource) -> Path:
    return make_source(SHOP)


@pytest.fixture
def shop_with_rejects(make_source: MakeSource, database: str) -> Path:
    """Four of six orders have a date that the target's column cannot hold."""
    with closing(psycopg.connect(database, autocommit=True)) as connection:
        connection.execute("CREATE TABLE orders (id bigint PRIMARY KEY, customer bigint, due date)")
    rows = "".join(f"INSERT INTO orders VALUES ({id}, 1, 'soon');" for id in range(3, 7))  # noqa: A001
    return make_source(SHOP + rows)


def rows(database: str, query: str) -> list[tuple[object, ...]]:
    with closing(psycopg.connect(database)) as connection:
        return connection.execute(query.encode()).fetchall()


def test_load_then_sync_then_verify(run_syncd: RunSyncd, shop: Path, database: str, open_writer: OpenWriter) -> None:
    sides = ("--source", shop, "--target", database)
    loaded = run_syncd("load", *sides)
    assert loaded.returncode == 0, loaded.stderr
    assert [line.split()[:3] for line in loaded.stdout.splitlines()[1:]] == [
        ["customer", "2", "2"],
        ["orders", "2", "2"],
        ["total", "4", "4"],
    ]
    open_writer(shop).execute("INSERT INTO orders VALUES (3, 1, NULL)")
    synced = run_syncd("sync", *sides)
    assert synced.returncode == 0, synced.stderr
    assert synced.stdout.splitlines()[1].split()[:2] == ["orders", "1"]
    again = run_syncd("sync", *sides)
    assert (again.returncode, again.stdout) == (0, "") and "nothing to do" in again.stderr
    verified = run_syncd("verify", *sides)
    assert verified.returncode == 0 and "no difference, verified by full" in verified.stdout


def test_load_takes_chosen_tables_and_the_rest_later(run_syncd: RunSyncd, shop: Path, database: str) -> None:
    sides = ("--source", shop, "--target", database)
    assert "orders" not in run_syncd("load", "--tables", "customer", *sides).stdout
    assert "customer" not in run_syncd("load", "--resume", *sides).stdout
    assert rows(database, "SELECT count(*) FROM orders") == [(2,)]
    nothing = run_syncd("load", *sides)
    assert (nothing.returncode, nothing.stdout) == (0, "") and "every table is loaded" in nothing.stderr


def test_an_unknown_table_is_told_with_those_there_are(run_syncd: RunSyncd, shop: Path, database: str) -> None:
    refused = run_syncd("load", "--tables", "custumer", "--source", shop, "--target", database)
    assert refused.returncode == 78
    assert "custumer" in refused.stderr and "customer, orders" in refused.stderr


def test_a_dry_run_needs_no_target_and_writes_nothing(run_syncd: RunSyncd, shop: Path, tmp_path: Path) -> None:
    dry = run_syncd("load", "--dry-run", "--source", shop, "--target", "host=/nowhere")
    assert dry.returncode == 0, dry.stderr
    assert "total" in dry.stdout and "Nothing was written" in dry.stdout
    assert not (tmp_path / "state").exists()


def test_every_result_is_also_one_json_document(run_syncd: RunSyncd, shop: Path, database: str) -> None:
    def document(*words: str) -> dict[str, object]:
        ended = run_syncd(*words, "--json", "--source", shop, "--target", database)
        assert ended.returncode == 0, ended.stderr
        found = json.loads(ended.stdout)
        assert isinstance(found, dict)
        return found

    assert document("load", "--dry-run").keys() == {"with_target", "tables", "total", "estimated_load_seconds"}
    assert document("load").keys() == {"tables", "total", "stopped"}
    assert document("sync").keys() == {"tables", "total", "stopped", "not_loaded"}
    told = {"source", "target", "owner", "last_verify", "tables", "controls", "daemon", "cutover", "timescale"}
    assert document("status").keys() == told
    assert document("verify").keys() == {"mode", "seconds", "found", "repaired", "tables", "differences"}
    assert document("rejects", "list") == {"rejects": []}
    assert document("rejects", "replay")["rejects_after"] == 0


def test_status_before_and_after_the_load_and_beside_a_daemon(
    run_syncd: RunSyncd, start_syncd: StartSyncd, shop: Path, database: str
) -> None:
    sides = ("--source", shop, "--target", database)
    before = run_syncd("status", *sides)
    assert before.returncode == 0 and "syncd load" in before.stderr
    daemon = start_syncd("run", *sides)
    daemon.wait_for("orders: loaded")
    during = json.loads(run_syncd("status", "--json", *sides).stdout)
    assert during["owner"] == "running"
    assert run_syncd("sync", *sides).returncode == 0
    assert daemon.terminate() == 0
    after = run_syncd("status", *sides)
    assert "syncd   not running" in after.stdout and "tables  2: 2 in catchup" in after.stdout


def test_a_watched_status_off_a_terminal_is_printed_again_and_again(
    start_syncd: StartSyncd, shop: Path, database: str
) -> None:
    watch = start_syncd("status", "--watch", "--json", "--source", shop, "--target", database)
    watch.wait_for("\n")
    watch.signal(signal.SIGINT)
    assert watch.wait() == 130
    assert json.loads(watch.stdout.splitlines()[0])["owner"] == "none"
    assert watch.stderr.strip() == ""


def test_verify_exits_3_and_names_what_differs(run_syncd: RunSyncd, shop: Path, database: str) -> None:
    sides = ("--source", shop, "--target", database)
    unloaded = run_syncd("verify", "--no-sync", *sides)
    assert unloaded.returncode == 4 and "nothing is loaded yet" in unloaded.stderr
    run_syncd("load", *sides)
    with closing(psycopg.connect(database, autocommit=True)) as connection:
        connection.execute("UPDATE customer SET name = 'Eve' WHERE id = 2")
    different = run_syncd("verify", *sides)
    assert different.returncode == 3
    assert re.search(r"customer +different +2 +name +\S.* Eve\n", different.stdout)
    assert run_syncd("load", "--validate-only", *sides).returncode == 3
    assert run_syncd("verify", "--mode", "counts", "--tables", "customer", *sides).returncode == 0
    assert run_syncd("verify", "--tables", "orders", *sides).returncode == 0
    repaired = run_syncd("verify", "--repair", *sides)
    assert repaired.returncode == 0 and "1 row repaired" in repaired.stdout
    assert json.loads(run_syncd("status", "--json", *sides).stdout)["last_verify"]["differences"] == 0
    assert run_syncd("verify", "--repair", "--no-sync", *sides).returncode == 2


def test_a_stopped_table_is_exit_1_also_the_next_time(
    run_syncd: RunSyncd, shop_with_rejects: Path, database: str
) -> None:
    sides = ("--source", shop_with_rejects, "--target", database)
    loaded = run_syncd("load", "--force", *sides)
    assert loaded.returncode == 1
    assert "orders stopped: 4 of 6 rows were rejected" in loaded.stdout
    assert "4 rows rejected and kept: syncd rejects list" in loaded.stdout
    again = run_syncd("load", "--force", *sides)
    assert again.returncode == 1 and "orders stopped" in again.stdout


def test_rejects_are_listed_shown_replayed_and_discarded(
    run_syncd: RunSyncd, shop_with_rejects: Path, database: str, open_writer: OpenWriter, tmp_path: Path
) -> None:
    (tmp_path / "app.ini").write_text("[sync]\nmax_reject_ratio = 1\n")
    sides = ("-c", "app.ini", "--source", shop_with_rejects, "--target", database)

    def rejects(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        ended = run_syncd("rejects", *words, *sides)
        assert ended.returncode == code, ended.stderr
        return ended

    assert "nothing is loaded yet" in rejects("list").stderr
    run_syncd("load", *sides)
    assert rejects("list").stdout.splitlines()[1].split() == ["orders", "value", "due", "4", "3", "4", "5"]
    assert len(rejects("list", "--all", "--table", "ORDERS").stdout.splitlines()) == 5
    assert "There are: customer, orders" in rejects("list", "--table", "nope", code=2).stderr
    assert '"soon"' in rejects("show", "orders", "3").stdout
    assert "no such reject: 1" in rejects("show", "orders", "1", code=1).stderr
    open_writer(shop_with_rejects).execute("UPDATE orders SET due = '2024-01-01' WHERE id = 3")
    assert rejects("replay", "--table", "orders").stdout.endswith("4 rejects before, 3 now\n")
    assert "add --yes" in rejects("discard", "orders", "4", code=2).stderr
    assert "no such reject: 99" in rejects("discard", "orders", "4", "99", "--yes", code=1).stderr
    assert rejects("discard", "orders", "4", "--yes").stdout == "1 reject discarded\n"
    assert rejects("discard", "orders", "--all", "--yes").stdout == "2 rejects discarded\n"
    assert rejects("list").stdout == ""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_lets_a_load_finish_its_batches_and_go_on_later(
    run_syncd: RunSyncd,
    start_syncd: StartSyncd,
    make_source: MakeSource,
    database: str,
    tmp_path: Path,
    number: signal.Signals,
    code: int,
) -> None:
    large = make_source(
        "CREATE TABLE first (id INTEGER PRIMARY KEY); CREATE TABLE item (id INTEGER PRIMARY KEY, body TEXT);"
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200000)"
        " INSERT INTO item SELECT i, 'body ' || i FROM n;"
    )
    (tmp_path / "app.ini").write_text("[sync]\nbatch_rows = 50\n")
    sides = ("-c", "app.ini", "--source", large, "--target", database)
    loading = start_syncd("load", *sides)
    loading.wait_for("first: loaded")
    loading.signal(number)
    assert loading.wait() == code
    assert loading.stderr.endswith("stopped; syncd load goes on from here\n")
    [(landed,)] = rows(database, "SELECT count(*) FROM item")
    assert isinstance(landed, int) and landed < 200_000
    (tmp_path / "app.ini").write_text("")
    assert run_syncd("load", *sides).returncode == 0
    assert rows(database, "SELECT count(*), count(DISTINCT id) FROM item") == [(200_000, 200_000)]


def test_the_password_comes_from_wherever_it_is_kept(
    run_syncd: RunSyncd, shop: Path, password_dsn: str, tmp_path: Path
) -> None:
    parts = conninfo_to_dict(password_dsn)
    (tmp_path / "pw").write_text(f"{PASSWORD}\n")
    (tmp_path / "pw").chmod(0o600)
    (tmp_path / "app.ini").write_text("[target]\npassword_file = pw\n")
    target = ("status", "--source", shop, "--target", password_dsn)
    flags = [str(word) for name in ("host", "port", "user") for word in (f"--pg-{name}", parts[name])]
    flags += ["--pg-database", str(parts["dbname"])]
    assert run_syncd(*target, env={"PGPASSWORD": PASSWORD}).returncode == 0
    assert run_syncd(*target, "-c", "app.ini").returncode == 0
    assert run_syncd("status", "--source", shop, *flags, env={"PGPASSWORD": PASSWORD}).returncode == 0
    visible = run_syncd("status", "--source", shop, *flags, "--pg-password", PASSWORD)
    assert visible.returncode == 0 and "can see --pg-password" in visible.stderr
    wrong = run_syncd(*target, env={"PGPASSWORD": "wrong-and-secret"})
    assert wrong.returncode == 77
    for ended in (visible, wrong):
        assert PASSWORD not in ended.stderr and "wrong-and-secret" not in ended.stderr


def test_without_a_target_a_server_of_its_own_runs_for_the_command(
    run_syncd: RunSyncd, shop: Path, tmp_path: Path
) -> None:
    loaded = run_syncd("load", "--source", shop)
    assert loaded.returncode == 0, loaded.stderr
    assert "the PostgreSQL that comes along" in loaded.stderr
    assert not list(tmp_path.rglob("postmaster.pid"))
    assert json.loads(run_syncd("status", "--json", "--source", shop).stdout)["tables"][0]["phase"] == "catchup"


def test_a_target_that_is_away_is_exit_75(run_syncd: RunSyncd, shop: Path, tmp_path: Path) -> None:
    away = run_syncd("status", "--source", shop, "--target", f"host={tmp_path} user=nobody")
    assert away.returncode == 75
    assert "This may pass by itself" in away.stderr and "Traceback" not in away.stderr


def test_a_reader_that_leaves_early_is_no_fault(shop: Path, database: str) -> None:
    command = [sys.executable, "-m", "syncd", "status", "--source", str(shop), "--target", database]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as ended:
        assert ended.stdout and ended.stderr
        ended.stdout.close()
        assert ended.stderr.read() == ""
    assert ended.returncode == 1


def _on_a_terminal(words: Sequence[str | Path], environment: dict[str, str], answer: bytes = b"") -> tuple[int, str]:
    """Run syncd on a terminal of its own; its exit code, and all that it wrote there."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-m", "syncd", *map(str, words)], environment)
    written = b""
    with open(terminal, "r+b", buffering=0) as screen:  # noqa: PTH123 - a descriptor
        while True:
            try:
                piece = screen.read(65536)
            except OSError:  # Linux says so when the other end is closed
                break
            if not piece:
                break
            written += piece
            if answer and b"[y/N]" in written:
                screen.write(answer)
                answer = b""
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), written.decode()


def test_a_terminal_shows_bars_while_it_loads_and_the_table_at_the_end(
    make_source: MakeSource, database: str, tmp_path: Path
) -> None:
    source = make_source(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, body TEXT);"
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 60000)"
        " INSERT INTO item SELECT i, 'body' FROM n;"
    )
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "SYNCD_STATE_DIR": str(tmp_path / "state")}
    code, written = _on_a_terminal(["load", "--source", source, "--target", database], environment)
    assert code == 0, written
    assert "of 60,000" in written and "rows/s" in written
    assert "60,000   60,000" in written
    assert "table_loaded" not in written
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")


def test_discard_asks_on_a_terminal(
    run_syncd: RunSyncd, shop_with_rejects: Path, database: str, tmp_path: Path
) -> None:
    sides = ("--source", shop_with_rejects, "--target", database)
    run_syncd("load", "--force", *sides)
    environment = {**os.environ, "TERM": "xterm", "SYNCD_STATE_DIR": str(tmp_path / "state")}
    words = ("rejects", "discard", "orders", "--all", *sides)
    code, written = _on_a_terminal(words, environment, b"n\n")
    assert code == 1 and "Give up 4 rows of orders for good?" in written and "nothing was discarded" in written
    code, written = _on_a_terminal(words, environment, b"y\n")
    assert code == 0 and "4 rejects discarded" in written
