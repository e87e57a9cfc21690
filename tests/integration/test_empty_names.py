"""SQLite takes the empty text for a name, PostgreSQL does not: it is told with what to write, and the others go on."""

import json
from contextlib import closing

import psycopg

from tests.plugins.cli import RunSyncd
from tests.plugins.source import MakeSource

_SOURCE = """
CREATE TABLE "" ("" INTEGER PRIMARY KEY, note TEXT);
CREATE TABLE half ("" TEXT NOT NULL, id INTEGER PRIMARY KEY, UNIQUE ("", id));
CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT);
INSERT INTO "" VALUES (7, 'seven');
INSERT INTO half VALUES ('x', 1);
INSERT INTO item VALUES (1, 'one');
"""


def rows(database: str, query: str) -> list[tuple[object, ...]]:
    with closing(psycopg.connect(database)) as connection:
        return connection.execute(query.encode()).fetchall()


def test_what_the_check_advises_carries_all(make_source: MakeSource, database: str, run_syncd: RunSyncd) -> None:
    source = make_source(_SOURCE)
    sides = ("--source", source, "--target", database)

    checked = run_syncd("check", "--json", *sides)
    report = json.loads(checked.stdout)
    blockers = {f["table"]: f["ini"] for f in report["findings"] if f["gravity"] == "blocker"}
    assert checked.returncode == 4
    assert blockers == {
        "": '[table:]\ntarget = unnamed\ncolumn.unnamed = ""',
        "half": '[table:half]\ncolumn.unnamed = ""',
    }
    assert run_syncd("load", *sides).returncode == 4

    forced = run_syncd("load", "--force", *sides)
    assert forced.returncode == 1 and "target = unnamed" in forced.stdout
    assert rows(database, "SELECT * FROM item") == [(1, "one")]

    config = source.parent / "named.ini"
    config.write_text(report["ini"])
    assert run_syncd("check", "-c", config, *sides).returncode == 0
    assert run_syncd("load", "-c", config, *sides).returncode == 0
    assert rows(database, "SELECT unnamed, note FROM unnamed") == [(7, "seven")]
    assert rows(database, "SELECT unnamed, id FROM half") == [("x", 1)]
    assert run_syncd("verify", "-c", config, *sides).returncode == 0


def test_an_index_gets_another_name(make_source: MakeSource, database: str, run_syncd: RunSyncd) -> None:
    source = make_source('CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT); CREATE INDEX "" ON item (name)')

    loaded = run_syncd("load", "--source", source, "--target", database)

    assert loaded.returncode == 0, loaded.stderr
    indexes = rows(database, "SELECT indexname::text FROM pg_indexes WHERE tablename = 'item' ORDER BY 1")
    assert indexes == [("item_name_idx",), ("item_pkey",)]


def test_such_a_table_or_column_may_be_left_out(make_source: MakeSource, database: str, run_syncd: RunSyncd) -> None:
    source = make_source(_SOURCE)
    with closing(psycopg.connect(database, autocommit=True)) as connection:
        connection.execute("CREATE TABLE half (id bigint PRIMARY KEY)")
    config = source.parent / "left.ini"
    config.write_text('[sync]\nskip = ""\n')
    sides = ("-c", config, "--source", source, "--target", database)
    (advised,) = (f["ini"] for f in json.loads(run_syncd("check", "--json", *sides).stdout)["findings"] if f["ini"])
    assert advised == '[table:half]\nexclude = ""'

    config.write_text(config.read_text() + advised)

    loaded = run_syncd("load", *sides)
    assert loaded.returncode == 0, loaded.stderr
    assert rows(database, "SELECT to_regclass('unnamed'), id FROM half") == [(None, 1)]
