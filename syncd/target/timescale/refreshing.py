"""Refreshing a continuous aggregate, a part at a time."""

import psycopg

from syncd.target.database import Connection


def refresh(connection: Connection, statement: str) -> None:
    """Run one refresh. A window smaller than two buckets is left to the refresh of everything that follows it."""
    try:
        connection.execute(statement.encode())
    except psycopg.errors.InvalidParameterValue:
        if statement.endswith("NULL, NULL)"):
            raise
