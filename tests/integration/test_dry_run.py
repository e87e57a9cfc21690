"""The dry run: what it finds is what a load does, and nothing of it stays."""

import json
from pathlib import Path
from typing import Any

import pytest

from syncd.engine import trying
from syncd.engine.dryrun import DryRunReport, DryRunTable, dry_run
from syncd.engine.progress import Silent
from syncd.engine.sides import Ownership, opened
from syncd.target import trial
from syncd.target.database import Target
from tests.plugins.cli import RunSyncd
from tests.plugins.moving import MakeMove, Move

SHOP = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customer (id), code TEXT, due, amount NUMERIC);
INSERT INTO customer VALUES (1, 'Ada'), (2, 'Grace'), (3, NULL);
INSERT INTO orders VALUES (1, 1, 'a', '2024-02-29', 1.5), (2, 2, 'b', 'soon', 2), (3, 9, 'c', NULL, 3),
    (4, 1, 'a', NULL, 4), (5, 1, 'd', NULL, -5), (6, 2, CAST(X'FF' AS TEXT), NULL, 6);
"""
TARGET = """
CREATE SEQUENCE numbers;
CREATE TABLE customer (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE orders (serial bigint PRIMARY KEY DEFAULT nextval('numbers'), id bigint NOT NULL UNIQUE,
    customer bigint REFERENCES customer (id), code varchar(3) UNIQUE, due date, amount numeric CHECK (amount > 0),
    doubled numeric GENERATED ALWAYS AS (amount * 2) STORED, noted timestamptz NOT NULL DEFAULT now());
"""
EVERYTHING = """
SELECT 'class', oid::text, relname, relfilenode::text FROM pg_class WHERE relkind <> 'i' OR relnamespace <> 99
UNION ALL SELECT 'namespace', oid::text, nspname, '' FROM pg_namespace
UNION ALL SELECT 'type', oid::text, typname, '' FROM pg_type
UNION ALL SELECT 'sequence', '', sequencename, coalesce(last_value::text, '') FROM pg_sequences ORDER BY 1, 2
"""


def tried(move: Move) -> DryRunReport:
    with move.opened() as sides:
        return dry_run(sides, Silent())


def table(report: DryRunReport, name: str) -> DryRunTable:
    return next(table for table in report.tables if table.table == name)


def found(report: DryRunReport, name: str) -> dict[tuple[str, str], list[str]]:
    """The keys of the examples by reason and column."""
    causes = table(report, name).causes
    return {(c.reason, c.column): [example.source_key for example in c.examples] for c in causes if not c.lands}


def test_it_finds_what_the_load_then_rejects(make_move: MakeMove) -> None:
    move = make_move(SHOP, TARGET)

    report = tried(move)

    assert found(report, "customer") == {("not null", "name"): ["3"]}
    assert found(report, "orders") == {
        ("value", "due"): ["2"],
        ("unique", "code"): ["4"],
        ("check", "amount"): ["5"],
        ("encoding", "code"): ["6"],
        ("orphan", "customer"): ["3"],
    }
    move.load()
    rejected = {(reason, column): [key] for key, reason, column in move.refused("orders")}
    assert rejected == found(report, "orders")


def test_a_table_that_is_created_takes_its_orphans_unless_keys_are_enforced(make_move: MakeMove) -> None:
    move = make_move(SHOP)

    report = tried(move)

    lost = [(cause.reason, cause.column, cause.rows) for cause in table(report, "orders").causes if cause.lands]
    assert lost == [("orphan", "customer", 1)]
    move.configure("[target]\nforeign_keys = enforce\n[sync]\nmax_reject_ratio = 1\n")
    assert found(tried(move), "orders")["orphan", "customer"] == ["3"]


def test_nothing_stays_in_the_target(make_move: MakeMove) -> None:
    move = make_move(SHOP, TARGET)
    before = move.query(EVERYTHING)

    with opened(move.config, Target(move.dsn), Ownership.NONE) as sides:
        dry_run(sides, Silent())

    assert move.query(EVERYTHING) == before
    assert move.query("SELECT count(*) FROM orders") == [(0,)]


def test_nothing_stays_beside_the_source(
    make_move: MakeMove, run_syncd: RunSyncd, tmp_path: Path, database: str
) -> None:
    move = make_move(SHOP, TARGET)
    before = sorted(tmp_path.iterdir())

    dry = run_syncd("load", "--dry-run", "--source", move.source, "--target", database)

    assert "would stop" in dry.stdout and dry.returncode == 1
    there = {path for path in tmp_path.iterdir() if not path.name.startswith("syncd-")}
    assert there - {Path(f"{move.source}-{end}") for end in ("wal", "shm")} == set(before)


def test_rows_beyond_one_trial_go_on_in_another(make_move: MakeMove, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_BYTES", 10_000)
    monkeypatch.setattr(trial, "_BYTES_WITH_KEYS", 10_000)
    move = make_move(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, due DATE); WITH RECURSIVE n(i) AS"
        " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)"
        " INSERT INTO t SELECT i, iif(i % 10000, '2024-02-29', '2024-02-30') FROM n;"
    )

    report = tried(move)

    assert table(report, "t").rows == 50_000
    assert table(report, "t").refused == 5
    move.execute("CREATE TABLE IF NOT EXISTS t (id bigint PRIMARY KEY, due date)")
    assert (table(tried(move), "t").rows, table(tried(move), "t").refused) == (50_000, 5)


def test_a_table_that_a_load_would_stop_is_told(make_move: MakeMove, run_syncd: RunSyncd, database: str) -> None:
    move = make_move(SHOP, "CREATE TABLE customer (id bigint PRIMARY KEY, other text NOT NULL);" + TARGET[-1:])

    dry = run_syncd("load", "--dry-run", "--json", "--source", move.source, "--target", database)

    assert dry.returncode == 1
    document = json.loads(dry.stdout)
    errors = {found["table"]: found["error"] for found in document["tables"]}
    assert "other" in errors["customer"]
    assert "more than max_reject_ratio" in errors["orders"]


def test_two_rows_of_one_key_are_told_as_in_a_load(make_move: MakeMove) -> None:
    move = make_move("CREATE TABLE t (a TEXT, b INTEGER); INSERT INTO t VALUES ('x', 1), ('x', 2), ('y', 3);")
    move.configure("[sync]\nmax_reject_ratio = 1\n[table:t]\nkey = a\n")

    assert found(tried(move), "t") == {("duplicate key", ""): ["1"]}


def test_on_conflict_fail_stops_the_table_here_as_well(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'a');",
        "CREATE TABLE t (id bigint PRIMARY KEY, code text UNIQUE)",
    )
    move.configure("[target]\non_conflict = fail\n")

    assert "t_code" in table(tried(move), "t").error or "duplicate key" in table(tried(move), "t").error


def test_without_a_target_the_source_alone_is_asked(make_move: MakeMove, run_syncd: RunSyncd, tmp_path: Path) -> None:
    move = make_move(SHOP)

    dry = run_syncd("load", "--dry-run", "--json", "--source", move.source, "--target", "host=/nowhere")
    never = run_syncd("load", "--dry-run", "--json", "--source", move.source)

    assert "only the source is asked" in dry.stderr and "only the source is asked" in never.stderr
    documents: list[dict[str, Any]] = [json.loads(dry.stdout), json.loads(never.stdout)]
    assert [document["with_target"] for document in documents] == [False, False]
    assert not (tmp_path / "state").exists()


def test_few_examples_are_kept_of_many_rejects(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); WITH RECURSIVE n(i) AS"
        " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO t SELECT i, 3000000000 + i FROM n;",
        "CREATE TABLE t (id bigint PRIMARY KEY, n integer)",
    )

    (cause,) = table(tried(move), "t").causes

    assert (cause.rows, len(cause.examples)) == (20_000, trying._EXAMPLES)
