"""Damage in an SQLite file, as a failing disk leaves it."""

from contextlib import closing
from pathlib import Path

import apsw


def damage_last_page(source: Path, name: str) -> None:
    """Overwrite the last leaf of a table or an index; nobody has the file open."""
    with closing(apsw.Connection(str(source))) as database:
        database.execute("PRAGMA journal_mode = DELETE")
        found = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path DESC LIMIT 1"
        page = int(database.execute(found, (name,)).get)
        size = int(database.pragma("page_size"))
    with source.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
