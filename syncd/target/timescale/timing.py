"""Queries to be timed: those of the configuration, or three of a kind that every hypertable meets."""

import statistics
import time
from collections.abc import Mapping

import psycopg
from psycopg import sql

from syncd.errors import SchemaError
from syncd.target.database import Connection
from syncd.target.timescale.statements import Shaping

_RUNS = 3


def usual(connection: Connection, shaping: Shaping, segment: str | None) -> Mapping[str, str]:
    """One segment over a year, all segments on one day, and a monthly aggregate of a hypertable.

    The segment and the year are those of the latest row. Empty where the table has no row, or counts time in numbers.
    """
    time_, table = sql.Identifier(shaping.plan.time_column), shaping.name
    if shaping.plan.is_integer:
        return {}
    one = sql.Identifier(segment) if segment else time_
    query = sql.SQL("SELECT {0}::text, {1}::text FROM {2} ORDER BY {1} DESC, {0} LIMIT 1").format(one, time_, table)
    found = connection.execute(query).fetchall()
    if not found:
        return {}
    value, latest = sql.Literal(found[0][0]), sql.Literal(found[0][1])
    day = sql.SQL("{0} >= {1}::date AND {0} < {1}::date + 1").format(time_, latest)
    year = sql.SQL("{0} > {1}::timestamp - interval '1 year'").format(time_, latest)
    of_one = sql.SQL("SELECT * FROM {} WHERE {} = {} AND {} ORDER BY {}").format(table, one, value, year, time_)
    queries = {
        f"one {segment} over a year": of_one,
        f"every {segment} on one day": sql.SQL("SELECT * FROM {} WHERE {}").format(table, day),
        "by month": sql.SQL("SELECT date_trunc('month', {0}) AS month, {1}, count(*) FROM {2} GROUP BY 1, 2").format(
            time_, one, table
        ),
    }
    if segment is None:
        del queries[f"one {segment} over a year"], queries[f"every {segment} on one day"]
    return {f"{shaping.table}: {name}": query.as_string() for name, query in queries.items()}


def timed(connection: Connection, name: str, query: str) -> float:
    """The median seconds of three runs, all rows fetched. Raises SchemaError for a query that PostgreSQL refuses."""
    seconds = []
    for _ in range(_RUNS):
        began = time.perf_counter()
        try:
            connection.execute(query.encode()).fetchall()
        except psycopg.ProgrammingError as error:
            raise SchemaError(
                " ".join(str(error).split()), where=f"benchmark:{name}", advice=f"Correct [benchmark:{name}] query"
            ) from None
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)
