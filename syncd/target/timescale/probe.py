"""Trying the queries of continuous aggregates in a transaction that is taken back."""

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

from syncd.target.database import Connection, explain
from syncd.target.timescale import statements, tables

_PROBE = "syncd_probe"


@dataclass(frozen=True)
class Wrong:
    """What is wrong with an aggregate, and the statement that would settle it, if one would."""

    name: str
    what: str
    remedy: str = ""


def aggregates(connection: Connection, schema: str, queries: Mapping[str, str]) -> Wrong | None:
    """The first aggregate, in their order, that cannot be made, or is there with another query."""
    connection.execute("BEGIN")
    try:
        for name, query in queries.items():
            there = tables.aggregates(connection, schema)
            made = _PROBE if name in there else name
            try:
                connection.execute(statements.create_aggregate(schema, made, query).encode())
            except psycopg.ProgrammingError as error:
                return Wrong(name, " ".join(str(error).split()))
            except psycopg.Error as error:
                if error.sqlstate and error.sqlstate[:2] in ("0A", "22"):
                    return Wrong(name, " ".join(str(error).split()))
                raise explain(error, name) from None
            if made == _PROBE:
                if tables.aggregates(connection, schema)[_PROBE] != there[name]:
                    what = "an aggregate of this name is there, with another query"
                    return Wrong(name, what, f"DROP MATERIALIZED VIEW {name}, and run it again")
                connection.execute(statements.drop_aggregate(schema, _PROBE).encode())
    finally:
        if not connection.closed:
            connection.execute("ROLLBACK")
    return None
