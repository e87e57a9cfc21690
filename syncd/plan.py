"""The plan: which tables, in what order, with which key, mark, columns and constraints; and why.

It is made from the two catalogues and the configuration alone; nothing is read or written here.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from graphlib import CycleError, TopologicalSorter

from syncd.config import Config, ForeignKeys, OnConflict, TableConfig, WatermarkKind
from syncd.errors import ConfigError, SchemaError
from syncd.model import Affinity, Catalog, Index, Skipped, Table, digest
from syncd.quoting import identifier
from syncd.types import TargetType, created_type

ROWID_KEY = "_syncd_rowid"
AUTO_DATE_ROWS = 100_000
LONGEST_NAME = 63
_DATE_MARK = re.compile(
    r"(last_?)?(updated?|modified|modification|changed?)(_?(at|on|date|time|timestamp|ts))?|mtime|date_?(updated|modified)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class TargetColumn:
    """A column of a table that is there in PostgreSQL; `type` as `format_type` writes it."""

    name: str
    type: str
    not_null: bool
    generated: bool


@dataclass(frozen=True)
class TargetTable:
    """A table that is there in PostgreSQL. `keys`: its primary key first, then its other NOT NULL unique keys."""

    name: str
    columns: tuple[TargetColumn, ...]
    keys: tuple[tuple[str, ...], ...]
    parents: tuple[str, ...]


@dataclass(frozen=True)
class ColumnPlan:
    """One column of the target: `expression` is the SQLite expression whose value it gets."""

    name: str
    expression: str
    affinity: Affinity
    type: TargetType
    not_null: bool = False
    identity: bool = False


@dataclass(frozen=True)
class MarkPlan:
    """The mark of a table: `moment` names its date column; both are unset where only a sweep finds changes."""

    rowid: str | None = None
    moment: str | None = None
    lookback: timedelta = timedelta(0)
    why: str = ""

    def __str__(self) -> str:
        if self.moment:
            return f"date:{self.moment}"
        return "rowid" if self.rowid else "none"


@dataclass(frozen=True)
class ForeignKeyPlan:
    name: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


@dataclass(frozen=True)
class UniquePlan:
    """A secondary unique constraint; one that a foreign key names cannot be deferrable in PostgreSQL."""

    name: str
    columns: tuple[str, ...]
    deferrable: bool


@dataclass(frozen=True)
class IndexPlan:
    name: str
    columns: tuple[str, ...]
    descending: tuple[bool, ...]


@dataclass(frozen=True)
class TablePlan:
    """All that is decided about one table.

    `source_key` are the SQLite expressions that name one source row: its rowid, or its primary key where it has none.
    `created` is true where syncd makes the target table.
    """

    source: Table
    target: str
    columns: tuple[ColumnPlan, ...]
    key: tuple[str, ...]
    source_key: tuple[str, ...]
    mark: MarkPlan
    batch_rows: int
    max_reject_ratio: float
    created: bool
    on_conflict: OnConflict = OnConflict.UPDATE
    uniques: tuple[UniquePlan, ...] = ()
    indexes: tuple[IndexPlan, ...] = ()
    foreign_keys: tuple[ForeignKeyPlan, ...] = ()
    parents: tuple[str, ...] = ()
    not_carried: tuple[Skipped, ...] = ()

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def key_columns(self) -> tuple[ColumnPlan, ...]:
        by_name = {column.name: column for column in self.columns}
        return tuple(by_name[name] for name in self.key)

    @property
    def by_rowid(self) -> bool:
        return self.source.rowid is not None

    @property
    def fingerprint(self) -> str:
        """Names the table's definition and its mapping; another one means that either has changed."""
        columns = [f"{c.name}={c.expression}:{c.type.name}" for c in self.columns]
        return digest(self.source.sql, self.target, *columns, *self.key)


@dataclass(frozen=True)
class Plan:
    """Every table to be carried, parents before children. `refused` are the tables whose two sides do not fit."""

    tables: tuple[TablePlan, ...]
    skipped: tuple[Skipped, ...]
    refused: tuple[SchemaError, ...] = ()
    foreign_keys: ForeignKeys = ForeignKeys.AUTO

    def table(self, name: str) -> TablePlan | None:
        return next((table for table in self.tables if table.name == name), None)


def make(
    catalog: Catalog,
    targets: Mapping[str, TargetTable],
    config: Config,
    usable_date: Callable[[Table, str], bool],
    ours: frozenset[str] = frozenset(),
) -> Plan:
    """Plan every selected table.

    `usable_date` tells whether a date column can be an automatic mark; `ours` names the source's tables for which
    syncd made the target's table.

    Raises ConfigError where the configuration names a table or column that the source does not have.
    """
    chosen, left_out = _chosen(catalog, config)
    planned: dict[str, TablePlan] = {}
    refused = []
    for table in chosen:
        try:
            existing = None if table.name in ours else _existing(table, targets)
            planned[table.name] = _plan_table(table, existing, config, usable_date)
        except SchemaError as error:
            refused.append(error)
    linked = {name: _with_constraints(plan, planned) for name, plan in planned.items()}
    linked = {name: _with_unique_parents(plan, linked.values()) for name, plan in linked.items()}
    ordered = tuple(linked[name] for name in parents_first({n: p.parents for n, p in linked.items()}))
    return Plan(ordered, catalog.skipped + left_out, tuple(refused), config.target.foreign_keys)


def parents_first(parents: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Order names so that parents come before children; within a cycle one edge is given up at a time."""
    edges = {name: {p for p in of if p in parents and p != name} for name, of in parents.items()}
    while True:
        try:
            return tuple(TopologicalSorter(edges).static_order())
        except CycleError as error:
            # graphlib lists a cycle so that each member is a predecessor of the next.
            before, after = error.args[1][:2]
            edges[after].discard(before)


def cut_name(name: str) -> str:
    """A name that PostgreSQL keeps whole: over 63 bytes its end gives way to a digest, lest two names become one."""
    if len(name.encode()) <= LONGEST_NAME:
        return name
    return name.encode()[: LONGEST_NAME - 17].decode(errors="ignore") + "_" + digest(name)


def _chosen(catalog: Catalog, config: Config) -> tuple[list[Table], tuple[Skipped, ...]]:
    wanted, unwanted = config.sync.tables, config.sync.skip
    unknown = [name for name in (*wanted, *unwanted) if catalog.table(name) is None]
    unknown += [name for name in config.tables if name not in {table.name for table in catalog.tables}]
    if unknown:
        skipped = {s.name.lower(): s.reason for s in catalog.skipped}
        reasons = [f"{name}: {skipped.get(name.lower(), 'the source has no such table')}" for name in unknown]
        there = ", ".join(table.name for table in catalog.tables)
        raise ConfigError("; ".join(reasons), where="tables", advice=f"The source has: {there}")
    lower_wanted, lower_unwanted = {n.lower() for n in wanted}, {n.lower() for n in unwanted}
    chosen = [
        t
        for t in catalog.tables
        if (not wanted or t.name.lower() in lower_wanted) and t.name.lower() not in lower_unwanted
    ]
    left_out = [t for t in catalog.tables if t not in chosen]
    return chosen, tuple(Skipped(t.name, "left out by the configuration") for t in left_out)


def _existing(table: Table, targets: Mapping[str, TargetTable]) -> TargetTable | None:
    name = _same_name(cut_name(table.name), targets)
    return targets[name] if name is not None else None


def _same_name(name: str, among: Iterable[str]) -> str | None:
    """The very name, else the only one that differs from it in case alone."""
    names = tuple(among)
    if name in names:
        return name
    alike = [other for other in names if other.lower() == name.lower()]
    return alike[0] if len(alike) == 1 else None


def _plan_table(
    table: Table, existing: TargetTable | None, config: Config, usable_date: Callable[[Table, str], bool]
) -> TablePlan:
    settings = config.table(table.name)
    if existing is None and not config.target.create_tables:
        raise SchemaError(
            "the target has no such table", where=table.name, advice="Create it, or set create_tables = yes"
        )
    columns = _matched_columns(table, existing) if existing else _created_columns(table)
    key = _existing_key(table, existing, columns, settings) if existing else _created_key(table, settings, columns)
    if key == (ROWID_KEY,) and table.rowid and not existing:
        columns = (ColumnPlan(ROWID_KEY, table.rowid, "INTEGER", TargetType("bigint"), not_null=True), *columns)
    source_key = (table.rowid,) if table.rowid else tuple(identifier(name) for name in table.primary_key)
    return TablePlan(
        source=table,
        target=existing.name if existing else cut_name(table.name),
        columns=columns,
        key=key,
        source_key=source_key,
        mark=_mark(table, settings, usable_date),
        batch_rows=config.batch_rows(table.name),
        max_reject_ratio=config.max_reject_ratio(table.name),
        created=existing is None,
        on_conflict=config.target.on_conflict,
        parents=tuple(key.parent for key in table.foreign_keys) + (existing.parents if existing else ()),
    )


def _created_columns(table: Table) -> tuple[ColumnPlan, ...]:
    return tuple(
        ColumnPlan(
            cut_name(column.name),
            identifier(column.name),
            column.affinity,
            TargetType(created_type(column.declared_type)),
            not_null=column.not_null,
            identity=identifier(column.name) == table.rowid,
        )
        for column in table.columns
    )


def _matched_columns(table: Table, existing: TargetTable) -> tuple[ColumnPlan, ...]:
    there = {column.name: column for column in existing.columns}
    matched, missing = [], []
    for column in table.columns:
        name = _same_name(cut_name(column.name), there)
        if name is None:
            missing.append(column.name)
        elif not there[name].generated:
            type_ = TargetType(there[name].type, scale_rounds=True)
            matched.append(ColumnPlan(name, identifier(column.name), column.affinity, type_, there[name].not_null))
    if missing:
        raise SchemaError(
            f"the target's table lacks the source's columns {', '.join(missing)}",
            where=table.name,
            advice="Add them to the target's table",
        )
    if ROWID_KEY in there and table.rowid:
        matched.insert(0, ColumnPlan(ROWID_KEY, table.rowid, "INTEGER", TargetType("bigint"), not_null=True))
    return tuple(matched)


def _created_key(table: Table, settings: TableConfig, columns: tuple[ColumnPlan, ...]) -> tuple[str, ...]:
    if settings.key:
        return _configured_key(table, settings, columns)
    if table.primary_key:
        return tuple(cut_name(name) for name in table.primary_key)
    for index in table.indexes:
        if _is_not_null_key(table, index):
            return tuple(cut_name(name) for name in index.columns if name)
    return (ROWID_KEY,)


def _configured_key(table: Table, settings: TableConfig, columns: tuple[ColumnPlan, ...]) -> tuple[str, ...]:
    names = {column.name for column in columns}
    unknown = [name for name in settings.key if name not in names]
    if unknown:
        raise SchemaError(
            f"key names {', '.join(unknown)}, which the target's table does not have",
            where=table.name,
            advice=f"It has: {', '.join(sorted(names))}",
        )
    return settings.key


def _is_not_null_key(table: Table, index: Index) -> bool:
    members = [table.column(name) for name in index.columns if name]
    return (
        index.unique
        and not index.partial
        and len(members) == len(index.columns)
        and all(member is not None and member.not_null for member in members)
    )


def _existing_key(
    table: Table, existing: TargetTable, columns: tuple[ColumnPlan, ...], settings: TableConfig
) -> tuple[str, ...]:
    mapped = {column.name for column in columns}
    usable = [key for key in existing.keys if set(key) <= mapped]
    if settings.key:
        usable = [key for key in existing.keys if set(key) == set(settings.key)]
    if not usable:
        raise SchemaError(
            "the target's table has no primary key or NOT NULL unique key whose columns the source has",
            where=table.name,
            advice="Add a primary key to it, or drop the table and let syncd create it",
        )
    return usable[0]


def _mark(table: Table, settings: TableConfig, usable_date: Callable[[Table, str], bool]) -> MarkPlan:
    kind, named = settings.watermark.kind, settings.watermark.column
    rowid = table.rowid
    if kind is WatermarkKind.NONE:
        return MarkPlan(why="set in the configuration")
    if kind is WatermarkKind.DATE:
        column = table.column(named or "")
        if column is None:
            raise SchemaError(f"watermark names the column {named}, which the source does not have", where=table.name)
        return MarkPlan(rowid, column.name, settings.lookback, "set in the configuration")
    if kind is WatermarkKind.ROWID:
        if rowid is None:
            raise SchemaError(
                "watermark = rowid, but the table is WITHOUT ROWID", where=table.name, advice="Use date:COLUMN or none"
            )
        return MarkPlan(rowid, why="set in the configuration")
    for column in table.columns:
        if column.not_null and _DATE_MARK.fullmatch(column.name) and usable_date(table, column.name):
            return MarkPlan(rowid, column.name, settings.lookback, "a NOT NULL date that tells when a row changed")
    return MarkPlan(rowid, why="the rowid tells new rows" if rowid else "no rowid and no date that tells changes")


def _target_columns(plan: TablePlan, source_names: Iterable[str | None]) -> tuple[str, ...] | None:
    """The target's columns that carry these source columns unchanged; None where one is not carried."""
    carried = {column.expression.lower(): column.name for column in plan.columns}
    found = [carried.get(identifier(name).lower()) if name else None for name in source_names]
    return None if None in found else tuple(name for name in found if name)


def _with_constraints(plan: TablePlan, planned: Mapping[str, TablePlan]) -> TablePlan:
    if not plan.created:
        return plan
    uniques, indexes, not_carried = [], [], []
    for index in plan.source.indexes:
        columns = _target_columns(plan, index.columns)
        if columns is None or index.partial:
            kind = "a partial index" if index.partial else "an index over an expression"
            not_carried.append(Skipped(f"{plan.name}.{index.name}", f"{kind}: {index.sql}"))
        elif index.unique and set(columns) != set(plan.key):
            uniques.append(UniquePlan(cut_name(_constraint_name(plan, index, columns)), columns, deferrable=True))
        elif not index.unique:
            indexes.append(IndexPlan(cut_name(index.name), columns, index.descending))
    keys, further = _foreign_keys(plan, planned)
    return replace(
        plan,
        uniques=tuple(uniques),
        indexes=tuple(indexes),
        foreign_keys=tuple(keys),
        not_carried=(*not_carried, *further),
    )


def _constraint_name(plan: TablePlan, index: Index, columns: tuple[str, ...]) -> str:
    return f"{plan.target}_{'_'.join(columns)}_key" if index.origin == "u" else index.name


def _foreign_keys(plan: TablePlan, planned: Mapping[str, TablePlan]) -> tuple[list[ForeignKeyPlan], list[Skipped]]:
    by_name = {name.lower(): parent for name, parent in planned.items()}
    keys, not_carried = [], []
    for key in plan.source.foreign_keys:
        title = f"{plan.name} ({', '.join(key.columns)}) references {key.parent}"
        parent = by_name.get(key.parent.lower())
        columns = _target_columns(plan, key.columns)
        if parent is None:
            not_carried.append(Skipped(title, "the parent table is not carried"))
            continue
        parent_columns = _target_columns(parent, key.parent_columns or parent.source.primary_key)
        if columns is None or parent_columns is None or len(columns) != len(parent_columns):
            not_carried.append(Skipped(title, "it names columns that are not there"))
            continue
        name = cut_name(f"{plan.target}_{'_'.join(columns)}_fkey")
        keys.append(ForeignKeyPlan(name, columns, parent.target, parent_columns))
    return keys, not_carried


def _with_unique_parents(plan: TablePlan, everyone: Iterable[TablePlan]) -> TablePlan:
    """Make those unique constraints not deferrable that a foreign key names: PostgreSQL demands it."""
    named = {
        frozenset(key.parent_columns) for child in everyone for key in child.foreign_keys if key.parent == plan.target
    }
    uniques = tuple(replace(u, deferrable=frozenset(u.columns) not in named) for u in plan.uniques)
    return replace(plan, uniques=uniques)
