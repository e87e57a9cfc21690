"""Which PostgreSQL: the flags, the configuration, libpq's environment, or the one that comes along."""

import os
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from syncd.cli.options import Options
from syncd.config import Config
from syncd.config.values import meant
from syncd.errors import ConfigError, RefusedError, UsageError
from syncd.log import event, hide
from syncd.service.systemd import credential
from syncd.target.database import Target, parse

EMBEDDED = "embedded"
CREDENTIAL = "pgpassword"
_SECRET_PARTS = ("password", "sslpassword")
_READABLE_BY_OTHERS = 0o004


def choose(options: Options, config: Config, environ: Mapping[str, str] = os.environ) -> Target | None:
    """The target; None is the embedded one. Every secret in it is hidden from now on.

    The password is the flag's, else the DSN's, else the password file's, else systemd's, else what libpq finds.
    Raises UsageError, ConfigError and RefusedError.
    """
    flags = _flags(options)
    if options.target == EMBEDDED and flags:
        raise UsageError("--target embedded and the --pg- options exclude each other")
    dsn = config.target.dsn
    if dsn == EMBEDDED and not flags:
        return None
    if dsn is None and not flags and not _speaks_of_postgresql(environ):
        return None
    given = {**_parts("" if dsn in (None, EMBEDDED) else str(dsn), _origin(options, environ)), **flags}
    for name in _SECRET_PARTS:
        hide(given.get(name, ""))
    hide(environ.get("PGPASSWORD", ""))
    password = given.pop("password", None) or _kept_password(config, environ)
    return Target(make_conninfo(**given), password, config.target.schema_, config.target.timezone)


def _flags(options: Options) -> dict[str, str]:
    given = {
        "host": options.pg_host,
        "port": options.pg_port,
        "dbname": options.pg_database,
        "user": options.pg_user,
        "password": options.pg_password,
    }
    if options.pg_password:
        event(
            "WARNING",
            "password_visible",
            "everybody on this machine can see --pg-password; better: PGPASSWORD, or [target] password_file",
        )
    return {name: str(value) for name, value in given.items() if value is not None}


def _speaks_of_postgresql(environ: Mapping[str, str]) -> bool:
    """Whether a variable is set from which libpq takes a part of the connection."""
    known = {option.envvar.decode() for option in psycopg.pq.Conninfo.get_defaults() if option.envvar}
    return any(environ.get(name) for name in known)


def _parts(dsn: str, origin: str) -> dict[str, str]:
    try:
        parse(dsn)
    except ConfigError as error:
        # Only a bare word is shown again: anything else may hold a password.
        near = meant(dsn, [EMBEDDED]) if dsn.isalpha() else ""
        raise ConfigError(error.what + near, where=origin, advice=error.advice) from None
    return {name: str(value) for name, value in conninfo_to_dict(dsn).items() if value is not None}


def _origin(options: Options, environ: Mapping[str, str]) -> str:
    if options.target is not None:
        return "--target"
    return "SYNCD_TARGET" if environ.get("SYNCD_TARGET") else "[target] dsn"


def _kept_password(config: Config, environ: Mapping[str, str]) -> str | None:
    """The password that is kept outside of the DSN: in a file, or by systemd."""
    path = config.target.password_file
    password = _read_password(path) if path else credential(CREDENTIAL, environ)
    hide(password or "")
    return password


def _read_password(path: Path) -> str:
    where = f"[target] password_file: {path}"
    try:
        text = path.read_text("utf-8")
        mode = path.stat().st_mode
    except PermissionError:
        advice = "Give the user that runs syncd the right to read it"
        raise RefusedError("the file may not be read", where=where, advice=advice) from None
    except OSError as error:
        raise ConfigError(f"the file cannot be read: {error.strerror}", where=where) from None
    except UnicodeDecodeError:
        raise ConfigError("the file is no UTF-8 text", where=where) from None
    password = text.removesuffix("\n").removesuffix("\r")
    if not password or "\n" in password:
        raise ConfigError("the file must hold one line, the password", where=where)
    if mode & _READABLE_BY_OTHERS:
        event("WARNING", "password_readable", f"{where}: everybody can read it: chmod o-r {path}")
    return password
