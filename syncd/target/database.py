"""The target: how it is reached, what its failures mean, and what is worth trying again."""

import os
import re
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    stop_any,
    wait_exponential,
    wait_random,
)
from tenacity.stop import stop_base

from syncd.errors import (
    ConfigError,
    RefusedError,
    RetryError,
    SchemaError,
    StopError,
    SyncdError,
    TargetError,
    TargetUnavailableError,
    WrongTargetError,
)
from syncd.target.stall import guard

Connection = psycopg.Connection[tuple[Any, ...]]
PostgresError = psycopg.Error
"""What a statement raises; `is_row_fault` and `explain` tell what it means."""
IntegrityError = psycopg.errors.IntegrityError
"""A PostgresError: the rows do not obey a constraint."""


class RowFault(psycopg.DataError):
    """The target refuses a row for a reason that elsewhere would not speak of a row's data."""


CONNECT_SECONDS = 10
_CANCEL_SECONDS = 5.0
_USUAL_PORT = "5432"
_STEP = 0.1
_PASSING = re.compile(r"08...|57P0[1-5]|53...|40001|40P01|55P03|25P0[34]|XX...")
"""SQLSTATEs of faults that pass: connection, shutdown and start, resources, deadlock, lock timeout, time-outs."""
_ROW = re.compile(r"22...|23...|21000")
"""SQLSTATEs that speak of a row's data, wherever they come from."""
REFUSED = (
    r"^(22...|23...|21000|0A000|4260[12]|54..."
    r"|09...|20...|27...|2F...|38...|39...|44...|45...|([689I-SU-WYZ].|T[^S]|X[^X])...)$"
)
"""SQLSTATEs that, of a statement which brings rows, speak of a row: its data; a value that is not supported, not in the
type's syntax, or beyond a limit; what triggers and functions of the target raise, also under a class of their own."""
# libpq tells no SQLSTATE of a connection that was not made. What it says when a server goes away in the middle ("SSL
# SYSCALL error: EOF detected", "SSL connection has been closed unexpectedly") is in neither: it passes.
_REFUSED_AT_THE_DOOR = re.compile(
    r"authentication failed|no password supplied|pg_hba\.conf|role .* does not exist|valid client certificate"
    r"|permission denied for database|not permitted to log in"
)
_WRONG_DOOR = re.compile(
    r"database .* does not exist|SSL was required|certificate verify failed|root certificate|server certificate"
    r"|certificate file|private key file|host name must be specified"
)
_CHECK_USER = "Check user and password of the target, and the server's pg_hba.conf"
_CHECK_PLACE = "Check host, port, database, sslmode and sslrootcert of the target"


@dataclass(frozen=True)
class Target:
    """Where the target is. The password stands apart from the DSN, so that neither is shown by accident."""

    dsn: str = field(repr=False)
    password: str | None = field(default=None, repr=False)
    schema: str = "public"
    timezone: str = "UTC"

    @property
    def shown(self) -> str:
        """Host, port and database, for people; never a secret. The usual port of a socket is left out."""
        given = {name: str(value) for name, value in conninfo_to_dict(self.dsn).items()}
        known = {"host": "local socket", "port": _USUAL_PORT, **_environment(), **given}
        host, port = known["host"], known["port"]
        is_plain = port == _USUAL_PORT and host.startswith(("/", "local socket"))
        return f"{host if is_plain else f'{host}:{port}'}/{known.get('dbname', known.get('user', ''))}"


def _environment() -> dict[str, str]:
    names = {"PGHOST": "host", "PGPORT": "port", "PGDATABASE": "dbname", "PGUSER": "user"}
    return {key: os.environ[name] for name, key in names.items() if name in os.environ}


def parse(dsn: str) -> None:
    """Raise ConfigError where libpq cannot read the DSN; its own message may echo a password, so it is not shown."""
    try:
        conninfo_to_dict(dsn)
    except psycopg.Error:
        raise ConfigError(
            "the target's DSN cannot be read",
            where="[target] dsn",
            advice="Write postgresql://user@host/database, odd characters percent-encoded, or host=... dbname=...",
        ) from None


def connect(target: Target) -> Connection:
    """Open a connection with every setting pinned that changes what a value means. Autocommit is on.

    Raises TargetUnavailableError where trying again may help, else RefusedError or TargetError.
    """
    further: dict[str, Any] = {"application_name": "syncd", "connect_timeout": CONNECT_SECONDS}
    if target.password is not None:
        further["password"] = target.password
    given = conninfo_to_dict(target.dsn)
    with translated(target.shown):
        connection = psycopg.connect(
            target.dsn,
            autocommit=True,
            prepare_threshold=2,
            **{key: value for key, value in further.items() if key == "password" or key not in given},
        )
        _pin(connection, target)
    return connection


def _pin(connection: Connection, target: Target) -> None:
    settings = {
        "TimeZone": target.timezone,
        "DateStyle": "ISO, YMD",
        "IntervalStyle": "postgres",
        "client_encoding": "UTF8",
        "standard_conforming_strings": "on",
        "bytea_output": "hex",
        "extra_float_digits": "1",
        "statement_timeout": "0",
        "lock_timeout": "60s",
        "idle_in_transaction_session_timeout": "120s",
        # The server notices within a minute that we vanished from the network, and gives our lock to the next.
        "tcp_keepalives_idle": "30",
        "tcp_keepalives_interval": "10",
        "tcp_keepalives_count": "3",
        "client_min_messages": "warning",
        # By default TimescaleDB refuses to decompress over 100,000 rows, which 10,000 upserts can do (53400).
        # Without the extension it is a name that nobody reads.
        "timescaledb.max_tuples_decompressed_per_dml_transaction": "0",
    }
    if connection.info.server_version >= 140000:
        settings["client_connection_check_interval"] = "5s"
    names = list(settings)
    query = "SELECT " + ", ".join("set_config(%s, %s, false)" for _ in names)
    connection.execute(query, [part for name in names for part in (name, settings[name])])
    if connection.execute("SELECT pg_is_in_recovery()").fetchall()[0][0]:
        connection.close()
        raise TargetError(
            "the target is a read-only standby", where=target.shown, advice="Connect to the primary server"
        )


@contextmanager
def translated(where: str = "") -> Iterator[None]:
    """Turn PostgreSQL's failures into ours, except those that speak of a row's data: they are the stage's business."""
    try:
        yield
    except psycopg.Error as error:
        if is_row_fault(error):
            raise
        raise explain(error, where) from None


def is_row_fault(error: psycopg.Error) -> bool:
    """Whether the failure speaks of a row's data: a value, a key, a constraint."""
    return isinstance(error, RowFault) or bool(error.sqlstate and _ROW.fullmatch(error.sqlstate))


@contextmanager
def bringing_rows() -> Iterator[None]:
    """Surrounds what brings rows into the target: a failure that may be a row's own comes out as a row fault."""
    try:
        yield
    except psycopg.Error as error:
        if not is_row_fault(error) and re.match(REFUSED, error.sqlstate or ""):
            raise RowFault(str(error)) from error
        raise


def explain(error: psycopg.Error, where: str = "") -> SyncdError:
    """What a failure of PostgreSQL means for the user."""
    said = str(error).strip() or type(error).__name__
    state = error.sqlstate
    if state is None:
        return _explain_connection(error, said, where)
    if _PASSING.fullmatch(state):
        return TargetUnavailableError(said, where=where, advice="Trying again")
    if state == "25006":
        return TargetError(said, where=where, advice="The target is read-only: connect to the primary server")
    if state == "42501":
        return RefusedError(said, where=where, advice="Grant the role of the target what the message names")
    if state[:2] == "28":
        return RefusedError(said, where=where, advice=_CHECK_USER)
    if state[:2] == "3D":
        return WrongTargetError(said, where=where, advice=_CHECK_PLACE)
    if state[:2] == "TS":
        return SchemaError(said, where=where, advice="TimescaleDB refuses: change what it names, or the configuration")
    if state[:2] == "42":
        return SchemaError(
            said,
            where=where or error.diag.table_name or "",
            advice="The target's tables changed: run syncd load, or undo the change",
        )
    return StopError(f"{said} (SQLSTATE {state})", where=where)


def _explain_connection(error: psycopg.Error, said: str, where: str) -> SyncdError:
    """What a failure without SQLSTATE means: the connection was not made, or is gone."""
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return StopError(said, where=where)
    if _REFUSED_AT_THE_DOOR.search(said):
        return RefusedError(said, where=where, advice=_CHECK_USER)
    if _WRONG_DOOR.search(said):
        return WrongTargetError(said, where=where, advice=_CHECK_PLACE)
    return TargetUnavailableError(said, where=where, advice="Trying again")


def notices(connection: Connection, seconds: float) -> bool:
    """Wait at most so long for a NOTIFY on a channel that the session listens to; returns whether one came.

    Raises TargetUnavailableError as soon as the session ends. psycopg's own wait looks ten times a second.
    """
    with translated():
        if _has_notice(connection):
            return True
        select.select([connection.fileno()], [], [], seconds)
        return _has_notice(connection)


def _has_notice(connection: Connection) -> bool:
    return any(True for _ in connection.notifies(timeout=0, stop_after=1))


def cancel(connection: Connection) -> None:
    """Let the server give up what this session is at; the session's own thread meets a StopError then.

    A server that does not answer in 5 s is left alone: whoever waits for it learns that by other means.
    """
    with suppress(psycopg.Error):
        connection.cancel_safe(timeout=_CANCEL_SECONDS)


class _StopWhen(stop_base):
    """Stop when a function says so."""

    def __init__(self, stopping: Callable[[], bool]) -> None:
        self._stopping = stopping

    def __call__(self, retry_state: RetryCallState) -> bool:  # noqa: ARG002 - tenacity names it
        return self._stopping()


def retrying(
    stop_after: float, on_retry: Callable[[RetryError], None], stopping: Callable[[], bool] = lambda: False
) -> Retrying:
    """Try again what failed for a passing reason, at growing and scattered intervals, for `stop_after` seconds.

    Gives up as well, in the middle of a wait, when `stopping` tells so.
    """

    def report(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, RetryError):
            on_retry(error)

    return Retrying(
        retry=retry_if_exception_type(RetryError),
        wait=wait_exponential(multiplier=0.1, max=5) + wait_random(0, 0.5),
        stop=stop_any(stop_after_delay(stop_after), _StopWhen(stopping)),
        sleep=lambda seconds: pause(seconds, stopping),
        before_sleep=report,
        reraise=True,
    )


def pause(seconds: float, stopping: Callable[[], bool]) -> None:
    """Sleep, but not after `stopping` tells that there is no time for it."""
    deadline = time.monotonic() + seconds
    while not stopping() and (left := deadline - time.monotonic()) > 0:
        time.sleep(min(left, _STEP))


@contextmanager
def transaction(connection: Connection, *, durable: bool = True) -> Iterator[None]:
    """One transaction, watched for a server that stops answering.

    `durable = False` lets a crash of the server lose it whole, rows and checkpoint together: the load does it again.
    """
    with translated(), guard(connection):
        connection.execute("BEGIN" if durable else "BEGIN; SET LOCAL synchronous_commit = off")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if not connection.closed and not connection.broken:
                _roll_back(connection)
            raise


def _roll_back(connection: Connection) -> None:
    """End a failed transaction; a connection that cannot is closed, which ends it too."""
    try:
        connection.execute("ROLLBACK")
    except psycopg.Error:
        connection.close()


@contextmanager
def savepoint(connection: Connection) -> Iterator[None]:
    """A part of a transaction that is undone alone when it fails."""
    connection.execute("SAVEPOINT part")
    try:
        yield
    except psycopg.Error:
        if not connection.broken:
            connection.execute("ROLLBACK TO SAVEPOINT part")
        raise
    connection.execute("RELEASE SAVEPOINT part")
