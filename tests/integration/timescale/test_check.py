"""What the check says of TimescaleDB before a load goes on without it."""

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from syncd.engine.check import check
from syncd.engine.check.findings import CheckReport
from syncd.engine.progress import Silent
from syncd.target.timescale import detection
from tests.plugins.moving import MakeMove, Move
from tests.plugins.postgres import Server
from tests.plugins.shaping import BARS, SHAPED, shaped


def checked(move: Move) -> CheckReport:
    with move.opened() as sides:
        return check(sides, Silent())


def said(report: CheckReport) -> str:
    return "\n".join(f"{finding.what}\n{finding.advice}" for finding in report.findings)


def test_a_server_without_it(make_move: MakeMove, server: Server) -> None:
    if server.has_timescaledb:
        pytest.skip("the server offers TimescaleDB")
    move = make_move(BARS)
    assert "TimescaleDB" not in said(checked(move))
    move.configure(SHAPED)

    report = checked(move)

    assert report.is_go
    assert "does not offer TimescaleDB; tables are loaded as plain ones" in said(report)


@pytest.mark.usefixtures("timescale")
def test_a_release_that_is_known_to_be_broken(make_move: MakeMove, monkeypatch: pytest.MonkeyPatch) -> None:
    move = make_move(BARS)
    move.configure(SHAPED)
    monkeypatch.setattr(detection, "_JOBS_MENDED", (99, 0, 0))
    monkeypatch.setattr(detection, "_JOBS_BROKEN_SINCE", dict.fromkeys(range(13, 30), 0))

    assert "may not run its background jobs" in said(checked(move))


@pytest.mark.usefixtures("timescale")
def test_a_table_that_was_there_with_a_key_without_the_time(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE bar (id INTEGER PRIMARY KEY, date DATE NOT NULL); INSERT INTO bar VALUES (1, '2024-01-01');",
        "CREATE TABLE bar (id bigint PRIMARY KEY, date date NOT NULL)",
    )
    move.configure("[hypertable:bar]\ntime_column = date\n")

    told = said(checked(move))

    assert "it stays a plain table: unique keys of a hypertable hold its time column, date" in told
    assert 'ADD PRIMARY KEY ("id", "date")' in told


@pytest.mark.usefixtures("timescale")
def test_a_table_that_was_loaded_as_a_plain_one(make_move: MakeMove) -> None:
    move = make_move(BARS)
    move.load()
    move.configure(SHAPED)
    assert "plain table" not in said(checked(move))

    move.execute("CREATE UNIQUE INDEX bar_close_volume ON bar (close, volume, ticker)")
    assert "bar_close_volume (close, volume, ticker)" in said(checked(move))

    move.execute("DROP INDEX bar_close_volume")
    shaped(move)
    assert "plain table" not in said(checked(move))


@pytest.mark.parametrize("rows", ["(NULL), ('')", "(NULL), ('soon'), ('later'), ('')"])
def test_times_that_are_none_are_not_to_become_text(make_move: MakeMove, rows: str) -> None:
    move = make_move(
        "CREATE TABLE note (id INTEGER PRIMARY KEY, at DATE);"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)"
        f"INSERT INTO note SELECT i, date('2024-01-01', i || ' hours') FROM n; INSERT INTO note (at) VALUES {rows};"
    )
    move.configure("[sync]\nmax_reject_ratio = 1\n[hypertable:note]\ntime_column = at\n")

    report = checked(move)

    assert "Mend these rows: a hypertable is cut by their time" in said(report)
    assert [finding.lines for finding in report.findings if finding.lines.get("type.at") == "text"] == []


@pytest.mark.usefixtures("timescale")
def test_a_table_of_somebody_else(
    make_move: MakeMove, database: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.execute("DROP ROLE IF EXISTS visitor")
    server.execute("CREATE ROLE visitor LOGIN")
    move = make_move(
        BARS,
        "CREATE EXTENSION timescaledb; CREATE TABLE bar (ticker text, date date, close numeric, volume bigint,"
        " PRIMARY KEY (ticker, date)); GRANT ALL ON bar TO visitor;",
    )
    name = str(conninfo_to_dict(database)["dbname"])
    server.execute(f"GRANT CREATE, TEMPORARY ON DATABASE {name} TO visitor")
    monkeypatch.setattr(move, "dsn", make_conninfo(database, user="visitor"))
    move.configure(SHAPED)

    report = checked(move)

    assert "it stays a plain table: the role of the target does not own it" in said(report)
    server.execute("DROP OWNED BY visitor", name)
    server.execute("DROP ROLE visitor")
