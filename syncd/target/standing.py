"""The constraints of a table as they stand, which promotion gives their final form."""

from collections.abc import Mapping
from dataclasses import dataclass

from syncd.target.database import Connection, translated
from syncd.target.sql import statement

_ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}


@dataclass(frozen=True)
class Standing:
    """A constraint as it is; `kind` is pg_constraint's `contype`, the actions are a foreign key's.

    `replacement` is the name of the unique index that takes its place; `is_built` tells whether that can, and is None
    where it was not begun.
    """

    kind: str
    deferrable: bool
    on_update: str
    on_delete: str
    replacement: str
    is_built: bool | None

    @property
    def awaits_index(self) -> bool:
        """Whether a unique index, which cannot be deferred, is to take its place."""
        return self.kind in ("u", "x") and self.deferrable


def constraints(connection: Connection, schema: str, table: str) -> Mapping[str, Standing]:
    """The constraints of a table by their names."""
    with translated(table):
        rows = connection.execute(statement("constraints"), {"schema": schema, "table": table}).fetchall()
    return {
        name: Standing(kind, deferrable, _ACTIONS.get(update, ""), _ACTIONS.get(delete, ""), replacement, is_built)
        for name, kind, deferrable, update, delete, replacement, is_built in rows
    }
