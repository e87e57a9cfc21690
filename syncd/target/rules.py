"""What the target asks of a row beside its columns' types: labels, constraints, triggers; and names that are taken."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from syncd.target.database import Connection, translated
from syncd.target.sql import statement

_KINDS = {
    "v": ("view", "VIEW"),
    "m": ("materialized view", "MATERIALIZED VIEW"),
    "f": ("foreign table", "FOREIGN TABLE"),
    "S": ("sequence", "SEQUENCE"),
    "i": ("index", "INDEX"),
    "I": ("index", "INDEX"),
    "c": ("composite type", "TYPE"),
}


@dataclass(frozen=True)
class Labels:
    """A column whose type is the enum `type`, or a domain over it."""

    column: str
    type: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """A constraint, and the statement that takes it away.

    `kind` is check, unique or exclusion; of a domain `domain` for its CHECK and `not null` for its NOT NULL.
    `columns` has an empty name for each expression of an index.
    """

    kind: str
    name: str
    columns: tuple[str, ...]
    definition: str
    drop: str


@dataclass(frozen=True)
class Trigger:
    """An enabled trigger for each row, with the statement that disables it."""

    name: str
    definition: str
    disable: str


@dataclass(frozen=True)
class Rules:
    """All that one table asks. `rules` hold the constraint of the table's key as well."""

    labels: tuple[Labels, ...] = ()
    rules: tuple[Rule, ...] = ()
    triggers: tuple[Trigger, ...] = ()


def read(connection: Connection, schema: str) -> Mapping[str, Rules]:
    """What every table of a schema asks, by its name."""
    with translated():
        rows = connection.execute(statement("rules"), {"schema": schema}).fetchall()
    return {
        name: Rules(
            tuple(Labels(column, type_, tuple(of_type)) for column, type_, of_type in labels),
            tuple(Rule(kind, called, tuple(columns), said, drop) for kind, called, columns, said, drop in rules),
            tuple(Trigger(*trigger) for trigger in triggers),
        )
        for name, labels, rules, triggers in rows
    }


@dataclass(frozen=True)
class Occupant:
    """What has a name that a table would get: `kind` in words, `rename` the statement that moves it away."""

    name: str
    kind: str
    rename: str


def occupants(connection: Connection, schema: str, names: Collection[str]) -> tuple[Occupant, ...]:
    """What stands under one of these names and is no table."""
    with translated():
        rows = connection.execute(
            "SELECT c.relname::text, c.relkind::text, format('%%I.%%I', n.nspname, c.relname),"
            " quote_ident(left(c.relname, 59) || '_old')"
            " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = %s AND c.relname = ANY (%s) AND c.relkind = ANY (%s) ORDER BY 1",
            [schema, list(names), list(_KINDS)],
        ).fetchall()
    return tuple(
        Occupant(name, _KINDS[kind][0], f"ALTER {_KINDS[kind][1]} {called} RENAME TO {other}")
        for name, kind, called, other in rows
    )
