"""A table whose rows cannot be named is never left behind unasked."""

import json
import signal

from tests.plugins.cli import RunSyncd, StartSyncd
from tests.plugins.patience import wait_until
from tests.plugins.source import MakeSource, OpenWriter

_SOURCE = """
CREATE TABLE odd (rowid TEXT, oid TEXT, _rowid_ TEXT);
CREATE TABLE item (id INTEGER PRIMARY KEY);
CREATE VIRTUAL TABLE search USING fts5(body);
"""


def test_it_is_a_blocker_until_it_is_named_in_skip(make_source: MakeSource, database: str, run_syncd: RunSyncd) -> None:
    source = make_source(_SOURCE)
    sides = ("--source", source, "--target", database)
    checked = run_syncd("check", "--json", *sides)
    found = {finding["table"]: finding for finding in json.loads(checked.stdout)["findings"]}
    assert (checked.returncode, found["odd"]["gravity"], found["search"]["gravity"]) == (4, "blocker", "note")
    assert found["odd"]["ini"] == "[sync]\nskip = odd"
    assert run_syncd("load", *sides).returncode == 4

    config = source.parent / "skipping.ini"
    config.write_text(found["odd"]["ini"])
    checked = run_syncd("check", "--json", "-c", config, *sides)
    assert checked.returncode == 0, checked.stdout
    assert run_syncd("load", "-c", config, *sides).returncode == 0
    assert run_syncd("load", "--tables", "item", *sides).returncode == 0


def test_one_that_comes_while_the_daemon_works_stops_alone_until_it_is_named_in_skip(
    make_source: MakeSource, open_writer: OpenWriter, database: str, run_syncd: RunSyncd, start_syncd: StartSyncd
) -> None:
    source = make_source("CREATE TABLE item (id INTEGER PRIMARY KEY)")
    config, sides = source.parent / "syncd.ini", ("--source", source, "--target", database)
    config.write_text("[sync]\ninterval = 50ms\n")

    def phases() -> dict[str, str]:
        status = json.loads(run_syncd("status", "--json", *sides).stdout)
        return {table["table"]: table["phase"] for table in status["tables"]}

    daemon = start_syncd("run", "-c", config, *sides)
    daemon.wait_for("event=started")
    writer = open_writer(source)
    writer.execute("CREATE TABLE odd (rowid TEXT, oid TEXT, _rowid_ TEXT)")
    daemon.wait_for("odd: not carried over: columns hide all three names of its rowid")
    wait_until(lambda: phases() == {"item": "catchup", "odd": "stopped"}, "odd stopped")
    assert "[sync] skip" in run_syncd("status", *sides).stdout
    verified = run_syncd("verify", "-c", config, *sides)
    assert (verified.returncode, "odd" in verified.stdout) == (3, True), verified.stdout

    config.write_text("[sync]\ninterval = 50ms\nskip = odd\n")
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: phases() == {"item": "catchup"}, "odd left out")
    assert run_syncd("verify", "-c", config, *sides).returncode == 0
    assert daemon.terminate() == 0


def test_one_that_takes_the_place_of_a_loaded_table_stops(
    make_source: MakeSource, open_writer: OpenWriter, database: str, run_syncd: RunSyncd
) -> None:
    source = make_source("CREATE TABLE item (id INTEGER PRIMARY KEY); CREATE TABLE odd (id INTEGER PRIMARY KEY)")
    sides = ("--source", source, "--target", database)
    assert run_syncd("load", *sides).returncode == 0
    writer = open_writer(source)
    writer.execute("DROP TABLE odd")
    writer.execute("CREATE TABLE odd (rowid TEXT, oid TEXT, _rowid_ TEXT)")
    synced = run_syncd("sync", *sides)
    assert (synced.returncode, "odd: not carried over" in synced.stdout + synced.stderr) == (1, True)
