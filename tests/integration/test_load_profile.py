"""`syncd load --profile`: what it measures is there, adds up, and names what bounds the load."""

import json
from dataclasses import replace

import pytest

from syncd.engine import load as loading
from syncd.engine.bound import Bound, Share, judge
from syncd.engine.looking import looking_on
from syncd.engine.profiling import LoadProfile, Profile
from syncd.engine.progress import Silent, Step
from syncd.target.database import connect
from tests.plugins.cli import RunSyncd
from tests.plugins.moving import MakeMove, Move
from tests.plugins.proxy import OpenProxy

MANY = "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
SOURCE = f"""
CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent (id), name TEXT UNIQUE);
INSERT INTO parent {MANY} SELECT i, 'name ' || i FROM n;
INSERT INTO child {MANY} SELECT i, i, 'name ' || i FROM n;
"""
ONE_WORKER = "[sync]\nworkers = 1\n"


def profiled(move: Move) -> LoadProfile:
    with move.opened() as sides:
        profile = Profile(Silent(), sides.config.sync.workers)
        with looking_on(profile, lambda: connect(sides.target)):
            loading.load(sides, profile)
            return profile.report()


def test_a_load_renders_copies_builds_keys_and_commits(make_move: MakeMove) -> None:
    found = {table.table: table.spent for table in profiled(make_move(SOURCE)).tables}
    assert found.keys() == {"parent", "child"}
    for spent in found.values():
        assert {step for step, one in spent.items() if one.seconds > 0} >= {
            Step.RENDER,
            Step.COPY,
            Step.INDEX,
            Step.COMMIT,
            Step.WAIT,
        }
        assert spent[Step.RENDER].cpu > 0


def test_foreign_keys_are_part_of_the_index_time_of_their_table(make_move: MakeMove) -> None:
    profile = profiled(make_move(SOURCE))
    assert profile.alone[Step.INDEX].seconds > 0
    child = next(table for table in profile.tables if table.table == "child")
    assert child.spent[Step.INDEX].seconds > profile.alone[Step.INDEX].seconds / 2


def test_what_merges_into_a_table_that_was_there_is_measured_apart_from_its_copy(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO item VALUES (1, 'one'), (2, 'two')",
        "CREATE TABLE item (id bigint PRIMARY KEY, name text); INSERT INTO item VALUES (1, 'old')",
    )
    (item,) = profiled(move).tables
    assert item.spent[Step.COPY].seconds > 0 and item.spent[Step.MERGE].seconds > 0


def test_the_parts_of_one_worker_add_up_to_the_time_in_which_it_was_at_work(make_move: MakeMove) -> None:
    move = make_move(SOURCE)
    move.configure(ONE_WORKER)
    profile = profiled(move)
    assert profile.workers == 1
    # It waits for nobody: between two parts there is no more than what the machine takes away.
    assert 0.5 * profile.crew_seconds < profile.busy < profile.crew_seconds + 0.001


@pytest.mark.parametrize("workers", [1, 4])
def test_the_shares_add_up_to_the_load(make_move: MakeMove, workers: int) -> None:
    move = make_move(SOURCE)
    move.configure(f"[sync]\nworkers = {workers}\n")
    profile = profiled(move)
    shares = judge(profile).shares
    assert min(shares.values()) >= 0
    assert sum(shares.values()) == pytest.approx(profile.seconds, rel=0.1)


def test_a_slow_way_to_the_target_is_what_bounds_the_load(make_move: MakeMove, proxy: OpenProxy) -> None:
    move = make_move(SOURCE)
    move.configure(ONE_WORKER)
    slow = proxy(move.dsn)
    slow.slow_down(0.05)
    with move.opened() as sides:
        # The plan is made by the straight way, the rows go by the slow one.
        profile = Profile(Silent(), 1)
        there = replace(sides, target=replace(sides.target, dsn=slow.dsn()))
        with looking_on(profile, lambda: connect(sides.target)):
            loading.load(there, profile)
            found = profile.report()
    judged = judge(found, processors=2)
    assert judged.bound is Bound.POSTGRESQL
    assert judged.shares[Share.POSTGRESQL] > found.seconds / 2
    assert "the way between is slow" in judged.because
    assert any("workers = 2" in advice for advice in judged.advice)


def test_the_command_prints_it_as_tables_and_as_json(run_syncd: RunSyncd, make_move: MakeMove) -> None:
    move = make_move(SOURCE)
    sides = ("--source", str(move.source), "--target", move.dsn)
    printed = run_syncd("load", "--profile", *sides)
    assert printed.returncode == 0, printed.stderr
    assert "seconds of workers" in printed.stdout and "What bounds it:" in printed.stdout
    assert "profile_incomplete" not in printed.stderr
    move.reset()
    document = json.loads(run_syncd("load", "--profile", "--json", *sides).stdout)["profile"]
    assert {table["table"] for table in document["tables"]} == {"parent", "child"}
    assert document["bound"] in {bound.lower() for bound in Bound}
    assert document["batches"] >= 2


def test_it_goes_with_no_other_kind_of_load(run_syncd: RunSyncd) -> None:
    assert run_syncd("load", "--profile", "--dry-run", "--source", "no.db").returncode == 2
