"""Whether TimescaleDB can be used: available, preloaded, installed, new enough, and under which licence."""

from dataclasses import dataclass

from psycopg import sql

from syncd.errors import NotReadyError
from syncd.target.database import Connection, translated
from syncd.target.sql import statement

OLDEST = (2, 13, 0)
"""The first release with `by_range`."""
_COLUMNSTORE_NAMES = (2, 18, 0)
_SILENT_CONFLICTS = ((2, 17, 0), (2, 18, 2))
"""From and before: ON CONFLICT DO NOTHING into compressed chunks stopped at the first conflict.

https://github.com/timescale/timescaledb/pull/7673
"""
_JOBS_MENDED = (2, 28, 4)
_JOBS_BROKEN_SINCE = {15: 19, 16: 15, 17: 11, 18: 5}
"""Before it, background jobs do not run on the minor releases of PostgreSQL from August 2026 on: these."""

Version = tuple[int, int, int]


@dataclass(frozen=True)
class Timescale:
    """The extension as it is in this database; `community` tells whether the licence has compression and aggregates.

    `schema` holds its functions.
    """

    version: Version
    community: bool
    schema: str

    @property
    def has_columnstore_names(self) -> bool:
        return self.version >= _COLUMNSTORE_NAMES

    @property
    def shown(self) -> str:
        return ".".join(map(str, self.version))

    def function(self, name: str) -> sql.Identifier:
        """The name of one of its functions, qualified."""
        return sql.Identifier(self.schema, name)

    @property
    def lost_rows(self) -> str:
        """What this release does to rows of compressed chunks; empty where it is sound."""
        first, mended = _SILENT_CONFLICTS
        if not first <= self.version < mended:
            return ""
        return f"TimescaleDB {self.shown} loses rows of INSERT ... ON CONFLICT DO NOTHING into compressed chunks"

    def check_compression(self, where: str) -> None:
        """Raise NotReadyError where chunks cannot be compressed, or must not be."""
        self.check_community(where)
        if self.lost_rows:
            raise NotReadyError(
                self.lost_rows,
                where=where,
                advice="Update it to 2.18.2 or later: ALTER EXTENSION timescaledb UPDATE; or leave out compress_after",
            )

    def check_community(self, where: str) -> None:
        """Raise NotReadyError where the licence lacks compression, continuous aggregates and policies."""
        if not self.community:
            raise NotReadyError(
                "TimescaleDB runs under its Apache licence, which has no compression, aggregates and policies",
                where=where,
                advice="Set timescaledb.license = 'timescale' on the server, with the community edition installed; "
                "or leave out this section, compress_after and retain",
            )


@dataclass(frozen=True)
class Blocked:
    """Why TimescaleDB cannot be used, and what to do about it."""

    what: str
    advice: str

    @property
    def error(self) -> NotReadyError:
        return NotReadyError(self.what, where="TimescaleDB", advice=self.advice)


@dataclass(frozen=True)
class Installable:
    """The extension is available, preloaded, and this role may install it."""

    version: Version


def detect(connection: Connection) -> Timescale | Installable | Blocked:
    """What there is of TimescaleDB; nothing is changed."""
    with translated():
        row = connection.execute(statement("timescale")).fetchall()[0]
    installed, available, schema, preloaded, licence, may_create, server = row
    if available is None:
        return Blocked(
            f"the server, PostgreSQL {server}, does not offer TimescaleDB",
            "Install its package for this version on the server, and add it to shared_preload_libraries",
        )
    if not preloaded:
        return Blocked(
            "TimescaleDB is not preloaded",
            "Set shared_preload_libraries = 'timescaledb' in postgresql.conf, and restart the server",
        )
    if installed is None and not may_create:
        return Blocked(
            "TimescaleDB is not installed in this database, and the role may not install it",
            "As an administrator: CREATE EXTENSION timescaledb; or GRANT CREATE ON DATABASE to the role",
        )
    version = _version(installed or available)
    if version < OLDEST:
        return Blocked(
            f"TimescaleDB {installed or available} is too old",
            f"2.13 is the oldest that can be used: ALTER EXTENSION timescaledb UPDATE; {available} is available",
        )
    return Timescale(version, licence != "apache", schema) if installed else Installable(version)


def required(connection: Connection, *, install: bool) -> Timescale:
    """TimescaleDB as it is, installed first where that is missing. Raises NotReadyError where it cannot be used."""
    found = detect(connection)
    if isinstance(found, Installable) and install:
        with translated("CREATE EXTENSION timescaledb"):
            connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
        found = detect(connection)
    match found:
        case Timescale():
            return found
        case Installable():
            return Timescale(found.version, community=True, schema="public")
        case Blocked():
            raise found.error


NONE = Timescale((0, 0, 0), community=False, schema="public")
"""No TimescaleDB: good enough for plain indexes."""


def is_installed(connection: Connection) -> bool:
    """Whether the extension is installed in this database."""
    with translated():
        return bool(
            connection.execute("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')").fetchall()[0][
                0
            ]
        )


def warning(timescale: Timescale, connection: Connection) -> str:
    """What is known to be wrong with this release on this server; empty where nothing is."""
    if timescale.lost_rows:
        return timescale.lost_rows
    number = connection.info.server_version
    broken = _JOBS_BROKEN_SINCE.get(number // 10000)
    if timescale.version < _JOBS_MENDED and broken is not None and number % 10000 >= broken:
        return (
            f"TimescaleDB {timescale.shown} before 2.28.4 may not run its background jobs on the newest minor releases"
            " of PostgreSQL: see whether the policies' last runs succeed"
        )
    return ""


def _version(text: str) -> Version:
    numbers = [int(part) for part in text.partition("-")[0].split(".")[:3]]
    return (numbers[0], numbers[1], numbers[2] if len(numbers) > 2 else 0)
