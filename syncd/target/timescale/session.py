"""A session of its own for shaping: names are looked up in the target's schema first."""

from psycopg import sql

from syncd.target.database import Connection, translated


def prepared(connection: Connection, schema: str) -> None:
    """Let the queries of the configuration find the tables and TimescaleDB's functions without a schema."""
    with translated():
        rows = connection.execute(
            "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
            " WHERE e.extname = 'timescaledb'"
        ).fetchall()
        names = dict.fromkeys([schema, *(name for (name,) in rows), "public"])
        path = sql.SQL(", ").join(map(sql.Identifier, names)).as_string()
        connection.execute("SELECT set_config('search_path', %s, false)", [path])
        # Compressing a chunk and building an index wait for nobody for long, and take what they need.
        connection.execute("SELECT set_config('maintenance_work_mem', '256MB', false)")
