"""A database that only the test writes to, its private copies, and their difference found in the plainest way."""

import struct
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw

from syncd.plan import TablePlan
from syncd.source import snapshot
from syncd.source.database import Database
from syncd.source.difference import ChangedKey, Difference
from tests.plugins.planned import planned


class Images:
    """One database at several times."""

    def __init__(self, folder: Path, script: str = "", *, page_size: int = 512, wal: bool = False) -> None:
        self.folder = folder
        self.path = folder / "app.db"
        with closing(apsw.Connection(str(self.path))) as connection:
            connection.execute(
                f"PRAGMA page_size = {page_size}; PRAGMA journal_mode = {'WAL' if wal else 'MEMORY'}"
            ).fetchall()
            connection.execute(f"PRAGMA synchronous = OFF; {script}").fetchall()

    def write(self, script: str, rows: Iterable[tuple[Any, ...]] | None = None) -> None:
        with closing(apsw.Connection(str(self.path))) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            if rows is None:
                connection.execute(script).fetchall()
            else:
                with connection:
                    connection.executemany(script, rows)

    def copy(self) -> str:
        with closing(Database(self.path)) as database, database.transaction():
            return snapshot.take(database, self.folder)

    def plan(self, name: str = "t", **changes: Any) -> TablePlan:
        with closing(Database(self.path)) as database:
            return planned(database.connection, name, **changes)

    def difference(self, base: str, new: str, plan: TablePlan) -> list[ChangedKey]:
        with (
            closing(snapshot.opened(self.folder, base)) as older,
            closing(snapshot.opened(self.folder, new)) as newer,
            Difference(older, newer) as difference,
        ):
            return list(difference.rows(plan))

    def found(self, base: str, new: str, plan: TablePlan) -> dict[str, str | None]:
        """The difference; each key may come once."""
        keys = self.difference(base, new, plan)
        assert len({key.source_key for key in keys}) == len(keys)
        return {key.source_key: key.target_key for key in keys}

    def naive(self, base: str, new: str, plan: TablePlan) -> set[str]:
        """The source keys of all rows that are not the same, found by reading every row of both copies."""
        old, newer = self.rows(base, plan), self.rows(new, plan)
        return {key for key in old.keys() | newer.keys() if old.get(key) != newer.get(key)}

    def rows(self, name: str, plan: TablePlan) -> dict[str, tuple[Any, ...]]:
        """Every row that belongs, by source key; values with their storage class, reals by their bits."""
        with closing(apsw.Connection(str(snapshot.path_of(self.folder, name)))) as connection:
            values = [
                *plan.source_key,
                *(c.expression for c in plan.columns),
                *(f"({c.condition})" for c in plan.checks),
            ]
            shown = ",".join(f"typeof({e}), iif(typeof({e})='text', CAST({e} AS BLOB), {e})" for e in values)
            found = connection.execute(f'SELECT {shown} FROM "{plan.name}" WHERE {plan.where}').fetchall()
        rows = {}
        for row in found:
            pairs: tuple[tuple[Any, Any], ...] = tuple(zip(row[::2], map(_bits, row[1::2]), strict=True))
            of_key = pairs[: len(plan.source_key)]
            rows[_key(of_key)] = pairs
        return rows


def _bits(value: Any) -> Any:
    return struct.pack(">d", value) if isinstance(value, float) else value


def _key(pairs: tuple[tuple[Any, Any], ...]) -> str:
    written = []
    for kind, value in pairs:
        if kind == "text":
            odd = any(not 0x20 <= byte <= 0x7E for byte in value)
            text = "'" + value.decode().replace("'", "''") + "'" if not odd else ""
            written.append(f"CAST(X'{value.hex().upper()}' AS TEXT)" if odd else text)
        else:
            assert kind == "integer"
            written.append(str(value))
    return ",".join(written)
