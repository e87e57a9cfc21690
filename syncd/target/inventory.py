"""What stands in a report about the target: its versions and the sizes of its tables."""

from collections.abc import Iterable, Mapping

from syncd.target.database import Connection, translated


def versions(connection: Connection) -> Mapping[str, str]:
    """PostgreSQL's version, and TimescaleDB's where the database has it."""
    with translated():
        rows = connection.execute(
            "SELECT 'postgresql', current_setting('server_version')"
            " UNION ALL SELECT extname::text, extversion FROM pg_extension WHERE extname = 'timescaledb'"
        ).fetchall()
    return {name: str(version) for name, version in rows}


def sizes(connection: Connection, schema: str, tables: Iterable[str]) -> Mapping[str, int]:
    """Bytes of each table with its indexes."""
    with translated():
        rows = connection.execute(
            "SELECT relname, pg_total_relation_size(oid) FROM pg_class"
            " WHERE relnamespace = to_regnamespace(quote_ident(%s)) AND relname = ANY (%s)",
            [schema, list(tables)],
        ).fetchall()
    return {name: int(size) for name, size in rows}


def not_validated(connection: Connection, schema: str) -> tuple[tuple[str, str], ...]:
    """Foreign keys, with their tables, that PostgreSQL has not checked for every row; it watches over the others."""
    with translated():
        rows = connection.execute(
            "SELECT c.relname, k.conname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid"
            " WHERE c.relnamespace = to_regnamespace(quote_ident(%s)) AND k.contype = 'f' AND NOT k.convalidated",
            [schema],
        ).fetchall()
    return tuple((table, name) for table, name in rows)
