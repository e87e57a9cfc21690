"""What the tables that syncd creates get beside columns and key: unique constraints, indexes, checks, foreign keys."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from syncd.model import Check, ForeignKey, Index, Skipped
from syncd.plan.blueprint import CheckPlan, ColumnPlan, ForeignKeyPlan, IndexPlan, TablePlan, UniquePlan
from syncd.plan.names import cut_name
from syncd.plan.translate import Scope, Untranslatable, check, column_member, column_term, default, member
from syncd.plan.translate import condition as translated_condition
from syncd.quoting import identifier
from syncd.types import MOMENTS

_INTEGERS = frozenset({"smallint", "integer", "bigint"})
_FLOATS = frozenset({"real", "double precision"})
_NUMBERS = _INTEGERS | _FLOATS | {"numeric"}
_TEXTS = frozenset({"text", "character varying", "character", "name"})
_FAMILIES = (_INTEGERS, _FLOATS, _TEXTS, frozenset(MOMENTS))
"""Types that one operator family of PostgreSQL's B-tree compares with each other."""
_COMMON = _NUMBERS | _TEXTS | frozenset(MOMENTS) | {"boolean", "time without time zone", "jsonb", "bytea", "uuid"}


@dataclass
class _Drawing:
    """A table's constraints while they are being drawn; `taken` are the names that are given away."""

    plan: TablePlan
    scope: Scope
    taken: set[str]
    not_carried: list[Skipped] = field(default_factory=list)

    def name(self, wanted: str) -> str:
        """That name, or with a number behind it where another thing of the table has it, as PostgreSQL does it."""
        name, number = cut_name(wanted), 0
        while name in self.taken:
            number += 1
            name = cut_name(f"{wanted}{number}")
        self.taken.add(name)
        return name

    def leave(self, what: str, reason: str, sql: str) -> None:
        self.not_carried.append(Skipped(f"{self.plan.name}.{what}", f"{reason}: {sql}"))


def with_constraints(plan: TablePlan, planned: Mapping[str, TablePlan]) -> TablePlan:
    """The plan of a table that syncd creates with all that goes with its columns; others are as they are."""
    if not plan.created:
        return plan
    drawing = _Drawing(plan, _scope(plan), {f"{plan.target}_pkey"})
    columns = tuple(_with_default(drawing, column) for column in plan.columns)
    drawn = [_index(drawing, index) for index in (*_primary_key(plan), *plan.source.indexes)]
    checks = [_check(drawing, one) for one in plan.source.checks]
    keys = [_foreign_key(drawing, key, planned) for key in plan.source.foreign_keys]
    _leave_the_rest(drawing)
    return replace(
        plan,
        columns=columns,
        uniques=tuple(one for one in drawn if isinstance(one, UniquePlan)),
        indexes=tuple(one for one in drawn if isinstance(one, IndexPlan)),
        check_constraints=tuple(one for one in checks if one),
        foreign_keys=tuple(one for one in keys if one),
        not_carried=tuple(drawing.not_carried),
    )


def _unchanged(plan: TablePlan) -> dict[str, ColumnPlan]:
    """The target's columns that carry one of the source unchanged, by that one's name in lower case."""
    by_expression = {column.expression.lower(): column for column in plan.columns}
    names = [column.name.lower() for column in plan.source.columns]
    return {name: by_expression[identifier(name)] for name in names if identifier(name) in by_expression}


def _scope(plan: TablePlan) -> Scope:
    carried = _unchanged(plan)
    return {
        column.name.lower(): column_term(
            there.name, there.type, there.affinity, column.collation, not_null=there.not_null or there.name in plan.key
        )
        if (there := carried.get(column.name.lower()))
        else None
        for column in plan.source.columns
    }


def _target_columns(plan: TablePlan, source_names: Iterable[str]) -> tuple[str, ...] | None:
    """The target's columns that carry these source columns unchanged; None where one is not carried."""
    carried = _unchanged(plan)
    found = [carried.get(name.lower()) for name in source_names]
    return None if None in found else tuple(column.name for column in found if column)


def _with_default(drawing: _Drawing, column: ColumnPlan) -> ColumnPlan:
    source = next((c for c in drawing.plan.source.columns if identifier(c.name) == column.expression), None)
    if source is None or source.default is None or column.identity:
        return column
    try:
        return replace(column, default=default(source.default, column.type))
    except Untranslatable as reason:
        drawing.leave(source.name, f"a default ({reason})", f"DEFAULT {source.default}")
        return column


def _primary_key(plan: TablePlan) -> tuple[Index, ...]:
    """The source's primary key as an index: the target's key may be another one, or tell upper from lower case."""
    columns = plan.source.primary_key
    if not columns:
        return ()
    return (
        Index(
            name=f"{plan.target}_{'_'.join(columns)}_key",
            columns=columns,
            descending=(False,) * len(columns),
            unique=True,
            partial=False,
            origin="pk",
            sql=None,
            collations=plan.source.key_collations or ("BINARY",) * len(columns),
            expressions=tuple(map(identifier, columns)),
        ),
    )


def _index(drawing: _Drawing, index: Index) -> UniquePlan | IndexPlan | None:
    """A unique constraint, which can be deferred, where one can express it; an index else."""
    plan = drawing.plan
    kind = "PRIMARY KEY" if index.origin == "pk" else "UNIQUE"
    sql = index.sql or f"{kind} ({', '.join(index.expressions)})"
    try:
        members = _members(drawing.scope, index)
        where = translated_condition(index.where, drawing.scope) if index.where else None
    except Untranslatable as reason:
        form = "a partial index" if index.partial else "an index over an expression"
        drawing.leave(index.name, f"{form if index.sql else 'a key'} ({reason})", sql)
        return None
    columns = _target_columns(plan, [name for name in index.columns if name is not None]) or ()
    plain = index.unique and where is None and members == tuple(map(identifier, columns))
    if plain and set(columns) == set(plan.key):
        return None
    given = index.name if index.origin == "c" else ""
    name = drawing.name(given or f"{plan.target}_{'_'.join(columns)}_{'key' if index.unique else 'idx'}")
    if plain:
        return UniquePlan(name, columns, deferrable=True)
    ordered = (f"{sql} DESC" if down else sql for sql, down in zip(members, index.descending, strict=True))
    return IndexPlan(name, tuple(ordered), index.unique, where)


def _members(scope: Scope, index: Index) -> tuple[str, ...]:
    return tuple(
        member(expression, scope, collation) if column is None else column_member(column, scope, collation)
        for column, expression, collation in zip(index.columns, index.expressions, index.collations, strict=True)
    )


def _check(drawing: _Drawing, one: Check) -> CheckPlan | None:
    of = f"{drawing.plan.target}_{one.column}" if one.column else drawing.plan.target
    name = drawing.name(one.name or f"{of}_check")
    try:
        condition = check(one.condition, drawing.scope)
    except Untranslatable as reason:
        drawing.leave(name, f"a check ({reason})", f"CHECK ({one.condition})")
        return None
    if condition is None:
        drawing.leave(name, "a check that the column's type fulfils", f"CHECK ({one.condition})")
        return None
    return CheckPlan(name, condition)


def _leave_the_rest(drawing: _Drawing) -> None:
    source = drawing.plan.source
    for column in source.columns:
        if column.formula is not None:
            drawing.leave(column.name, "a generated column, whose values are carried", f"AS ({column.formula})")
        term = drawing.scope[column.name.lower()]
        if term is not None and term.collation != "BINARY":
            reason = "a collation; PostgreSQL compares case and blanks as well, only indexes fold them"
            drawing.leave(column.name, reason, f"COLLATE {column.collation}")
    for trigger in source.triggers:
        drawing.leave(trigger.name, "a trigger", trigger.sql)


def _foreign_key(drawing: _Drawing, key: ForeignKey, planned: Mapping[str, TablePlan]) -> ForeignKeyPlan | None:
    by_name = {name.lower(): parent for name, parent in planned.items()}
    parent = by_name.get(key.parent.lower())
    columns = _target_columns(drawing.plan, key.columns)
    of_parent = key.parent_columns or (parent.source.primary_key if parent else ())
    parent_columns = _target_columns(parent, of_parent) if parent else None
    if parent is None:
        reason = "the parent table is not carried"
    elif not columns or not parent_columns or len(columns) != len(parent_columns):
        reason = "it names columns that are not there"
    elif _folds(parent, of_parent):
        reason = "the parent's key ignores case or blanks, which no foreign key in PostgreSQL does"
    elif parent.created and not _is_key(parent, parent_columns):
        reason = "what it names is no key of the parent"
    elif odd := _unequal_types(drawing.plan, columns, parent, parent_columns):
        reason = f"PostgreSQL compares no {odd[0]} with a {odd[1]}"
    else:
        name = drawing.name(f"{drawing.plan.target}_{'_'.join(columns)}_fkey")
        return ForeignKeyPlan(name, columns, parent.target, parent_columns, key.on_update, key.on_delete)
    title = f"{drawing.plan.name} ({', '.join(key.columns)}) references {key.parent}"
    drawing.not_carried.append(Skipped(title, f"{reason}: {_foreign_key_sql(key)}"))
    return None


def _folds(parent: TablePlan, names: Iterable[str]) -> bool:
    terms = (_scope(parent)[name.lower()] for name in names)
    return any(term is not None and term.collation != "BINARY" for term in terms)


def _is_key(parent: TablePlan, columns: tuple[str, ...]) -> bool:
    """Whether the target's parent will have a key over these columns."""
    keys = [set(parent.key), set(_target_columns(parent, parent.source.primary_key) or ())]
    for index in parent.source.indexes:
        if index.unique and not index.partial and None not in index.columns:
            keys.append(set(_target_columns(parent, [name for name in index.columns if name is not None]) or ()))
    return set(columns) in keys


def _unequal_types(
    child: TablePlan, columns: tuple[str, ...], parent: TablePlan, parent_columns: tuple[str, ...]
) -> tuple[str, str] | None:
    """The types of the first pair of columns that no foreign key can link."""
    own, theirs = ({column.name: column.type.base for column in side.columns} for side in (child, parent))
    pairs = [(own[one], theirs[other]) for one, other in zip(columns, parent_columns, strict=True)]
    return next((pair for pair in pairs if not _can_be_linked(*pair)), None)


def _can_be_linked(own: str, other: str) -> bool:
    """Whether an equality of the other's index takes both types, or the own one becomes the other by itself."""
    both = {own, other}
    if own == other or any(both <= family for family in _FAMILIES) or not both <= _COMMON:
        return True
    return own in _NUMBERS and other in _NUMBERS and _rank(own) < _rank(other)


def _rank(number: str) -> int:
    """Integers become decimals by themselves, and both become floats: never the other way."""
    return 0 if number in _INTEGERS else 1 if number == "numeric" else 2


def _foreign_key_sql(key: ForeignKey) -> str:
    names = f" ({', '.join(key.parent_columns)})" if key.parent_columns else ""
    actions = f" ON UPDATE {key.on_update} ON DELETE {key.on_delete}"
    return f"FOREIGN KEY ({', '.join(key.columns)}) REFERENCES {key.parent}{names}{actions}"


def with_unique_parents(plan: TablePlan, everyone: Iterable[TablePlan]) -> TablePlan:
    """Make those unique constraints not deferrable that a foreign key names: PostgreSQL demands it."""
    named = {
        frozenset(key.parent_columns) for child in everyone for key in child.foreign_keys if key.parent == plan.target
    }
    uniques = tuple(replace(u, deferrable=frozenset(u.columns) not in named) for u in plan.uniques)
    return replace(plan, uniques=uniques)
