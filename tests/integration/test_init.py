"""The drafted configuration: it works as it stands, says what it found, and overwrites nothing."""

import json
import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from syncd.config import WatermarkKind, load
from tests.plugins.cli import RunSyncd
from tests.plugins.source import MakeSource

ODD_NAMES = ("a]b", "a:b", ":", "a=b", "a = b", 'quo"te', "it's", "주문 내역", "#no", "two  blanks", "[x]", "100%")
UNWRITABLE = (" blank", "blank ", "line\nbreak")
SERIES = """
CREATE TABLE place (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
INSERT INTO place VALUES (1, 'here'), (2, 'there');
CREATE TABLE reading (id INTEGER PRIMARY KEY, place INTEGER NOT NULL REFERENCES place (id), taken_at INTEGER NOT NULL,
    noted TEXT, value REAL);
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 119999)
INSERT INTO reading SELECT i + 1, 1 + i % 2, 1700000000 + i * 60, iif(i % 7, date(1700000000, 'unixepoch'), NULL), i
FROM n;
CREATE TABLE bar (id INTEGER PRIMARY KEY, ticker TEXT NOT NULL, day DATE NOT NULL, close NUMERIC(15,4),
    updated_at DATETIME NOT NULL, UNIQUE (ticker, day));
CREATE INDEX bar_updated_at ON bar (updated_at);
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 119999)
INSERT INTO bar SELECT i, 't' || (i / 1200), date('2020-01-01', '+' || (i % 1200) || ' days'), i,
    datetime(1700000000 + i, 'unixepoch') FROM n;
CREATE TABLE event (id INTEGER PRIMARY KEY, at TEXT NOT NULL, payload);
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
INSERT INTO event SELECT i, '2024-01-01 12:30:00', iif(i % 2, i, 'text') FROM n;
"""


def section(text: str, name: str) -> str:
    """The lines below a table's header, up to the next table's."""
    return re.split(r"(?m)^\[", text.partition(f"[table:{name}]\n")[2])[0]


def odd_source(make_source: MakeSource) -> Path:
    quoted = ['"' + name.replace('"', '""') + '"' for name in (*ODD_NAMES, *UNWRITABLE)]
    return make_source(
        "".join(
            f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO {name} VALUES (1, 'x');"
            for name in quoted
        )
    )


def test_it_works_as_it_stands_with_odd_names(
    run_syncd: RunSyncd, make_source: MakeSource, tmp_path: Path, database: str
) -> None:
    source, ini = odd_source(make_source), tmp_path / "app.ini"

    done = run_syncd("init", source, "-o", ini)

    assert done.returncode == 0, done.stderr
    config = load(ini)
    assert config.source.path == source
    assert set(config.tables) == set(ODD_NAMES)
    assert {table.watermark.kind for table in config.tables.values()} == {WatermarkKind.ROWID}
    assert ini.read_text().count("cannot be written") == len(UNWRITABLE)
    for words in (("check",), ("load",), ("verify",)):
        ended = run_syncd(*words, "-c", ini, "--target", database)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    with closing(psycopg.connect(database)) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert {name for (name,) in rows} == {*ODD_NAMES, *UNWRITABLE}


@pytest.fixture(scope="module")
def drafted(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("series")
    make = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])"
    subprocess.run([sys.executable, "-c", make, folder / "app.db", SERIES], check=True)
    done = subprocess.run(
        [sys.executable, "-m", "syncd", "init", folder / "app.db"], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_table_that_grows_with_time_is_a_likely_hypertable(drafted: str) -> None:
    of_reading = section(drafted, "reading")

    assert "# 120000 rows\n" in of_reading
    assert "#[hypertable:reading]\n#time_column = taken_at\n#chunk_interval = 1 year\n#segment_by = place\n" in drafted
    assert "#order_by = taken_at DESC" in of_reading
    assert "no unique key without its time column, as (id) is" in of_reading
    assert "about 1440 rows a day" in re.sub(r"\n# ", " ", of_reading)
    assert "with epoch = s\n" in of_reading


def test_a_date_in_the_key_makes_one_too_whatever_the_order_of_insertion(drafted: str) -> None:
    assert "#[hypertable:bar]\n#time_column = day\n#chunk_interval = 1 year\n#segment_by = ticker\n" in drafted
    assert "watermark = date:updated_at" in section(drafted, "bar")
    assert section(drafted, "bar").count("no unique key without its time column") == 1


def test_a_small_table_is_none(drafted: str) -> None:
    assert "hypertable:event" not in drafted and "hypertable:place" not in drafted


def test_dates_and_mixed_storage_are_told(drafted: str) -> None:
    assert "# taken_at: seconds since 1970\n#type.taken_at = timestamptz from epoch_s" in section(drafted, "reading")
    assert "# noted: dates, NULL where unknown" in section(drafted, "reading")
    assert "# at: dates with a time\n" in section(drafted, "event")
    assert re.search(r"# payload: mixed storage .* number \(\d+\) and text \(\d+\)", section(drafted, "event"))


def test_what_is_commented_out_is_taken_once_it_is_written(drafted: str, tmp_path: Path) -> None:
    ini = tmp_path / "written.ini"
    ini.write_text(re.sub(r"(?m)^#(?=\[|[a-z_.]+ = )", "", drafted))

    config = load(ini)

    assert config.table("reading").types["taken_at"].origin == "epoch_s"
    assert config.hypertables["bar"].segment_by == ("ticker",)
    assert config.hypertables["reading"].time_column == "taken_at"


def test_orphans_and_keys_that_are_null_are_told(run_syncd: RunSyncd, make_source: MakeSource) -> None:
    source = make_source(
        "CREATE TABLE p (id TEXT PRIMARY KEY); INSERT INTO p VALUES ('a'), (NULL), (NULL);"
        "CREATE TABLE c (id INTEGER PRIMARY KEY, p TEXT REFERENCES p (id)); INSERT INTO c VALUES (1, 'a'), (2, 'zz');"
    )

    text = run_syncd("init", source).stdout

    assert re.search(r"# warning: p: 1 row: rows whose \(p\) is in no row of p", section(text, "c"))
    assert re.search(r"# warning: id: 2 rows: NULL", section(text, "p"))


def test_a_file_that_is_there_is_left_as_it_is(run_syncd: RunSyncd, make_source: MakeSource, tmp_path: Path) -> None:
    source = make_source("CREATE TABLE t (id INTEGER PRIMARY KEY)")

    first = run_syncd("init", source, "-o")
    mine = (tmp_path / "syncd.ini").read_text() + "# mine\n"
    (tmp_path / "syncd.ini").write_text(mine)
    again = run_syncd("init", source, "-o")

    assert (first.returncode, again.returncode) == (0, 2)
    assert "is there already" in again.stderr and "syncd.ini" in again.stderr
    assert (tmp_path / "syncd.ini").read_text() == mine


def test_without_a_file_it_is_printed_and_nothing_is_written(
    run_syncd: RunSyncd, make_source: MakeSource, tmp_path: Path
) -> None:
    source = make_source("CREATE TABLE t (id INTEGER PRIMARY KEY)", wal=False)

    printed = run_syncd("init", source)
    document = json.loads(run_syncd("init", "--json", source).stdout)

    assert document == {"ini": printed.stdout}
    assert "[table:t]" in printed.stdout
    assert {path.name for path in tmp_path.iterdir() if not path.name.startswith("syncd-")} == {"app.db"}


def test_a_mistyped_source_is_told(run_syncd: RunSyncd) -> None:
    done = run_syncd("init", "nowhere.db")

    assert done.returncode == 1 and "there is no such file" in done.stderr


def test_the_source_may_be_named_as_everywhere(run_syncd: RunSyncd, make_source: MakeSource) -> None:
    source = make_source("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    wanted = run_syncd("init", source).stdout
    assert f"path = {source}" in wanted
    assert run_syncd("init", "--source", source).stdout == wanted
    assert run_syncd("--source", source, "init").stdout == wanted
    nameless = run_syncd("init")
    assert (nameless.returncode, "no source is given" in nameless.stderr) == (2, True)


def test_it_shows_where_its_user_keeps_private_copies(run_syncd: RunSyncd, make_source: MakeSource) -> None:
    source = odd_source(make_source)
    service = run_syncd("init", source, env={"STATE_DIRECTORY": "/srv/state:/srv/more"})
    assert "\n#state_dir = /srv/state\n" in service.stdout, service.stderr
    person = run_syncd("init", source, env={"STATE_DIRECTORY": "", "XDG_STATE_HOME": "/srv/ada"})
    assert f"\n#state_dir = {'/srv/ada/syncd' if os.geteuid() else '/var/lib/syncd'}\n" in person.stdout
