"""The source as it is defined: tables, columns, keys, indexes, and what is not carried over."""

from dataclasses import dataclass

Affinity = str
"""One of TEXT, NUMERIC, INTEGER, REAL, BLOB: https://sqlite.org/datatype3.html#determination_of_column_affinity"""


def affinity_of(declared_type: str) -> Affinity:
    """SQLite's affinity for a declared type, by the five rules of its documentation in their order."""
    declared = declared_type.upper()
    if "INT" in declared:
        return "INTEGER"
    if any(word in declared for word in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if "BLOB" in declared or not declared:
        return "BLOB"
    if any(word in declared for word in ("REAL", "FLOA", "DOUB")):
        return "REAL"
    return "NUMERIC"


@dataclass(frozen=True)
class Column:
    """A column of a source table; `key_position` counts from 1 within the primary key, 0 outside it.

    `default` and `formula`, that of a generated column, are SQLite expressions.
    """

    name: str
    declared_type: str
    not_null: bool = False
    default: str | None = None
    key_position: int = 0
    generated: bool = False
    collation: str = "BINARY"
    formula: str | None = None

    @property
    def affinity(self) -> Affinity:
        return affinity_of(self.declared_type)


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key of the source; `parent_columns` is empty where it names the parent's primary key implicitly."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    on_update: str = "NO ACTION"
    on_delete: str = "NO ACTION"


@dataclass(frozen=True)
class Index:
    """An index of the source; a column is None where the index holds an expression.

    `expressions` has the SQL of each member, `collations` how it is compared, `where` the condition of a partial index.
    """

    name: str
    columns: tuple[str | None, ...]
    descending: tuple[bool, ...]
    unique: bool
    partial: bool
    origin: str
    sql: str | None
    collations: tuple[str, ...]
    expressions: tuple[str, ...]
    where: str | None = None


@dataclass(frozen=True)
class Check:
    """A CHECK constraint of the source; `column` is set where it stands at a column, `name` where it has one."""

    condition: str
    name: str | None = None
    column: str | None = None


@dataclass(frozen=True)
class Definition:
    """A view or a trigger: what SQLite keeps as its SQL alone."""

    name: str
    sql: str


@dataclass(frozen=True)
class Table:
    """A table of the source; `rowid` is an SQLite expression for its rowid, None where none can be named.

    `key_collations` tells how the members of its primary key are compared; empty where that key is the rowid.
    """

    name: str
    columns: tuple[Column, ...]
    foreign_keys: tuple[ForeignKey, ...]
    indexes: tuple[Index, ...]
    rowid: str | None
    strict: bool
    sql: str
    autoincrement: bool = False
    utf16: bool = False
    key_collations: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    triggers: tuple[Definition, ...] = ()

    @property
    def primary_key(self) -> tuple[str, ...]:
        members = sorted((column for column in self.columns if column.key_position), key=lambda c: c.key_position)
        return tuple(column.name for column in members)

    def column(self, name: str) -> Column | None:
        """The column of that name; SQLite's names ignore the case of ASCII letters."""
        return next((column for column in self.columns if column.name.lower() == name.lower()), None)


@dataclass(frozen=True)
class Skipped:
    """Something of the source that is not carried over, and why.

    `is_lost` is true of a table whose own rows stay behind.
    """

    name: str
    reason: str
    is_lost: bool = False


@dataclass(frozen=True)
class Catalog:
    """All that the source holds. `encoding` is SQLite's: UTF-8, UTF-16le or UTF-16be."""

    tables: tuple[Table, ...]
    skipped: tuple[Skipped, ...]
    views: tuple[Definition, ...]
    encoding: str
    schema_version: int

    def table(self, name: str) -> Table | None:
        return next((table for table in self.tables if table.name.lower() == name.lower()), None)
