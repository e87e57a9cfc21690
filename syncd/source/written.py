"""What was written to a file since a private copy of it was taken: by table, told without any plan."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from syncd.quoting import identifier, literal
from syncd.source.database import Database, SourceConnection, query, translated

_TABLES = (
    "SELECT name FROM pragma_table_list WHERE schema = ? AND type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
)
EXAMPLES = 3


@dataclass(frozen=True)
class Written:
    """One table: rows that are new or changed, with the keys of some; rows that are there no longer, or changed."""

    table: str
    new: int
    gone: int
    examples: tuple[str, ...]


def since(path: Path, base: Path) -> tuple[Written, ...]:
    """Compare every row of a file with those of its copy, byte by byte; the tables in which they differ.

    Raises SourceError, RefusedError and SourceBusyError.
    """
    database = Database(path)
    try:
        with translated(path):
            copy = Database(base, private=True)
            try:
                database.connection.execute("ATTACH ? AS base", (copy.uri,))
            finally:
                copy.close()
        with database.transaction() as connection:
            return tuple(_written(connection))
    finally:
        database.close()


def _written(connection: SourceConnection) -> Iterator[Written]:
    now, before = ({name for (name,) in query(connection, _TABLES, (side,))} for side in ("main", "base"))
    for table in sorted(now | before):
        if table not in before or (
            table in now and _columns(connection, "main", table) != _columns(connection, "base", table)
        ):
            yield Written(table, _count(connection, "main", table), 0, ())
        elif table not in now:
            yield Written(table, 0, _count(connection, "base", table), ())
        elif written := _rows(connection, table):
            yield written


def _rows(connection: SourceConnection, table: str) -> Written | None:
    new, gone = (_missing(connection, table, *sides) for sides in (("main", "base"), ("base", "main")))
    more = _count(connection, "main", table) - _count(connection, "base", table)
    if not (new or gone or more):
        return None
    # Rows that are equal in all columns count once: of those there are more, or fewer.
    return Written(table, max(len(new), more), max(len(gone), -more), tuple(new[:EXAMPLES]))


def _missing(connection: SourceConnection, table: str, side: str, other: str) -> list[str]:
    """The keys of the rows of one side that the other one has not."""
    columns = _columns(connection, side, table)
    # A collation, or an integer that is a float now, would let different values be equal.
    values = ", ".join(
        f"typeof({identifier(name)}) AS t{n}, {identifier(name)} COLLATE BINARY AS v{n}"
        for n, (name, _) in enumerate(columns)
    )
    keys = [n for n, (_, in_key) in enumerate(columns) if in_key] or [0]
    key = " || ', ' || ".join(f"quote(v{n})" for n in keys)
    rows = " EXCEPT ".join(f"SELECT {values} FROM {one}.{identifier(table)}" for one in (side, other))
    return [found for (found,) in query(connection, f"SELECT {key} FROM ({rows})")]


def _columns(connection: SourceConnection, side: str, table: str) -> list[tuple[str, int]]:
    return query(connection, f"SELECT name, pk FROM pragma_table_info({literal(table)}, {literal(side)})")


def _count(connection: SourceConnection, side: str, table: str) -> int:
    return int(query(connection, f"SELECT count(*) FROM {side}.{identifier(table)}")[0][0])
