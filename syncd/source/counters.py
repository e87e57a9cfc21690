"""What SQLite has counted: the highest rowid that each AUTOINCREMENT table ever had."""

from collections.abc import Mapping

import apsw

from syncd.source.database import query


def counters(connection: apsw.Connection) -> Mapping[str, int]:
    """The counters by table; they may stand above the highest id that is there: https://sqlite.org/autoinc.html"""
    if not query(connection, "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'"):
        return {}
    return {name: int(value) for name, value in query(connection, "SELECT name, seq FROM sqlite_sequence") if value}
