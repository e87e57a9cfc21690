"""What a full comparison has proven, and which keys were written since: what is left to prove at a cutover.

`syncd.proven` has a row for each table of which every row was found equal. Every key that passes applied is in
`syncd.written` until a sweep forgets it; from there it goes to `syncd.unproven`, as long as its table is proven.
"""

from collections.abc import Iterable, Mapping

from syncd.target.database import Connection, translated
from syncd.target.sql import statement

Keys = Mapping[str, frozenset[str]]
"""Source keys with the target keys that are known for them; the empty source key has those of which none is known."""


def note(connection: Connection, source_name: str, tables: Iterable[str], seconds: float) -> None:
    """A full comparison that took so long found these tables equal. Keys written before it began need no more proof."""
    connection.execute(statement("proven_note"), {"source": source_name, "tables": list(tables), "seconds": seconds})


def forget(connection: Connection, source_name: str, tables: Iterable[str]) -> None:
    """A full comparison found differences in these tables: nothing about them is proven."""
    connection.execute(
        "DELETE FROM syncd.proven WHERE source_name = %s AND table_name = ANY (%s)", [source_name, list(tables)]
    )


def tables(connection: Connection, source_name: str) -> Mapping[str, str]:
    """The proven tables, each with the moment of its proof in ISO 8601."""
    with translated():
        rows = connection.execute(
            "SELECT table_name, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM syncd.proven"
            " WHERE source_name = %s",
            [source_name],
        ).fetchall()
    return {name: str(at) for name, at in rows}


_WRITTEN = (
    "(SELECT source_key, target_key FROM syncd.written WHERE source_name = %(source)s AND table_name = %(table)s UNION"
    " SELECT source_key, target_key FROM syncd.unproven WHERE source_name = %(source)s AND table_name = %(table)s)"
)


def written_since(connection: Connection, source_name: str, table: str) -> Keys:
    """Every key of a proven table that was written since its proof, and perhaps some that were written before."""
    query = (
        "SELECT source_key, coalesce(array_agg(target_key) FILTER (WHERE target_key <> ''), '{}') FROM "
        f"{_WRITTEN} AS w GROUP BY source_key"
    )
    with translated():
        rows = connection.execute(query, {"source": source_name, "table": table}).fetchall()
    return {key: frozenset(known) for key, known in rows}


def count_written(connection: Connection, source_name: str, table: str) -> int:
    """How many source keys `written_since` would tell."""
    query = f"SELECT count(DISTINCT source_key) FROM {_WRITTEN} AS w"
    with translated():
        return int(connection.execute(query, {"source": source_name, "table": table}).fetchall()[0][0])
