"""Changing rows of compressed chunks without decompressing more than the batches that may hold them."""

from collections.abc import Iterable

from psycopg import sql

from syncd.target.database import Connection
from syncd.target.timescale import detection


def compressed_by(connection: Connection, schema: str, table: str) -> str | None:
    """The time column of a hypertable that has compressed chunks; None of any other table."""
    if not detection.is_installed(connection):
        return None
    rows = connection.execute(
        "SELECT primary_dimension::text FROM timescaledb_information.chunks"
        " WHERE hypertable_schema = %s AND hypertable_name = %s AND is_compressed LIMIT 1",
        [schema, table],
    ).fetchall()
    return str(rows[0][0]) if rows else None


_AT_ONCE = 500
"""Statements that are sent together."""


def delete(connection: Connection, target: sql.Identifier, keys: sql.Identifier, key: Iterable[str], time: str) -> int:
    """Delete the rows of the keys in a temporary table; returns how many there were.

    A statement for each value of the key beside its time, all in literals: a join alone decompresses every chunk (8 to
    15 s for one row of 915,000), literals only the batches that may hold the rows (3 to 30 ms). A join beside them
    would be planned for compressed chunks that are empty, and take seconds once they are decompressed.
    """
    moment = sql.Identifier(time)
    others = [sql.Identifier(name) for name in key if name != time]
    told = [sql.SQL(f"quote_literal({function}({{}})::text)").format(moment) for function in ("min", "max")]
    told.append(sql.SQL("string_agg(DISTINCT quote_literal({}::text), ', ')").format(moment))
    told += [sql.SQL("quote_literal({}::text)").format(other) for other in others]
    grouped = sql.SQL("SELECT {} FROM {}{}").format(
        sql.SQL(", ").join(told),
        keys,
        sql.SQL(" GROUP BY {}").format(sql.SQL(", ").join(others)) if others else sql.SQL(""),
    )
    statements = [
        sql.SQL("DELETE FROM {} WHERE {} BETWEEN {} AND {} AND {} IN ({}){}").format(
            target,
            moment,
            sql.SQL(begin),
            sql.SQL(end),
            moment,
            sql.SQL(times),
            sql.SQL("").join(
                sql.SQL(" AND {} = {}").format(other, sql.SQL(value))
                for other, value in zip(others, group, strict=True)
            ),
        )
        for begin, end, times, *group in connection.execute(grouped).fetchall()
        if begin is not None
    ]
    return sum(_rows(connection, statements[at : at + _AT_ONCE]) for at in range(0, len(statements), _AT_ONCE))


def _rows(connection: Connection, statements: list[sql.Composed]) -> int:
    cursor = connection.execute(sql.SQL("; ").join(statements))
    rows = cursor.rowcount
    while cursor.nextset():
        rows += cursor.rowcount
    return rows


def leave(
    connection: Connection, target: sql.Identifier, rows: sql.Composable, identity: Iterable[str], time: str
) -> int:
    """Delete the rows of the target with the identity of one of `rows`, and another time; returns how many."""
    names = [sql.Identifier(name) for name in (*identity, time)]
    values = sql.SQL(", ").join(sql.SQL("quote_literal({}::text)").format(name) for name in names)
    statements = [
        sql.SQL("DELETE FROM {} WHERE {}").format(
            target,
            sql.SQL(" AND ").join(
                sql.SQL("{} {} {}").format(name, sql.SQL("<>" if name is names[-1] else "="), sql.SQL(value))
                for name, value in zip(names, found, strict=True)
            ),
        )
        for found in connection.execute(sql.SQL("SELECT {} FROM {}").format(values, rows)).fetchall()
    ]
    return sum(_rows(connection, statements[at : at + _AT_ONCE]) for at in range(0, len(statements), _AT_ONCE))
