"""Which values a table's target columns get: the source's columns, renamed or left out, and expressions over them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from syncd.config import NameStyle, TableConfig
from syncd.errors import SchemaError
from syncd.model import Affinity, Column, Table
from syncd.plan.names import cut_name, styled
from syncd.quoting import identifier

_BARE = re.compile(r'"((?:[^"]|"")*)"|\[([^\]]+)\]|`([^`]+)`|(\w+)')


@dataclass(frozen=True)
class Carried:
    """A value on its way to the target's column `name`; `column` is the source's where it is carried unchanged.

    An expression has no affinity that could be relied on: `BLOB`, which promises nothing. `origin` tells where the
    configuration gives it, as FILE:LINE.
    """

    name: str
    expression: str
    affinity: Affinity
    column: Column | None = None
    origin: str = field(default="", compare=False)

    @property
    def declared_type(self) -> str:
        return self.column.declared_type if self.column else ""


def carried(table: Table, settings: TableConfig, style: NameStyle) -> tuple[Carried, ...]:
    """The values of a table in the source's order, those that only the configuration names at the end.

    A column that the configuration names alone, as in `column.rank_in_etf = rank`, is renamed: it is not carried
    under its own name as well. Raises SchemaError where `exclude` names a column that is not there, or where two
    values would land in one column.
    """
    _check_excluded(table, settings)
    found = [*_columns(table, settings, style), *_expressions(table, settings)]
    names = [value.name for value in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SchemaError(
            f"two values would land in the column {', '.join(twice)}",
            where=table.name,
            advice=f"Rename one of them in [table:{table.name}]: column.NAME = the source's column",
        )
    return tuple(found)


def _check_excluded(table: Table, settings: TableConfig) -> None:
    unknown = [name for name in settings.exclude if table.column(name) is None]
    if unknown:
        raise SchemaError(
            f"exclude names {', '.join(unknown)}, which the source does not have",
            where=table.name,
            advice=f"It has: {', '.join(column.name for column in table.columns)}",
        )


def _columns(table: Table, settings: TableConfig, style: NameStyle) -> Iterator[Carried]:
    excluded = {name.lower() for name in settings.exclude}
    renamed = {_named_alone(table, e.text): name for name, e in settings.columns.items()}
    given = {name.lower() for name in settings.columns}
    for column in table.columns:
        name = cut_name(styled(column.name, style))
        if column in renamed:
            name = renamed[column]
        elif column.name.lower() in excluded or name.lower() in given:
            continue
        yield Carried(name, identifier(column.name), column.affinity, column)


def _expressions(table: Table, settings: TableConfig) -> Iterator[Carried]:
    for name, expression in settings.columns.items():
        if _named_alone(table, expression.text) is None:
            yield Carried(name, enclosed(expression.text), "BLOB", origin=expression.origin)


def enclosed(expression: str) -> str:
    """An expression of the configuration in parentheses; the line end closes a comment at its end."""
    return f"({expression}\n)" if "--" in expression else f"({expression})"


def bare_name(expression: str) -> str | None:
    """The name where an expression is nothing but a column's name, quoted in any of SQLite's ways or not at all."""
    found = _BARE.fullmatch(expression.strip())
    if found is None:
        return None
    quoted, bracketed, ticked, plain = found.groups()
    return str(quoted.replace('""', '"') if quoted is not None else bracketed or ticked or plain)


def _named_alone(table: Table, expression: str) -> Column | None:
    """The source's column where an expression is nothing but its name."""
    name = bare_name(expression)
    return None if name is None else table.column(name)
