"""The expressions of the configuration, compiled against the source before any row is read with them."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import apsw

from syncd.config import Config, TableConfig
from syncd.errors import SchemaError
from syncd.model import Catalog, Table
from syncd.plan import Plan
from syncd.quoting import identifier

_CHANGING_FUNCTIONS = frozenset({"random", "randomblob", "changes", "total_changes", "last_insert_rowid"})
_CHANGING_WORDS = re.compile(
    r"\bcurrent_(date|time|timestamp)\b|'(now|localtime)'|\b(date|time|datetime|julianday|unixepoch)\s*\(\s*\)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Compiled:
    """The other tables that each table's expressions read, and the errors of those that do not compile."""

    reads: Mapping[str, frozenset[str]]
    errors: tuple[SchemaError, ...]

    def told(self, plan: Plan) -> Plan:
        """The plan with what its tables read."""
        tables = tuple(replace(table, reads=self.reads[table.name]) for table in plan.tables)
        return replace(plan, tables=tables)


def compiled(connection: apsw.Connection, catalog: Catalog, config: Config) -> Compiled:
    """Compile the expressions of every table."""
    reads, errors = {}, []
    for table in catalog.tables:
        try:
            reads[table.name] = _reads(connection, table, config.table(table.name))
        except SchemaError as error:
            errors.append(error)
    return Compiled(reads, tuple(errors))


def _reads(connection: apsw.Connection, table: Table, settings: TableConfig) -> frozenset[str]:
    """The other tables that the expressions read, by their names; raises SchemaError with every fault."""
    read: set[str] = set()
    faults = []
    for key, text, origin in _given(settings):
        try:
            read |= _tables(connection, table, text)
        except SchemaError as error:
            faults.append(f"{origin}: [table:{table.name}] {key}: {error.what}")
    if faults:
        advice = "Mend the expression; it is SQLite's language, over the source"
        raise SchemaError("\n  ".join(faults), where=table.name, advice=advice)
    return frozenset(read) - {table.name}


def _given(settings: TableConfig) -> Iterator[tuple[str, str, str]]:
    """Each expression of a table: its key, its text and where it stands."""
    if settings.where:
        yield "where", settings.where.text, settings.where.origin
    for name, expression in settings.columns.items():
        yield f"column.{name}", expression.text, expression.origin
    for name, expression in settings.checks.items():
        yield f"check.{name}", expression.text, expression.origin


def _tables(connection: apsw.Connection, table: Table, text: str) -> set[str]:
    """The tables that one expression reads."""
    if changing := _CHANGING_WORDS.search(text):
        raise SchemaError(f"{changing[0]} gives another value each time: the row would never stay equal")
    read: set[str] = set()
    functions: set[str] = set()

    def notice(action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if action == apsw.SQLITE_READ and first:
            read.add(first)
        elif action == apsw.SQLITE_FUNCTION and second:
            functions.add(second.lower())
        return int(apsw.SQLITE_OK)

    # The line end closes a comment. A statement of its own behind the expression does not compile within parentheses.
    statement = f"EXPLAIN SELECT ({text}\n) FROM {identifier(table.name)}"
    with _noticing(connection, notice):
        try:
            connection.execute(statement).close()
        except apsw.Error as error:
            raise SchemaError(f"SQLite says: {error}") from error
    if unsteady := functions & _CHANGING_FUNCTIONS:
        raise SchemaError(f"{min(unsteady)}() gives another value each time: the row would never stay equal")
    return read


@contextmanager
def _noticing(connection: apsw.Connection, notice: "apsw.Authorizer") -> Iterator[None]:
    """Let SQLite tell what a statement reads while it compiles it; a statement kept from before would not be told."""
    connection.authorizer = notice
    try:
        yield
    finally:
        connection.authorizer = None
