"""Two sources that would go into tables of one name: told before a row of either is taken for one of the other."""

import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest

from tests.plugins.cli import RunSyncd, StartSyncd
from tests.plugins.patience import wait_until
from tests.plugins.source import MakeSource, OpenWriter

_FIRST = "CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT UNIQUE); INSERT INTO item VALUES (1, 'a'), (2, 'b');"
_SECOND = "CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT UNIQUE); INSERT INTO item VALUES (1, 'c'), (3, 'd');"
_THIRD = "CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT UNIQUE); INSERT INTO item VALUES (1, 'e'), (4, 'f');"


@dataclass(frozen=True)
class Pair:
    """Two files with a table of one name, of which the first is loaded. `config` is that of both."""

    first: Path
    second: Path
    dsn: str
    config: Path
    syncd: RunSyncd

    def sides(self, source: Path) -> tuple[str | Path, ...]:
        return ("-c", self.config, "--source", source, "--target", self.dsn)

    def run(self, source: Path, *words: str) -> tuple[int, str]:
        """The exit code, and all that was said."""
        ended = self.syncd(*words, *self.sides(source))
        return ended.returncode, ended.stdout + ended.stderr

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with closing(psycopg.connect(self.dsn, autocommit=True)) as connection:
            return connection.execute(query.encode()).fetchall()

    def change(self, script: str) -> None:
        with closing(psycopg.connect(self.dsn, autocommit=True)) as connection:
            connection.execute(script.encode())

    @property
    def items(self) -> list[tuple[Any, ...]]:
        return self.ask("SELECT id, v FROM item ORDER BY id")


@pytest.fixture
def pair(make_source: MakeSource, database: str, run_syncd: RunSyncd, tmp_path: Path) -> Pair:
    config = tmp_path / "both.ini"
    config.touch()
    made = Pair(make_source(_FIRST, "first.db"), make_source(_SECOND, "second.db"), database, config, run_syncd)
    assert made.run(made.first, "load")[0] == 0
    return made


def test_the_second_is_refused_and_told_what_to_do(pair: Pair) -> None:
    for words in (("check",), ("check", "--quick"), ("load",), ("run",)):
        code, said = pair.run(pair.second, *words)
        assert (code, f"{pair.first} goes into the target's table item as well" in said) == (4, True), said
    for way in ("[target] schema", "[table:item] target", "[sync] state_dir", "--accept-new-source"):
        assert way in pair.run(pair.second, "check")[1]
    assert pair.run(pair.second, "load", "--force")[0] == 1
    for command in ("sync", "sweep"):
        assert pair.run(pair.second, command)[0] == 4
    assert pair.run(pair.first, "sweep")[0] == 0
    assert pair.items == [(1, "a"), (2, "b")]


@pytest.mark.parametrize(
    ("ini", "items"),
    [("[target]\nschema = other\n", "other.item"), ("[table:item]\ntarget = second_item\n", "second_item")],
)
def test_tables_of_its_own_let_it_go_on(pair: Pair, ini: str, items: str) -> None:
    pair.change("CREATE SCHEMA other")
    pair.config.write_text(ini)
    assert pair.run(pair.second, "load")[0] == 0
    assert pair.run(pair.second, "sweep")[0] == 0
    pair.config.write_text("")
    assert pair.run(pair.first, "sweep")[0] == 0
    assert pair.items == [(1, "a"), (2, "b")]
    assert pair.ask(f"SELECT id, v FROM {items} ORDER BY id") == [(1, "c"), (3, "d")]


def test_a_source_takes_the_place_of_one_that_is_gone_for_good(pair: Pair, start_syncd: StartSyncd) -> None:
    daemon = start_syncd("run", *pair.sides(pair.first))
    daemon.wait_for("event=started")
    code, said = pair.run(pair.second, "load", "--accept-new-source")
    assert (code, f"{pair.first}: a syncd works on the source" in said) == (5, True)
    assert daemon.terminate() == 0

    assert pair.run(pair.second, "load", "--accept-new-source")[0] == 0
    assert pair.run(pair.second, "sweep")[0] == 0
    assert pair.items == [(1, "c"), (3, "d")]
    assert pair.run(pair.second, "verify")[0] == 0
    assert pair.run(pair.first, "load")[0] == 4
    assert pair.run(pair.second, "cutover", "--yes")[0] == 0
    assert pair.ask("SELECT count(*) FROM pg_constraint WHERE condeferrable") == [(0,)]


def test_a_file_that_was_moved_takes_its_own_place(pair: Pair, open_writer: OpenWriter) -> None:
    moved = pair.first.with_name("moved.db")
    moved.hardlink_to(pair.first)
    assert pair.run(moved, "load")[0] == 4
    pair.first.unlink()
    writer = open_writer(moved)
    writer.execute("DELETE FROM item WHERE id = 2")
    writer.close()
    code, said = pair.run(moved, "load")
    assert (code, f"{pair.first} goes into" in said, "--accept-new-source" in said) == (4, True, True), said
    assert pair.run(moved, "load", "--accept-new-source")[0] == 0
    assert pair.run(moved, "sweep")[0] == 0
    assert pair.run(moved, "verify")[0] == 0
    assert pair.items == [(1, "a")]
    assert pair.ask("SELECT bool_and(created) FROM syncd.checkpoint") == [(True,)]


def test_a_file_on_the_inode_of_one_that_is_gone_is_another_source(pair: Pair) -> None:
    heir = pair.first.rename(pair.first.with_name("heir.db"))
    heir.write_bytes(pair.second.read_bytes())
    assert pair.run(heir, "load")[0] == 4
    assert pair.items == [(1, "a"), (2, "b")]


class Race(Protocol):
    def __call__(self, hold: str, *words: str) -> tuple[Path, Path, str]: ...


@pytest.fixture
def race(pair: Pair, make_source: MakeSource, start_syncd: StartSyncd) -> Race:
    """Let two more sources run a command at once, from where both wait for what the statement `hold` locks.

    It returns the one that got the table, the other, and what was said of that.
    """
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    third = make_source(_THIRD, "third.db")

    def run(hold: str, *words: str) -> tuple[Path, Path, str]:
        with closing(psycopg.connect(pair.dsn)) as holder:
            holder.execute(hold.encode())
            running = {source: start_syncd(*words, *pair.sides(source)) for source in (pair.second, third)}
            wait_until(lambda: pair.ask(waiting) == [(2,)], "both wait")
            holder.rollback()
        codes = {source: syncd.wait() for source, syncd in running.items()}
        winner, loser = sorted(codes, key=lambda source: codes[source])
        assert codes[winner] == 0 < codes[loser], [syncd.stderr for syncd in running.values()]
        return winner, loser, running[loser].stdout + running[loser].stderr

    return run


@pytest.mark.parametrize("emptied", ["DROP TABLE item", "TRUNCATE item"])
def test_of_two_first_loads_at_once_one_stops_before_its_rows(pair: Pair, race: Race, emptied: str) -> None:
    pair.change(f"{emptied}; DELETE FROM syncd.source")
    winner, loser, said = race("LOCK TABLE syncd.checkpoint IN SHARE MODE", "load")
    assert f"{winner} goes into the target's table item as well" in said
    assert pair.run(winner, "verify")[0] == 0
    assert pair.run(loser, "load")[0] == 4


def test_of_two_that_take_one_place_at_once_one_gets_it(pair: Pair, race: Race) -> None:
    of_first = f"SELECT FROM syncd.source WHERE name = '{pair.first}' FOR UPDATE"
    winner, _, said = race(of_first, "load", "--accept-new-source")
    assert f"{winner} goes into the target's table item as well" in said
    assert pair.ask("SELECT detail FROM syncd.event WHERE event = 'table_forgotten'") == [(f"{winner} took its place",)]
    assert pair.run(winner, "sweep")[0] == 0
    assert pair.run(winner, "verify")[0] == 0


def test_what_an_older_release_loaded_counts_once_its_owner_starts_anew(pair: Pair) -> None:
    pair.change("ALTER TABLE syncd.source DROP COLUMN schema_name")
    assert pair.run(pair.second, "check", "--quick")[0] == 0
    assert pair.run(pair.first, "sync")[0] == 0
    assert pair.run(pair.second, "load")[0] == 4


def test_a_table_that_comes_later_stops_alone(
    pair: Pair, make_source: MakeSource, open_writer: OpenWriter, start_syncd: StartSyncd
) -> None:
    third = make_source("CREATE TABLE own (id INTEGER PRIMARY KEY)", "third.db")
    daemon = start_syncd("run", *pair.sides(third))
    daemon.wait_for("event=table_loaded")
    writer = open_writer(third)
    writer.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT UNIQUE)")
    daemon.wait_for("event=table_refused")
    writer.execute("INSERT INTO own VALUES (1)")
    wait_until(lambda: pair.ask("SELECT id FROM own") == [(1,)], "the other goes on")
    told = json.loads(pair.syncd("status", "--json", *pair.sides(third)).stdout)["tables"]
    assert {table["table"]: table["phase"] for table in told} == {"item": "stopped", "own": "catchup"}
    assert daemon.terminate() == 0
    assert pair.items == [(1, "a"), (2, "b")]
