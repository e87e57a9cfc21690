"""Lines as COPY reads them; those of a keyed batch end with the source key and the target key."""

import psycopg
from psycopg import sql

from syncd.target.database import Connection, RowFault, bringing_rows, is_row_fault

SOURCE_KEY = "_syncd_source_key"
TARGET_KEY = "_syncd_target_key"
CSV = "FORMAT csv, QUOTE '''', NULL 'NULL'"


def copy(connection: Connection, query: sql.Composed, payload: bytes) -> None:
    """Send lines to a COPY statement. Raises psycopg's errors, row faults for a line that does not fit."""
    try:
        with bringing_rows(), connection.cursor() as cursor, cursor.copy(query) as writing:
            writing.write(payload)
            writing.write(b"\n")
    except psycopg.ProgrammingError as error:
        # No such table, say: of a statement that cannot begin it is told without context, of a line's regclass with it.
        if is_row_fault(error) or not error.diag.context or error.sqlstate == "42501":
            raise
        raise RowFault(str(error)) from error
