"""PostgreSQL for the tests: servers of their own in temporary folders, new databases, a standby.

SYNCD_TEST_PG_BIN   the folder of another server's programs, e.g. /usr/lib/postgresql/15/bin
SYNCD_TEST_DSN      a running server, of which we are superuser; tests that stop one or need a password use their own
"""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from syncd import embedded

PASSWORD = "correct horse"

_HBA = """
local all,replication all trust
host  all guarded 127.0.0.1/32 scram-sha-256
host  all,replication all 127.0.0.1/32 trust
"""
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": ".",
    "fsync": "off",
    "full_page_writes": "off",
    "max_worker_processes": "16",
    "log_min_messages": "log",
}


class Server:
    """A PostgreSQL somewhere; `conninfo` is a superuser's."""

    def __init__(self, conninfo: str) -> None:
        self.conninfo = conninfo

    def dsn(self, database: str = "postgres") -> str:
        return make_conninfo(self.conninfo, dbname=database)

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run one statement as superuser, outside of a transaction."""
        with closing(psycopg.connect(self.dsn(database), autocommit=True)) as connection:
            connection.execute(statement.encode())

    @property
    def has_timescaledb(self) -> bool:
        with closing(psycopg.connect(self.conninfo)) as connection:
            found = connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'").fetchone()
        return found is not None


class OwnServer(Server):
    """A server that we started, and may stop or pause. It keeps its port for life."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.account = embedded.unprivileged(data)
        self.bin = Path(os.environ.get("SYNCD_TEST_PG_BIN") or embedded.binaries(self.account))
        self.port = _free_port()
        super().__init__(f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres")

    def socket_dsn(self, database: str = "postgres") -> str:
        """The same server by its Unix socket."""
        return make_conninfo(self.conninfo, host=str(self.data), dbname=database)

    def initialise(self) -> None:
        self.run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        (self.data / "pg_hba.conf").write_text(_HBA)

    def start(self) -> None:
        settings = _SETTINGS | {"port": str(self.port)} | self._preloaded()
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self.run("pg_ctl", "start", "--wait", "--log=server.log", f"--options={options}")

    def stop(self, mode: str = "fast") -> None:
        """Stop it as pg_ctl does; `immediate` is a crash."""
        self.run("pg_ctl", "stop", "--wait", f"--mode={mode}")

    def restart(self, mode: str = "fast") -> None:
        self.stop(mode)
        self.start()

    def pause(self) -> None:
        """Let the server hang: nothing answers, nothing is closed."""
        for process in self.processes():
            os.kill(process, signal.SIGSTOP)

    def resume(self) -> None:
        for process in self.processes():
            os.kill(process, signal.SIGCONT)

    def processes(self) -> list[int]:
        """The postmaster and its children; none when the server does not run."""
        try:
            postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
        except FileNotFoundError:
            return []
        return [postmaster, *_children(postmaster)]

    def close(self) -> None:
        """Stop it whatever state it is in."""
        if self.processes():
            self.resume()
            with suppress(RuntimeError):
                self.stop("immediate")

    def run(self, program: str, *arguments: str) -> None:
        """Run one of the server's programs on its data. Raises RuntimeError with what it said, and the server's log."""
        with tempfile.TemporaryFile("w+") as output:
            ended = subprocess.run(
                [self.bin / program, *arguments],
                cwd=self.data,
                # The parents of the folder may be closed to the account; its working folder never is.
                env={"PATH": os.defpath, "LC_ALL": "C", "PGDATA": "/proc/self/cwd" if self.account else str(self.data)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=self.account.pw_uid if self.account else None,
                group=self.account.pw_gid if self.account else None,
                extra_groups=[] if self.account else None,
                timeout=120,
                check=False,
            )
            output.seek(0)
            if ended.returncode != 0:
                log = self.data / "server.log"
                raise RuntimeError(f"{program}: {output.read()}\n{log.read_text()[-2000:] if log.exists() else ''}")

    def _preloaded(self) -> dict[str, str]:
        program = self.bin / "pg_config"
        if not program.exists():
            return {}
        share = subprocess.run([program, "--sharedir"], capture_output=True, text=True, check=True).stdout.strip()
        if not (Path(share) / "extension" / "timescaledb.control").exists():
            return {}
        return {"shared_preload_libraries": "timescaledb", "timescaledb.telemetry_level": "off"}


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server that tests share; they may make databases and roles, not stop it."""
    if dsn := os.environ.get("SYNCD_TEST_DSN"):
        yield Server(dsn)
        return
    with running_server() as own:
        yield own


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    """The DSN of a new, empty database."""
    with new_database(server) as dsn:
        yield dsn


@contextmanager
def new_database(server: Server) -> Iterator[str]:
    """A new, empty database by its DSN, dropped at the end."""
    name = f"syncd_{secrets.token_hex(6)}"
    server.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    try:
        yield server.dsn(name)
    finally:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def timescale(server: Server) -> None:
    """A test that needs TimescaleDB: skipped, with the reason, where the server does not offer it."""
    if not server.has_timescaledb:
        pytest.skip("the server does not offer TimescaleDB: SYNCD_TEST_PG_BIN names the programs of one that does")


@pytest.fixture
def own_server() -> Iterator[OwnServer]:
    """A server of the test's own, which it may stop, pause and break."""
    with running_server() as own:
        yield own


@pytest.fixture
def standby(own_server: OwnServer) -> Iterator[OwnServer]:
    """A read-only standby of `own_server`, caught up with what that held when the fixture was made."""
    if not (own_server.bin / "pg_basebackup").exists():
        pytest.skip(f"no pg_basebackup in {own_server.bin}: a standby cannot be tested")
    with own_folder() as folder:
        copy = OwnServer(folder)
        copy.run(
            "pg_basebackup",
            "--pgdata=.",
            f"--dbname={own_server.conninfo}",
            "--write-recovery-conf",
            "--checkpoint=fast",
            "--no-sync",
        )
        try:
            copy.start()
            yield copy
        finally:
            copy.close()


@pytest.fixture
def password_dsn(request: pytest.FixtureRequest, server: Server, database: str) -> str:
    """A DSN without its password, of a role that needs one (PASSWORD) and owns the database."""
    if not isinstance(server, OwnServer):
        pytest.skip("the rules of the server in SYNCD_TEST_DSN are not ours: passwords cannot be tested")
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    with suppress(psycopg.errors.DuplicateObject):
        server.execute(f"CREATE ROLE guarded LOGIN PASSWORD '{PASSWORD}'")
    server.execute(f"ALTER DATABASE {name} OWNER TO guarded")
    return make_conninfo(database, user="guarded")


def wait_until_caught_up(primary: Server, standby: Server, seconds: float = 30) -> None:
    """Wait until the standby has replayed all that the primary has written by now."""
    with closing(psycopg.connect(primary.dsn(), autocommit=True)) as connection:
        row = connection.execute("SELECT pg_current_wal_lsn()::text").fetchone()
        assert row is not None
    deadline = time.monotonic() + seconds
    with closing(psycopg.connect(standby.dsn(), autocommit=True)) as connection:
        while connection.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", row).fetchone() != (True,):
            assert time.monotonic() < deadline, f"the standby has not caught up in {seconds} s"
            time.sleep(0.02)


@contextmanager
def running_server() -> Iterator[OwnServer]:
    with own_folder() as folder:
        own = OwnServer(folder)
        try:
            own.initialise()
            own.start()
            yield own
        finally:
            own.close()


@contextmanager
def own_folder() -> Iterator[Path]:
    """A temporary folder that belongs to the account of the servers."""
    # A short path: a socket's address holds 107 bytes, and pytest's own temporary folders are long.
    folder = Path(tempfile.mkdtemp(prefix="syncd-pg-", dir="/tmp"))
    try:
        account: pwd.struct_passwd | None = embedded.unprivileged(folder)
        if account:
            os.chown(folder, account.pw_uid, account.pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def _children(parent: int) -> list[int]:
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # pid (name) state ppid ...; the name may hold anything.
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                children.append(int(stat.parent.name))
    return children
