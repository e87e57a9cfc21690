"""Findings about types: what every value says of a type that was chosen by a sample."""

from collections.abc import Iterator

from syncd.config import Config
from syncd.engine import choosing
from syncd.engine.check.findings import Finding, Gravity
from syncd.plan import ColumnPlan, TablePlan, carried
from syncd.source.database import SourceConnection
from syncd.source.profile import profile
from syncd.types import TargetType


def of_columns(
    connection: SourceConnection, config: Config, table: TablePlan, refusing: frozenset[str]
) -> Iterator[Finding]:
    """Profile every value of those columns of a table that syncd creates which refuse some of their values."""
    settings = config.table(table.name)
    planned = {column.name: column for column in table.columns}
    values = tuple(
        value
        for value in carried(table.source, settings, config.target.names)
        if value.name in refusing and value.name not in settings.types
    )
    if not values:
        return
    seen = profile(connection, table.source, choosing.profiled(values), where=table.where)
    for name, choice in choosing.choices(table.source, values, seen, narrow=True).items():
        if not _agree(planned[name], TargetType(choice.type, origin=choice.origin)):
            yield Finding(
                Gravity.WARNING,
                f"{planned[name].type.name} by a sample of the rows, but by all of them {choice.type}: {choice.why}",
                table.name,
                name,
                lines={f"type.{name}": f"{choice.type}{f' from {choice.origin}' if choice.origin else ''}"},
            )


def _agree(column: ColumnPlan, chosen: TargetType) -> bool:
    return (column.type.name, column.type.origin) == (chosen.name, chosen.origin)
