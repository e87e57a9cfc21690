"""Lines as COPY reads them; those of a keyed batch end with the source key and the target key."""

from psycopg import sql

from syncd.target.database import Connection

SOURCE_KEY = "_syncd_source_key"
TARGET_KEY = "_syncd_target_key"
CSV = "FORMAT csv, QUOTE '''', NULL 'NULL'"


def copy(connection: Connection, query: sql.Composed, payload: bytes) -> None:
    """Send lines to a COPY statement. Raises psycopg's errors for a line that does not fit."""
    with connection.cursor() as cursor, cursor.copy(query) as writing:
        writing.write(payload)
        writing.write(b"\n")
