"""Rows that could not land, kept whole in `syncd.reject` until they do."""

from collections.abc import Iterable, Mapping, Sequence

from syncd.model import Refusal, Reject
from syncd.target.database import Connection, translated


def keep(
    connection: Connection, source_name: str, table: str, refusals: Sequence[Refusal], rows: Mapping[str, str]
) -> None:
    """Keep refused rows; one that was refused before is counted again. `rows`: their data as JSON, by source key."""
    if not refusals:
        return
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO syncd.reject AS r"
            " (source_name, table_name, source_key, row_data, reason, column_name, message, sqlstate)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (source_name, table_name, source_key) DO UPDATE SET row_data = excluded.row_data,"
            " reason = excluded.reason, column_name = excluded.column_name, message = excluded.message,"
            " sqlstate = excluded.sqlstate, last_tried = clock_timestamp(), attempts = r.attempts + 1",
            [
                (source_name, table, r.source_key, rows.get(r.source_key), r.reason, r.column, r.message, r.sqlstate)
                for r in refusals
            ],
        )


def clear(connection: Connection, source_name: str, table: str, keys: Iterable[str]) -> None:
    """Forget the rejects of rows that landed or are gone."""
    connection.execute(
        "DELETE FROM syncd.reject WHERE source_name = %s AND table_name = %s AND source_key = ANY(%s)",
        [source_name, table, list(keys)],
    )


def count(connection: Connection, source_name: str, table: str) -> int:
    with translated():
        return int(
            connection.execute(
                "SELECT count(*) FROM syncd.reject WHERE source_name = %s AND table_name = %s", [source_name, table]
            ).fetchall()[0][0]
        )


def keys(connection: Connection, source_name: str) -> Mapping[str, tuple[str, ...]]:
    """The source keys of all rejects, by table."""
    with translated():
        rows = connection.execute(
            "SELECT table_name, array_agg(source_key ORDER BY source_key) FROM syncd.reject"
            " WHERE source_name = %s GROUP BY table_name",
            [source_name],
        ).fetchall()
    return {table: tuple(found) for table, found in rows}


def listed(connection: Connection, source_name: str, table: str | None = None) -> tuple[Reject, ...]:
    """Every reject, oldest first."""
    with translated():
        rows = connection.execute(
            "SELECT table_name, source_key, reason, message, column_name, sqlstate, attempts,"
            " to_char(first_seen AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),"
            " to_char(last_tried AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),"
            " row_data::text FROM syncd.reject WHERE source_name = %s AND table_name = coalesce(%s, table_name)"
            " ORDER BY first_seen, table_name, source_key",
            [source_name, table],
        ).fetchall()
    return tuple(Reject(*row) for row in rows)


def discard(connection: Connection, source_name: str, table: str, keys: Iterable[str] | None) -> int:
    """Forget rejects for good, all of a table's where no keys are given; returns how many."""
    with translated():
        return connection.execute(
            "DELETE FROM syncd.reject WHERE source_name = %s AND table_name = %s"
            " AND (%s::text[] IS NULL OR source_key = ANY(%s))",
            [source_name, table, *([None if keys is None else list(keys)] * 2)],
        ).rowcount
