"""A table that cannot go on stops alone."""

import json
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from syncd.service.counters import Counters
from tests.plugins.cli import RunSyncd
from tests.plugins.moving import MakeMove
from tests.plugins.source import MakeSource, OpenWriter

_TWO_TABLES = """
CREATE TABLE kept (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO kept VALUES (1, 'one');
CREATE TABLE lost (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO lost VALUES (1, 'one');
"""


def test_a_table_that_vanished_from_the_target_stops_and_the_others_go_on(
    make_source: MakeSource, open_writer: OpenWriter, database: str, run_syncd: RunSyncd
) -> None:
    source = make_source(_TWO_TABLES)
    sides = ("--source", str(source), "--target", database)
    assert run_syncd("load", *sides).returncode == 0
    with closing(psycopg.connect(database, autocommit=True)) as connection:
        connection.execute("DROP TABLE lost")
        writer = open_writer(source)
        writer.execute("INSERT INTO kept VALUES (2, 'two')")
        writer.execute("INSERT INTO lost VALUES (2, 'two')")
        synced = run_syncd("sync", *sides)
        assert synced.returncode == 1
        assert "lost" in synced.stdout + synced.stderr
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (2,)
        phases = connection.execute("SELECT table_name, phase FROM syncd.checkpoint ORDER BY 1").fetchall()
        assert phases == [("kept", "catchup"), ("lost", "stopped")]


@pytest.mark.parametrize("named", ["", "[table:lost]\nlookback = 1m\n[sync]\ntables = kept, lost\n"])
def test_a_table_that_vanished_from_the_source_stops_and_the_others_go_on(
    make_source: MakeSource, open_writer: OpenWriter, database: str, run_syncd: RunSyncd, named: str
) -> None:
    source = make_source(_TWO_TABLES)
    config = source.parent / "syncd.ini"
    config.write_text(named)
    sides = ("-c", str(config), "--source", str(source), "--target", database)
    assert run_syncd("load", *sides).returncode == 0
    writer = open_writer(source)
    writer.execute("INSERT INTO kept VALUES (2, 'two')")
    writer.execute("DROP TABLE lost")
    assert run_syncd("sync", *sides).returncode == 1
    with closing(psycopg.connect(database, autocommit=True)) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (2,)
        assert connection.execute("SELECT count(*) FROM lost").fetchone() == (1,)
        told = connection.execute("SELECT phase, error FROM syncd.checkpoint WHERE table_name = 'lost'").fetchone()
        assert told and told[0] == "stopped" and told[1].startswith("lost: the source has this table no longer")


@pytest.mark.parametrize("command", ["load", "sync"])
def test_a_table_that_vanished_from_the_source_is_forgotten_once_it_is_left_out(
    command: str, make_source: MakeSource, open_writer: OpenWriter, database: str, run_syncd: RunSyncd, tmp_path: Path
) -> None:
    source, config = make_source(_TWO_TABLES), tmp_path / "app.ini"
    sides = ("-c", config, "--source", str(source), "--target", database)
    settings = "[table:lost]\nlookback = 1s\n"
    config.write_text(settings)
    assert run_syncd("load", *sides).returncode == 0
    assert run_syncd("pause", "lost", *sides).returncode == 0
    open_writer(source).execute("DROP TABLE lost")
    assert run_syncd("sync", *sides).returncode == 1
    checked = run_syncd("cutover", "--check", *sides)
    assert (checked.returncode, "add lost to [sync] skip" in checked.stdout) == (4, True)
    assert "add lost to [sync] skip" in run_syncd("status", *sides).stdout

    config.write_text(f"{settings}[sync]\nskip = LOST\n")
    assert run_syncd(command, *sides).returncode == 0
    checked = run_syncd("cutover", "--check", *sides)
    assert (checked.returncode, "note   lost: it was loaded, and is gone" in checked.stdout) == (0, True)
    assert [t["table"] for t in json.loads(run_syncd("status", "--json", *sides).stdout)["tables"]] == ["kept"]
    assert run_syncd("verify", *sides).returncode == 0
    with closing(psycopg.connect(database, autocommit=True)) as connection:
        assert connection.execute("SELECT name FROM lost").fetchall() == [("one",)]
        connection.execute("DROP TABLE lost")
    assert run_syncd("load", *sides).returncode == 0
    config.write_text("[sync]\nskip = lots\n")
    assert run_syncd("load", *sides).returncode == 78


def test_the_fault_that_stops_a_table_is_counted_by_its_class(make_move: MakeMove) -> None:
    counters = Counters()
    move = make_move(_TWO_TABLES, "CREATE TABLE lost (id integer PRIMARY KEY, name text CHECK (name <> 'one'))")
    move.configure("")
    counters.loaded(move.load())
    assert counters.tally().errors == {"TooManyRejectsError": 1}
    assert "load" not in counters.tally().succeeded

    move.write("ALTER TABLE kept RENAME TO gone")
    counters.passed(move.catch_up())

    assert counters.tally().errors == {"TooManyRejectsError": 2, "SchemaError": 1}


def test_a_table_that_cannot_be_created_is_told_by_status_until_it_can(
    make_source: MakeSource, database: str, run_syncd: RunSyncd, tmp_path: Path
) -> None:
    source = make_source(f"{_TWO_TABLES} CREATE TABLE odd (id INTEGER PRIMARY KEY, ctid TEXT);")
    config = tmp_path / "app.ini"
    config.write_text("[table:lost]\ntype.name = no_such_type\n")
    sides = ("-c", str(config), "--source", str(source), "--target", database)
    for command, code in (("load", 1), ("load", 1), ("sync", 1)):
        assert run_syncd(command, *sides, *(["--force"] if command == "load" else [])).returncode == code
        told = {t["table"]: t for t in json.loads(run_syncd("status", "--json", *sides).stdout)["tables"]}
        assert {name: t["phase"] for name, t in told.items()} == {
            "kept": "catchup",
            "lost": "stopped",
            "odd": "stopped",
        }
        assert "no_such_type" in told["lost"]["error"]
        assert "ctid_of_the_source" in told["odd"]["error"]
    config.write_text("[sync]\nskip = odd\n")
    assert run_syncd("load", *sides).returncode == 0
    assert run_syncd("sync", *sides).returncode == 0
    assert run_syncd("verify", *sides).returncode == 0
    told = {t["table"]: t for t in json.loads(run_syncd("status", "--json", *sides).stdout)["tables"]}
    assert {name: t["phase"] for name, t in told.items()} == {"kept": "catchup", "lost": "catchup"}
