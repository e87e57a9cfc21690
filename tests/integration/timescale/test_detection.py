"""Each case in which TimescaleDB cannot be used: told with what to do, and everything else works without it."""

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from syncd.errors import NotReadyError, RefusedError
from syncd.target.database import Target, connect
from syncd.target.timescale.detection import Timescale, required, warning
from tests.plugins.moving import MakeMove, Move
from tests.plugins.postgres import OwnServer, Server
from tests.plugins.shaping import BARS, SHAPED, kinds, shaped
from tests.plugins.source import MakeSource
from tests.plugins.verifying import full


@pytest.mark.usefixtures("timescale")
def test_it_is_installed_where_it_may_be(database: str) -> None:
    connection = connect(Target(database))

    found = required(connection, install=True)

    assert (found.community, found.schema) == (True, "public")
    assert found.version >= (2, 13, 0)
    connection.close()


def test_a_server_without_it_loads_plain_tables(make_move: MakeMove, server: Server) -> None:
    if server.has_timescaledb:
        pytest.skip("the server offers TimescaleDB")
    move = make_move(BARS)
    move.configure(SHAPED)

    move.load()

    assert full(move).found == 0
    with pytest.raises(NotReadyError, match="does not offer TimescaleDB"):
        shaped(move)


@pytest.mark.usefixtures("timescale")
def test_a_role_that_may_not_install_it(database: str, server: Server) -> None:
    server.execute("DROP ROLE IF EXISTS plain")
    server.execute("CREATE ROLE plain LOGIN")
    connection = connect(Target(make_conninfo(database, user="plain")))

    with pytest.raises(NotReadyError, match="the role may not install it") as raised:
        required(connection, install=True)

    assert "CREATE EXTENSION timescaledb" in raised.value.advice
    connection.close()


@pytest.mark.usefixtures("timescale")
def test_a_table_of_somebody_else_is_loaded_as_it_is(
    make_move: MakeMove, database: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.execute("DROP ROLE IF EXISTS guest")
    server.execute("CREATE ROLE guest LOGIN")
    move = make_move(
        BARS,
        "CREATE EXTENSION timescaledb; CREATE TABLE bar (ticker text, date date, close numeric, volume bigint,"
        " PRIMARY KEY (ticker, date)); GRANT ALL ON bar TO guest;",
    )
    name = conninfo_to_dict(database)["dbname"]
    server.execute(f"GRANT CREATE, TEMPORARY ON DATABASE {name} TO guest")
    monkeypatch.setattr(move, "dsn", make_conninfo(database, user="guest"))
    move.configure(SHAPED)

    move.load()

    assert move.query("SELECT count(*) FROM bar") == [(5840,)]
    with pytest.raises(RefusedError, match="must be owner") as raised:
        shaped(move)
    assert (raised.value.exit_code, raised.value.where) == (77, "bar")
    server.execute("DROP OWNED BY guest", str(name))
    server.execute("DROP ROLE guest")


def test_a_server_that_does_not_preload_it(own_server: OwnServer, monkeypatch: pytest.MonkeyPatch) -> None:
    if not own_server.has_timescaledb:
        pytest.skip("the server does not offer TimescaleDB")
    own_server.stop()
    monkeypatch.setattr(OwnServer, "_preloaded", lambda _: {})
    own_server.start()
    connection = connect(Target(own_server.conninfo))

    with pytest.raises(NotReadyError, match="not preloaded") as raised:
        required(connection, install=True)

    assert "shared_preload_libraries" in raised.value.advice
    connection.close()


def test_the_apache_licence_has_hypertables_and_nothing_more(
    make_source: MakeSource, own_server: OwnServer, tmp_path: Path
) -> None:
    if not own_server.has_timescaledb:
        pytest.skip("the server does not offer TimescaleDB")
    # The server alone may set it: at its start.
    with (own_server.data / "postgresql.conf").open("a") as settings:
        settings.write("timescaledb.license = 'apache'\n")
    own_server.restart()
    move = Move(make_source(BARS), own_server.conninfo, tmp_path)
    move.configure("[hypertable:bar]\ntime_column = date\nchunk_interval = 1 month\n")
    move.load()
    assert kinds(shaped(move)) == [("index", "bar")]
    move.configure("[hypertable:bar]\ntime_column = date\ncompress_after = 30 days\n")

    with pytest.raises(NotReadyError, match="Apache licence") as raised:
        shaped(move)

    assert (raised.value.exit_code, raised.value.where) == (4, "bar")


@pytest.mark.parametrize(("version", "blocked"), [((2, 17, 2), True), ((2, 18, 2), False), ((2, 25, 0), False)])
def test_releases_that_lose_rows_do_not_compress(version: tuple[int, int, int], *, blocked: bool) -> None:
    release = Timescale(version, community=True, schema="public")
    if not blocked:
        release.check_compression("bar")
        return
    with pytest.raises(NotReadyError, match="loses rows"):
        release.check_compression("bar")


def test_a_release_whose_jobs_do_not_run_is_warned_of(database: str) -> None:
    connection = connect(Target(database))
    newest = {15: 19, 16: 15, 17: 11, 18: 5}.get(connection.info.server_version // 10000, 999)
    is_new = connection.info.server_version % 10000 >= newest

    assert bool(warning(Timescale((2, 25, 2), community=True, schema="public"), connection)) == is_new
    assert warning(Timescale((2, 28, 4), community=True, schema="public"), connection) == ""
    connection.close()
