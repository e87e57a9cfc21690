"""Choosing the types of the columns that syncd creates, by a look at the source's values."""

from collections.abc import Iterable, Mapping

from syncd.model import Table
from syncd.plan import Carried, Typing
from syncd.plan.typing import Profiled, TableProfile, TypeChoice, agreed, choose
from syncd.source.database import SourceConnection
from syncd.source.first_look import doubtful
from syncd.source.profile import confirm, profile
from syncd.types import TargetType, limits

SAMPLE_ROWS = 1_000


def by_values(connection: SourceConnection, table: Table, values: Iterable[Carried], where: str) -> Typing:
    """Types by a sample of the rows, so that a load need not read everything twice.

    A type that only every single value justifies, as a date for a column of TEXT, is confirmed by all rows.
    """
    chosen = dict(_chosen(connection, table, tuple(values), where))

    def typing(value: Carried) -> tuple[TargetType, str]:
        choice = chosen[value.name]
        return TargetType(choice.type, origin=choice.origin), choice.why

    return typing


def _chosen(
    connection: SourceConnection, table: Table, values: tuple[Carried, ...], where: str
) -> Mapping[str, TypeChoice]:
    """By a first look at the ends of the table; only columns that it leaves in doubt are profiled."""
    agreeing = {v.name: choice for v in values if (choice := agreed(v.name, v.declared_type))}
    types = {name: choice.type for name, choice in agreeing.items()}
    looked_at = [one for one in profiled(values) if one.name in types]
    open_ones = doubtful(connection, table, looked_at, types, where) if looked_at else frozenset()
    unsettled = tuple(value for value in values if value.name not in types or value.name in open_ones)
    return agreeing | (_by_profile(connection, table, unsettled, where) if unsettled else {})


def _by_profile(
    connection: SourceConnection, table: Table, values: tuple[Carried, ...], where: str
) -> dict[str, TypeChoice]:
    seen = profile(connection, table, profiled(values), where=where, sample=SAMPLE_ROWS)
    wide = choices(table, values, seen, narrow=seen.complete)
    if seen.complete:
        return wide
    narrow = {n: c for n, c in choices(table, values, seen, narrow=True).items() if c.type != wide[n].type}
    by_name = {value.name: value for value in values}
    suspects = {name: _refused(by_name[name], choice) for name, choice in narrow.items()}
    refused = confirm(connection, table, suspects, where) if suspects else {}
    return {name: narrow[name] if refused.get(name) == 0 else choice for name, choice in wide.items()}


def _refused(value: Carried, choice: TypeChoice) -> str:
    return limits.refused(value.expression, value.affinity, TargetType(choice.type))


def profiled(values: Iterable[Carried]) -> tuple[Profiled, ...]:
    return tuple(Profiled(value.name, value.expression, value.affinity, value.declared_type) for value in values)


def choices(table: Table, values: tuple[Carried, ...], seen: TableProfile, *, narrow: bool) -> dict[str, TypeChoice]:
    """The choice for each value; a column of a key keeps the type that its other side will choose as well."""
    linked = _linked(table)
    return {
        value.name: choose(
            value.declared_type,
            of_value,
            complete=seen.complete or narrow,
            narrow=narrow and not (value.column and value.column.name.lower() in linked),
        )
        for value, of_value in zip(values, seen.columns, strict=True)
    }


def _linked(table: Table) -> frozenset[str]:
    """The columns of the primary key and of foreign keys."""
    names = [*table.primary_key, *(column for key in table.foreign_keys for column in key.columns)]
    return frozenset(name.lower() for name in names)
