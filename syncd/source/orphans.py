"""Rows whose foreign key names a row that is not there, counted through the mapping."""

from dataclasses import dataclass

import apsw

from syncd.plan import ForeignKeyPlan, TablePlan
from syncd.quoting import identifier
from syncd.source import ranges
from syncd.source.database import query

_EXAMPLES = 3


@dataclass(frozen=True)
class Orphans:
    """Rows of a table without a parent: how many, and examples as source key and the values that name no row."""

    key: ForeignKeyPlan
    count: int
    examples: tuple[tuple[str, str], ...]


def find(connection: apsw.Connection, child: TablePlan, key: ForeignKeyPlan, parent: TablePlan) -> Orphans:
    """Count the rows that belong, name a parent, and whose parent is not among the rows that belong.

    SQLite looks each up in a temporary index of the parents, so both tables are read once.
    """
    own = {column.name: column.expression for column in child.columns}
    theirs = {column.name: column.expression for column in parent.columns}
    fields = [f"f{n}" for n in range(len(key.columns))]
    values = ",".join(f"{own[column]} AS {f}" for column, f in zip(key.columns, fields, strict=True))
    parents = ",".join(theirs[column] for column in key.parent_columns)
    # Beside a NULL among the parents, NOT IN would be true for no row.
    known = " AND ".join(f"{theirs[column]} IS NOT NULL" for column in key.parent_columns)
    listed, given = ",".join(fields), " AND ".join(f"{f} IS NOT NULL" for f in fields)
    orphans = (
        f"FROM (SELECT {ranges.source_key(child)} AS k,{values} FROM {identifier(child.name)} WHERE {child.where}) "
        f"WHERE {given} AND ({listed}) NOT IN "
        f"(SELECT {parents} FROM {identifier(parent.name)} WHERE {parent.where} AND {known})"
    )
    (count,) = query(connection, f"SELECT count(*) {orphans}")[0]
    shown = "||', '||".join(f"quote({f})" for f in fields)
    examples = query(connection, f"SELECT k, {shown} {orphans} LIMIT {_EXAMPLES}") if count else []
    return Orphans(key, count, tuple((str(k), str(v)) for k, v in examples))


def is_countable(child: TablePlan, key: ForeignKeyPlan, parent: TablePlan | None) -> bool:
    """Whether the source alone tells: both sides' columns get their values from it."""
    if parent is None:
        return False
    own, theirs = ({column.name for column in side.columns} for side in (child, parent))
    return set(key.columns) <= own and set(key.parent_columns) <= theirs
