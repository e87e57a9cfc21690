"""The runbook does what it says: its blocks are run as they stand, its commands exist, its errors are all there."""

import os
import re
import shlex
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from syncd import config as configuration
from syncd import errors
from syncd.cli.app import syncd
from syncd.cli.options import Options
from syncd.market.__main__ import parser as market_parser
from syncd.target.database import Target, connect
from tests.plugins.cli import RunSyncd, StartSyncd
from tests.plugins.patience import wait_until
from tests.plugins.postgres import PASSWORD, OwnServer, own_folder, running_server
from tests.plugins.runbook import BLOCKS, TEXT, Site, block
from tests.plugins.scene import MakeScene, Scene
from tests.plugins.source import OpenWriter

UNITS = Path(__file__).parents[2] / "systemd"
BENCHMARKS = Path(__file__).parents[2] / "tests" / "benchmarks"
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.SyncdError)]
RUN = {
    (2, "sh"): 1, (3, "sh"): 1, (3, "sql"): 1, (3, "conf"): 1, (7, "sh"): 4, (8, "sh"): 3, (9, "sql"): 5,
    (9, "conf"): 1, (9, "sh"): 1, (10, "sh"): 1, (11, "sql"): 2,
}  # fmt: skip
"""The blocks that are run below, by part and language: one that is added needs a test."""
REFUSED, MISCONFIGURED = 77, 78
ADD = "INSERT INTO exchange_rate_history (currency, rate, rate_date) VALUES ('XTS', 1, '2031-01-01')"
ADDED = "SELECT count(*) FROM exchange_rate_history WHERE currency = 'XTS'"


def test_every_block_that_can_run_is_run_below() -> None:
    assert Counter((b.part, b.language) for b in BLOCKS if b.language in ("sh", "sql", "conf")) == RUN


def commands() -> Iterator[str]:
    """Every call of syncd, typed at a prompt or named in a sentence."""
    fenced = [line.removeprefix("$ ") for one in BLOCKS if one.language == "console" for line in one.text.splitlines()]
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL))
    yield from (line for line in (*fenced, *inline) if line.split()[:1] == ["syncd"] and line != "syncd")


@pytest.mark.parametrize("line", sorted(set(commands())))
def test_a_command_is_understood(line: str) -> None:
    words = shlex.split(line)[1:]
    command: click.Command = syncd
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        inner = command.get_command(click.Context(command), words.pop(0))
        assert inner is not None, line
        command = inner
    if "--help" not in words:
        command.make_context(command.name, words, obj=Options())


def test_the_example_market_is_made_as_told() -> None:
    calls = re.findall(r"^\$ python -m syncd.market (.*)$", TEXT, re.MULTILINE)

    assert [market_parser().parse_args(shlex.split(call)).path.name for call in calls] == ["market.db"] * 2


def test_every_error_is_told_with_its_exit_code() -> None:
    told = dict(re.findall(r"^- `(\w+Error)`(?: \(exit code (\d+)\))?:", TEXT, re.MULTILINE))
    stopping = {kind.__name__: str(kind.exit_code) for kind in KINDS if told.get(kind.__name__)}

    assert set(told) == {kind.__name__ for kind in KINDS}
    assert stopping == {name: code for name, code in told.items() if code}
    codes = set(re.findall(r"^- \*\*(\d+)\*\*:", TEXT, re.MULTILINE))
    assert {str(kind.exit_code) for kind in KINDS} <= codes


def test_the_configuration_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "syncd.ini").write_text(block(1, "ini"))

    assert str(configuration.load(tmp_path / "syncd.ini").sync.state_dir) == "/var/lib/syncd"


def test_systemd_finds_no_fault_in_the_drop_in_and_in_what_the_wrapper_asks_for(tmp_path: Path) -> None:
    wrapper = block(4, "bash")
    assert subprocess.run(["bash", "-n"], input=wrapper, text=True, check=False).returncode == 0
    properties = "\n".join(re.findall(r"--property=(\S+)", wrapper))
    (tmp_path / "syncd.service.d").mkdir()
    (tmp_path / "syncd.service.d" / "own.conf").write_text(block(4, "ini"))
    unit = (UNITS / "syncd.service").read_text().replace("/opt/syncd/bin/syncd", "/bin/true")
    (tmp_path / "syncd.service").write_text(unit)
    (tmp_path / "wrapped.service").write_text(f"[Service]\nExecStart=/bin/true\n{properties}\n")
    try:
        for name in ("syncd.service", "wrapped.service"):
            command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / name)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stderr) == (0, "")
    except FileNotFoundError:
        pytest.skip("systemd-analyze is not installed: nobody can look at units here")


def test_the_roles_do_the_whole_move_and_the_backup_goes_back(
    site: Site, make_scene: MakeScene, run_syncd: RunSyncd, start_syncd: StartSyncd, open_writer: OpenWriter
) -> None:
    site.make_roles()
    scene = make_scene(make_conninfo(site.server.dsn("quant"), user="quant_apply"), interval="100ms")
    reader = ("-c", scene.config, "--pg-user", "quant_read")
    assert run_syncd("load", "-c", scene.config).returncode == 0
    daemon = start_syncd("run", "-c", scene.config)
    daemon.wait_for("event=started")
    status = run_syncd("status", *reader)
    assert f"127.0.0.1:{site.server.port}/quant" in status.stdout and "running" in status.stdout
    compared = run_syncd("verify", "--no-sync", *reader)
    assert compared.returncode == 0, compared.stderr
    writes = "has_table_privilege('quant_read', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')"
    assert site.sql(f"SELECT relname FROM pg_class c WHERE relkind = 'r' AND oid > 16384 AND {writes}", "quant") == []
    assert [run_syncd(name, "-c", scene.config).returncode for name in ("pause", "resume")] == [0, 0]

    backup = site.folder
    site.shell(block(7, "sh", 1), BACKUP=backup)
    site.shell(block(7, "sh", 2), BACKUP=backup, PGUSER="quant_read")
    assert "exchange_rate_history" in site.shell(block(7, "sh", 3), BACKUP=backup)
    writer = open_writer(scene.source)
    writer.execute("DELETE FROM exchange_rate_history WHERE id = 1")
    writer.execute("UPDATE exchange_rate_history SET rate = 77 WHERE id = 2")
    assert daemon.terminate() == 0
    site.shell(block(7, "sh", 4), BACKUP=backup)
    assert scene.ask("SELECT id FROM exchange_rate_history WHERE id = 1 OR rate = 77") == [(1,)]
    assert run_syncd("sweep", "-c", scene.config).returncode == 0
    assert scene.ask("SELECT id FROM exchange_rate_history WHERE id = 1 OR rate = 77") == [(2,)]
    scene.assert_equal()

    site.sql(block(11, "sql", 1), "quant")
    for what in ("--rehearse", "--yes"):
        done = run_syncd("cutover", what, "-c", scene.config)
        assert done.returncode == 0, done.stdout + done.stderr
    site.shell(f'psql --dbname=quant --command="{ADD}"', PGUSER="quant_app")
    site.sql(block(11, "sql", 2), "quant")
    owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
    assert site.sql(owners, "quant") == ["quant_owner"]
    proof = scene.config.with_name("cutover.html")
    assert run_syncd("report", "-o", proof, *reader).returncode == 0 and proof.exists()


@pytest.fixture
def tls_site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A place with a server that was built with OpenSSL; the one that comes along was not."""
    chosen = [Path(folder) for folder in os.environ.get("SYNCD_TEST_PG_BIN", "").split()]
    installed = sorted(path.parent for path in Path("/usr").glob("*/postgresql/*/bin/postgres"))
    for programs in (*chosen, *reversed(installed)):
        if b"libssl.so" in (programs / "postgres").read_bytes():
            monkeypatch.setenv("SYNCD_TEST_PG_BIN", str(programs))
            with running_server() as server, own_folder() as folder:
                yield Site(server, folder)
            return
    pytest.skip("no PostgreSQL with OpenSSL is installed: TLS cannot be tested")


def test_tls_proves_the_server_and_a_crash_of_it_passes(
    tls_site: Site, tmp_path: Path, make_scene: MakeScene, start_syncd: StartSyncd
) -> None:
    server = tls_site.server
    tls_site.make_roles()
    server.execute(f"ALTER ROLE quant_apply PASSWORD '{PASSWORD}'")
    tls_site.shell(block(3, "sh"), cwd=server.data, SERVER="localhost")
    (server.data / "pg_hba.conf").write_text(f"host all postgres 127.0.0.1/32 trust\n{block(3, 'conf')}")
    tls_site.sql(block(3, "sql"))
    server.run("pg_ctl", "reload")
    root = tmp_path / "root.crt"
    root.write_bytes((server.data / "root.crt").read_bytes())
    dsn = make_conninfo(
        server.dsn("quant"), user="quant_apply", host="localhost", sslmode="verify-full", sslrootcert=str(root)
    )
    scene = make_scene(server.dsn("quant"), through=dsn, interval="100ms")
    wait_until(lambda: code_at_the_door(dsn) == 0, "TLS is on")
    assert code_at_the_door(dsn, password="wrong") == REFUSED
    assert code_at_the_door(make_conninfo(dsn, sslmode="disable")) == REFUSED
    assert code_at_the_door(make_conninfo(dsn, host="127.0.0.1")) == MISCONFIGURED
    assert code_at_the_door(make_conninfo(dsn, sslrootcert="nowhere.crt")) == MISCONFIGURED
    stranger = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=stranger -keyout stranger.key -out stranger.crt"
    tls_site.shell(stranger)
    assert code_at_the_door(make_conninfo(dsn, sslrootcert=str(tls_site.folder / "stranger.crt"))) == MISCONFIGURED

    daemon = start_syncd("run", "-c", scene.config, env={"PGPASSWORD": PASSWORD})
    wait_until(lambda: scene.is_loaded, "loaded")
    assert ("t",) in scene.ask("SELECT ssl::text::char FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)")
    server.restart("immediate")
    scene.trade("--seconds", "0.5").wait()
    scene.wait_until_equal()
    assert daemon.terminate() == 0


def code_at_the_door(dsn: str, password: str = PASSWORD) -> int:
    """The exit code of a command that connects like this."""
    try:
        connect(Target(dsn, password)).close()
    except errors.SyncdError as error:
        return error.exit_code
    return 0


def test_base_backup_and_replica_have_what_was_synced(
    site: Site, make_scene: MakeScene, start_syncd: StartSyncd, open_writer: OpenWriter
) -> None:
    primary = site.server
    site.make_roles()
    scene = make_scene(make_conninfo(primary.dsn("quant"), user="quant_apply"), interval="100ms")
    backup = site.folder / "backup"
    site.shell(block(8, "sh", 1), BACKUP=backup)
    primary.restart()
    site.sql(block(9, "sql", 1))
    hba = primary.data / "pg_hba.conf"
    # This server has no certificate.
    hba.write_text(hba.read_text() + block(9, "conf").replace("hostssl", "host   "))
    daemon = start_syncd("run", "-c", scene.config)
    wait_until(lambda: scene.is_loaded, "loaded")

    with own_folder() as folder, own_folder() as parent:
        replica, restored = OwnServer(folder), OwnServer(parent / "data")
        try:
            way = f"host=127.0.0.1 port={primary.port} user=quant_replica"
            site.shell(block(9, "sh"), PRIMARY=way, REPLICA=folder)
            replica.start()
            wait_until(lambda: "streaming" in "".join(site.sql(block(9, "sql", 2))), "attached")
            site.sql(block(9, "sql", 4))
            assert "sync" in site.sql("SELECT sync_state FROM pg_stat_replication")
            assert re.search(r"\| +0\n", site.shell(block(8, "sh", 2), BACKUP=backup)), "nothing failed"

            open_writer(scene.source).execute(ADD)
            wait_until(lambda: asked(replica, ADDED) == 1, "the row is on the replica")
            there = Site(replica, site.folder).sql(block(9, "sql", 3), "quant")
            assert there[0].startswith("t|") and str(scene.source) in there[1]
            assert any(line.startswith("exchange_rate_history|catchup") for line in there)
            assert code_at_the_door(replica.dsn("quant")) == 1
            both = f"host=127.0.0.1,127.0.0.1 port={replica.port},{primary.port} target_session_attrs=read-write"
            assert code_at_the_door(f"{both} user=quant_apply dbname=quant") == 0
            site.sql(block(9, "sql", 5))
            assert daemon.terminate() == 0

            # What came after the base backup is in the archive alone.
            site.sql("SELECT pg_switch_wal()")
            last = site.sql("SELECT pg_walfile_name(pg_current_wal_lsn() - 1)")[0]
            wait_until(lambda: any(name.name >= last for name in (backup / "wal").iterdir()), "archived")
            site.shell(block(8, "sh", 3), BACKUP=backup, RESTORED=restored.data)
            restored.start()
            assert asked(restored, ADDED) == 1
            assert asked(restored, "SELECT count(*) FROM syncd.checkpoint WHERE phase = 'catchup'") == 12
        finally:
            for one in (replica, restored):
                one.close()


def asked(server: OwnServer, query: str) -> object:
    """The one value that a query on `quant` tells."""
    with psycopg.connect(server.dsn("quant")) as connection:
        return connection.execute(query.encode()).fetchall()[0][0]


def test_readers_are_served_while_a_daemon_syncs(
    site: Site, make_scene: MakeScene, start_syncd: StartSyncd, run_syncd: RunSyncd
) -> None:
    site.shell("createdb quant")
    scene = make_scene(site.server.dsn("quant"), interval="100ms")
    daemon = start_syncd("run", "-c", scene.config)
    wait_until(lambda: scene.is_loaded, "loaded")
    (site.folder / "tests" / "benchmarks").mkdir(parents=True)
    script = "tests/benchmarks/queries.pgbench.sql"
    (site.folder / script).write_text((BENCHMARKS / "queries.pgbench.sql").read_text())
    before = scene.applied
    trading = scene.trade(rate=50)

    said = site.shell(block(10, "sh"), SECONDS_OF_LOAD="2")

    assert "number of failed transactions: 0 " in said and script in said
    assert re.search(r"actually processed: [1-9]", said)
    assert lag(scene, run_syncd) < 10
    trading.stop()
    scene.wait_until_equal()
    assert scene.applied > before
    assert daemon.terminate() == 0


def lag(scene: Scene, run_syncd: RunSyncd) -> float:
    """The lag as `syncd status` tells it, in seconds."""
    told = re.search(r"^lag +([\d.]+) s", run_syncd("status", "-c", scene.config).stdout, re.MULTILINE)
    assert told is not None
    return float(told[1])
