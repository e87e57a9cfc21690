"""What the target holds: its tables with columns and keys."""

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import sql

from syncd.plan import ForeignKeyPlan, TargetColumn, TargetTable
from syncd.target.database import Connection, translated
from syncd.target.sql import statement


def read(connection: Connection, schema: str) -> Mapping[str, TargetTable]:
    """Every table of a schema by its name."""
    with translated():
        rows = connection.execute(statement("tables"), {"schema": schema}).fetchall()
    return {
        name: TargetTable(
            name=name,
            columns=tuple(TargetColumn(*column) for column in columns),
            keys=tuple(tuple(key) for key in keys),
            foreign_keys=tuple(
                ForeignKeyPlan(n, tuple(own), parent, tuple(theirs)) for n, own, parent, theirs in links
            ),
        )
        for _, name, columns, keys, links in rows
    }


def is_empty(connection: Connection, schema: str, table: str) -> bool:
    """Whether a table holds no row."""
    query = sql.SQL("SELECT NOT EXISTS (SELECT FROM {})").format(sql.Identifier(schema, table))
    with translated():
        return bool(connection.execute(query).fetchall()[0][0])


def row_count(connection: Connection, schema: str, table: str) -> int:
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))
    with translated():
        return int(connection.execute(query).fetchall()[0][0])


@dataclass(frozen=True)
class Constraint:
    """A constraint of the target; for a foreign key with its columns and those of its parent."""

    name: str
    table: str
    columns: tuple[str, ...]
    parent_schema: str
    parent: str
    parent_columns: tuple[str, ...]


def foreign_keys(connection: Connection, schema: str) -> tuple[Constraint, ...]:
    """Every foreign key of the tables of a schema."""
    with translated():
        rows = connection.execute(statement("foreign_keys"), {"schema": schema}).fetchall()
    return tuple(Constraint(n, t, tuple(c), ps, p, tuple(pc)) for n, t, c, ps, p, pc in rows)


def orphan_count(connection: Connection, schema: str, key: Constraint) -> int:
    """Rows of a table whose foreign key names a row that is not there."""
    same = sql.SQL(" AND ").join(
        sql.SQL("p.{} = c.{}").format(sql.Identifier(theirs), sql.Identifier(ours))
        for ours, theirs in zip(key.columns, key.parent_columns, strict=True)
    )
    given = sql.SQL(" AND ").join(sql.SQL("c.{} IS NOT NULL").format(sql.Identifier(c)) for c in key.columns)
    query = sql.SQL("SELECT count(*) FROM {} c WHERE {} AND NOT EXISTS (SELECT FROM {} p WHERE {})").format(
        sql.Identifier(schema, key.table), given, sql.Identifier(key.parent_schema, key.parent), same
    )
    with translated():
        return int(connection.execute(query).fetchall()[0][0])
