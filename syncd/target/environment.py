"""What the server is, and what this role may do there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from syncd.target.database import Connection, translated
from syncd.target.sql import statement


@dataclass(frozen=True)
class Environment:
    """The server and the role's rights.

    `version_number` is PostgreSQL's server_version_num. `data_directory` is None where the role may not see it;
    `is_local` where the server runs on this machine. `unwritable` names those of the asked tables that the role may not
    read and write.
    """

    version_number: int
    version: str
    encoding: str
    may_create_schema: bool
    may_create_temporary: bool
    has_state: bool
    has_schema: bool
    may_create_tables: bool
    role: str
    database: str
    data_directory: str | None
    is_local: bool
    unwritable: Sequence[str]


def read(connection: Connection, schema: str, tables: Iterable[str]) -> Environment:
    """Ask the server; `tables` are those that are there already."""
    with translated():
        row = connection.execute(statement("environment"), {"schema": schema, "tables": list(tables)}).fetchall()[0]
    return Environment(*row)
