"""Making a plan from the two catalogues and the configuration alone."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, count
from types import MappingProxyType

from syncd.config import Config, TableConfig
from syncd.errors import MappingError, SchemaError, UnnamedRowsError
from syncd.model import Catalog, Skipped, Table
from syncd.plan import columns, mapping, marks
from syncd.plan.blueprint import ROWID_KEY, Plan, RowCheck, TablePlan, TargetTable
from syncd.plan.constraints import with_constraints, with_unique_parents
from syncd.plan.drift import NOTHING, Definition
from syncd.plan.hypertables import with_hypertable, within_hypertables
from syncd.plan.named import confirm_named
from syncd.plan.names import cut_name, same_name, styled
from syncd.plan.order import parents_first
from syncd.plan.suggesting import FindTable, listed
from syncd.plan.typing import ColumnProfile, choose
from syncd.quoting import identifier
from syncd.types import TargetType

_SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
"""Of every table: https://www.postgresql.org/docs/current/ddl-system-columns.html."""


@dataclass(frozen=True)
class Facts:
    """What a plan has to know of the source's values.

    `usable_date` tells whether a date column can be an automatic mark. `choose` gives the types for the values of a
    table that syncd creates, of the rows that its condition says belong.
    """

    usable_date: Callable[[Table, str], bool]
    choose: Callable[[Table, tuple[mapping.Carried, ...], str], columns.Typing]


def by_declared_type(value: mapping.Carried) -> tuple[TargetType, str]:
    """The type of a column of which no value is known."""
    choice = choose(value.declared_type, ColumnProfile(value.name, {}), complete=True)
    return TargetType(choice.type, origin=choice.origin), choice.why


def make(
    catalog: Catalog,
    targets: Mapping[str, TargetTable],
    config: Config,
    facts: Facts,
    ours: Mapping[str, Definition | None] = MappingProxyType({}),
    unusable: tuple[SchemaError, ...] = (),
    loaded: Collection[str] = frozenset(),
) -> Plan:
    """Plan every selected table.

    `ours` are the source's tables for which syncd made the target's table, with what they were then. `unusable` are the
    errors of tables that are refused whatever the two sides look like. `loaded` are the tables that a load has begun,
    or that were forgotten: the source may have lost one since.

    Raises ConfigError where the configuration names a table that is not there, or a column that it has not.
    """
    confirm_named(catalog, {_target_name(table, config) for table in catalog.tables}, targets, loaded, config)
    chosen, left_out = _chosen(catalog, config)
    gone = _gone(catalog, config, loaded)
    landing = {_target_name(table, config).lower(): table for table in chosen}

    def find(target: str) -> Table | None:
        return landing.get(target.lower())

    planned: dict[str, TablePlan] = {}
    known = {error.where: error for error in unusable}
    unnamed, skipped = _unnamed_and_skipped(catalog, config)
    refused = [*unnamed, *(known[table.name] for table in chosen if table.name in known)]
    for table in [table for table in chosen if table.name not in known]:
        try:
            there = _existing(_target_name(table, config), targets)
            made = (ours[table.name] or NOTHING) if table.name in ours else None
            plan = _plan_table(table, there, config, facts, find, made)
            planned[table.name] = with_hypertable(plan, there, config)
        except SchemaError as error:
            refused.append(error)
    refused += _one_target_each(planned)
    planned = _with_parents({name: p for name, p in planned.items() if name not in {error.where for error in refused}})
    linked = within_hypertables({name: with_constraints(plan, planned) for name, plan in planned.items()})
    linked = {name: with_unique_parents(plan, linked.values()) for name, plan in linked.items()}
    ordered = tuple(linked[name] for name in parents_first({n: p.parents for n, p in linked.items()}))
    views = tuple(Skipped(f"view {view.name}", f"a view: {view.sql}") for view in catalog.views)
    left_out += tuple(Skipped(name, "gone from the source, and left out by the configuration") for name in gone)
    return Plan(ordered, skipped + views + left_out, tuple(refused), config.target.foreign_keys, gone)


def _unnamed_and_skipped(catalog: Catalog, config: Config) -> tuple[list[SchemaError], tuple[Skipped, ...]]:
    """A table whose rows have no names is refused only where the configuration would have it."""
    wanted, unwanted = ({name.lower() for name in names} for names in (config.sync.tables, config.sync.skip))
    lost = [
        one
        for one in catalog.skipped
        if one.is_lost and one.name.lower() not in unwanted and (not wanted or one.name.lower() in wanted)
    ]
    errors: list[SchemaError] = [
        UnnamedRowsError(
            f"not carried over: {one.reason}",
            where=one.name,
            advice=f"Give it a primary key in the source, or add {one.name} to [sync] skip: its rows stay behind then",
        )
        for one in lost
    ]
    return errors, tuple(one for one in catalog.skipped if one not in lost)


def _gone(catalog: Catalog, config: Config, loaded: Collection[str]) -> tuple[str, ...]:
    unwanted = {name.lower() for name in config.sync.skip}
    there = {table.name.lower() for table in catalog.tables} | {one.name.lower() for one in catalog.skipped}
    return tuple(sorted(name for name in loaded if name.lower() in unwanted - there))


def _chosen(catalog: Catalog, config: Config) -> tuple[list[Table], tuple[Skipped, ...]]:
    wanted, unwanted = config.sync.tables, config.sync.skip
    lower_wanted, lower_unwanted = {n.lower() for n in wanted}, {n.lower() for n in unwanted}
    chosen = [
        t
        for t in catalog.tables
        if (not wanted or t.name.lower() in lower_wanted) and t.name.lower() not in lower_unwanted
    ]
    left_out = [t for t in catalog.tables if t not in chosen]
    return chosen, tuple(Skipped(t.name, "left out by the configuration") for t in left_out)


def targets_of(catalog: Catalog, targets: Mapping[str, TargetTable], config: Config) -> Mapping[str, str]:
    """The target's table, there already or not, that each selected table goes into."""
    names = {table.name: _target_name(table, config) for table in _chosen(catalog, config)[0]}
    there = {name: _existing(target, targets) for name, target in names.items()}
    return {name: found.name if (found := there[name]) else target for name, target in names.items()}


def _existing(name: str, targets: Mapping[str, TargetTable]) -> TargetTable | None:
    found = same_name(name, targets)
    return targets[found] if found is not None else None


def _target_name(table: Table, config: Config) -> str:
    return config.table(table.name).target or cut_name(styled(table.name, config.target.names))


def _plan_table(
    table: Table,
    there: TargetTable | None,
    config: Config,
    facts: Facts,
    find: FindTable,
    made: Definition | None,
) -> TablePlan:
    """Plan one table; `made` is what it was when syncd made it in the target, None where syncd did not."""
    settings = config.table(table.name)
    name = _target_name(table, config)
    existing = None if made else there
    if existing is None and not config.target.create_tables:
        raise SchemaError(
            f"the target has no table {name}", where=table.name, advice="Create it, or set create_tables = yes"
        )
    values = mapping.carried(table, settings, config.target.names)
    if unnamed := _unnamed(table, name, values, settings, created=existing is None):
        raise unnamed
    # The number of a table without a key has its name in tables that are there as well, and goes at promotion.
    taken = {ROWID_KEY} if existing else {ROWID_KEY, *_SYSTEM_COLUMNS}
    if refused := [value.name for value in values if value.name in taken]:
        raise _reserved(table, refused)
    where = mapping.enclosed(settings.where.text) if settings.where else "1"
    if existing:
        found = columns.matched_columns(table, existing, values, settings, find)
        key = columns.existing_key(table, existing, found, settings)
    else:
        known = _as_created(table, there, made, values, where, facts) if there and made else None
        choose = known or facts.choose(table, values, where)
        found = columns.created_columns(table, values, settings, choose)
        key = columns.created_key(table, settings, found)
        if key == (ROWID_KEY,) and table.rowid:
            found = (columns.rowid_column(table.rowid), *found)
    source_key = (table.rowid,) if table.rowid else tuple(identifier(column) for column in table.primary_key)
    return TablePlan(
        source=table,
        target=existing.name if existing else name,
        columns=found,
        key=key,
        source_key=source_key,
        mark=marks.mark(table, settings, facts.usable_date),
        batch_rows=config.batch_rows(table.name),
        max_reject_ratio=config.max_reject_ratio(table.name),
        created=existing is None,
        on_conflict=config.target.on_conflict,
        parents=tuple(key.parent for key in (existing or table).foreign_keys),
        foreign_keys=existing.foreign_keys if existing else (),
        where=where,
        checks=tuple(RowCheck(name, mapping.enclosed(e.text)) for name, e in settings.checks.items()),
        deletes=settings.deletes,
    )


def _unnamed(
    table: Table, target: str, values: tuple[mapping.Carried, ...], settings: TableConfig, *, created: bool
) -> MappingError | None:
    """The error of a table that is named by the empty text, or has a column of that name, as only SQLite allows it."""
    faults: list[str] = []
    lines: dict[str, str] = {}
    if not target:
        faults.append('the empty name of a table: leave it out by [sync] skip = "", or let it have another one there')
        lines["target"] = "unnamed"
    names = {value.name.lower() for value in values}
    if "" in names:
        free = next(name for name in chain(["unnamed"], (f"unnamed{n}" for n in count(1))) if name not in names)
        also = listed([*settings.exclude, ""])
        faults.append(f"the empty name of a column: leave it out by exclude = {also}, or let it have another one there")
        lines |= {f"column.{free}": '""'} if created else {"exclude": also}
    what = f"PostgreSQL does not take {'; nor '.join(faults)}"
    return MappingError(what, where=table.name, lines=lines) if faults else None


def _reserved(table: Table, names: list[str]) -> MappingError:
    lines = {f"column.{'rowid' if name == ROWID_KEY else name}_of_the_source": name for name in names}
    if ROWID_KEY in names:
        what = f"syncd keeps a number of its own under the name {ROWID_KEY}, which a column of the source has"
    else:
        what = f"PostgreSQL has columns of its own in every table under the names {', '.join(names)}"
    return MappingError(what, where=table.name, lines=lines)


def _as_created(
    table: Table,
    there: TargetTable,
    made: Definition,
    values: tuple[mapping.Carried, ...],
    where: str,
    facts: Facts,
) -> columns.Typing:
    """The types with which syncd made a table stay, whatever values came since; a new column's is chosen now."""
    types = {c.name: TargetType(c.type, origin=made.origins.get(c.name, ""), exact=c.exact) for c in there.columns}
    new = tuple(value for value in values if value.name not in types)
    choose_new = facts.choose(table, new, where) if new else by_declared_type

    def choose(value: mapping.Carried) -> tuple[TargetType, str]:
        known = types.get(value.name)
        return (known, "as it was created") if known else choose_new(value)

    return choose


def _with_parents(plans: Mapping[str, TablePlan]) -> dict[str, TablePlan]:
    """Name each table's parents as the source does: a table that is there names the target's, in its foreign keys."""
    by_target = {plan.target: name for name, plan in plans.items()}
    lower = {name.lower(): name for name in plans}

    def known(plan: TablePlan) -> tuple[str, ...]:
        if plan.created:
            return tuple(lower.get(parent.lower(), parent) for parent in plan.parents)
        of_source = (lower.get(key.parent.lower(), key.parent) for key in plan.source.foreign_keys)
        return tuple(dict.fromkeys([*(by_target.get(parent, parent) for parent in plan.parents), *of_source]))

    return {name: replace(plan, parents=known(plan)) for name, plan in plans.items()}


def _one_target_each(plans: Mapping[str, TablePlan]) -> Iterator[SchemaError]:
    """Tables of the source may not meet in one table of the target."""
    first: dict[str, str] = {}
    for name, plan in plans.items():
        if (other := first.setdefault(plan.target, name)) != name:
            yield SchemaError(
                f"{other} lands in the target's table {plan.target} as well",
                where=name,
                advice=f"Write another name: [table:{name}] target = ...",
            )
