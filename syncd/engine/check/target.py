"""Findings about the target's server: version, rights, room."""

import os
import shutil
from collections.abc import Iterator

from syncd.engine.check.findings import Finding, Gravity
from syncd.errors import RetryError, SyncdError
from syncd.plan import Plan
from syncd.target.database import Connection
from syncd.target.environment import Environment, read

OLDEST = 130000
_ROOM_FOR_EACH_BYTE = 2
"""Bytes in PostgreSQL for each byte of SQLite, with indexes and the log: 240 MB became 330 MB and 280 MB of log."""


def unreachable(error: SyncdError) -> Finding:
    advice = "This may pass by itself: check again" if isinstance(error, RetryError) else error.advice
    return Finding(Gravity.BLOCKER, f"the target cannot be used: {error.what}", advice=advice)


def of_target(connection: Connection, schema: str, plan: Plan, source_bytes: int) -> Iterator[Finding]:
    """What hinders a load of that plan; `source_bytes` is the size of the SQLite file."""
    existing = [table.target for table in plan.tables if not table.created]
    there = read(connection, schema, existing)
    yield from _of_server(there)
    yield from _of_rights(there, schema, creating=any(table.created for table in plan.tables))
    yield from _of_room(there, source_bytes)


def _of_server(there: Environment) -> Iterator[Finding]:
    if there.version_number < OLDEST:
        yield Finding(
            Gravity.BLOCKER, f"PostgreSQL {there.version} is older than 13", advice="Use PostgreSQL 13 or later"
        )
    if there.encoding != "UTF8":
        yield Finding(
            Gravity.BLOCKER,
            f"the database's encoding is {there.encoding}, which cannot hold every text of SQLite",
            advice="CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0",
        )


def _of_rights(there: Environment, schema: str, *, creating: bool) -> Iterator[Finding]:
    role, database = f'"{there.role}"', f'"{there.database}"'
    if not there.has_state and not there.may_create_schema:
        yield _missing(
            "may not create the schema syncd, where it keeps its state", f"CREATE ON DATABASE {database} TO {role}"
        )
    if not there.may_create_temporary:
        yield _missing("may not create temporary tables", f"TEMPORARY ON DATABASE {database} TO {role}")
    if not there.has_schema:
        yield Finding(
            Gravity.BLOCKER,
            f"the target has no schema {schema}",
            advice=f'CREATE SCHEMA "{schema}" AUTHORIZATION {role}',
        )
    elif creating and not there.may_create_tables:
        yield _missing(f"may not create tables in the schema {schema}", f'CREATE ON SCHEMA "{schema}" TO {role}')
    if there.unwritable:
        tables = ", ".join(f'"{schema}"."{table}"' for table in there.unwritable)
        yield _missing(
            f"may not read and write {', '.join(there.unwritable)}",
            f"SELECT, INSERT, UPDATE, DELETE ON {tables} TO {role}",
        )


def _missing(what: str, grant: str) -> Finding:
    return Finding(Gravity.BLOCKER, f"the role {what}", advice=f"GRANT {grant}")


def _of_room(there: Environment, source_bytes: int) -> Iterator[Finding]:
    needed = source_bytes * _ROOM_FOR_EACH_BYTE
    folder = there.data_directory
    if not (folder and there.is_local and os.path.isdir(folder)):  # noqa: PTH112 - a path of the server, maybe not ours
        said = f"the target will need about {_megabytes(needed)}; its free space cannot be seen from here"
        yield Finding(Gravity.NOTE, said)
    elif (free := shutil.disk_usage(folder).free) < needed:
        yield Finding(
            Gravity.BLOCKER,
            f"the target will need about {_megabytes(needed)}, and {_megabytes(free)} are free in {folder}",
            advice="Make room, or move the target to a larger disk",
        )


def _megabytes(size: int) -> str:
    return f"{max(1, size // 1_000_000)} MB"
