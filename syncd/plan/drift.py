"""What a table was when it was loaded, and what changed since.

New columns are taken up, and so is another mapping of a table whose own definition is the same; all else needs a
person.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from syncd.model import digest
from syncd.plan.blueprint import ColumnPlan, TablePlan
from syncd.types import TargetType

_FROM = " from "

Column = tuple[str, str]
"""A source's column and the type that it declares."""


@dataclass(frozen=True)
class Definition:
    """What is kept beside a table's fingerprint, so that a change of it can be named.

    `carried` are the target's columns, each with the expression whose value it gets and its type, which is empty in a
    table that was there before. With a type goes how the source keeps moments: `date from epoch_s`. `conditions` tell
    which rows belong (`where`) and which are taken (`check.NAME`). `sql` is a digest of the source's CREATE TABLE, and
    `target` the name of the target's table; both are empty of a table that was loaded before they were kept. `deletes`:
    whether sweeps carried deletes over, so that the target holds no row which the base has not.
    """

    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    carried: tuple[tuple[str, str, str], ...]
    key: tuple[str, ...]
    conditions: tuple[tuple[str, str], ...] = ()
    sql: str = ""
    target: str = ""
    deletes: bool = True

    @classmethod
    def of(cls, plan: TablePlan) -> "Definition":
        return cls(
            tuple((column.name, column.declared_type) for column in plan.source.columns),
            plan.source.primary_key,
            tuple((c.name, c.expression, _written(c.type) if plan.created else "") for c in plan.columns),
            plan.key,
            (*_belonging(plan), *((f"check.{check.name}", check.condition) for check in plan.checks)),
            digest(plan.source.sql),
            plan.target,
            plan.deletes,
        )

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> "Definition":
        return cls(
            tuple((name, type_) for name, type_ in kept["columns"]),
            tuple(map(str, kept["primary_key"])),
            tuple((name, expression, type_) for name, expression, type_ in kept["carried"]),
            tuple(map(str, kept["key"])),
            tuple((name, condition) for name, condition in kept.get("conditions", ())),
            str(kept.get("sql", "")),
            str(kept.get("target", "")),
            bool(kept.get("deletes", True)),
        )

    @property
    def origins(self) -> Mapping[str, str]:
        """How the source keeps the moments of the target's columns, where it is not as ISO text."""
        return {name: type_.partition(_FROM)[2] for name, _, type_ in self.carried if _FROM in type_}

    def as_json(self) -> dict[str, object]:
        return asdict(self)


NOTHING = Definition((), (), (), ())
"""Of a table that was loaded before definitions were kept."""


def _written(type_: TargetType) -> str:
    return f"{type_.name}{_FROM}{type_.origin}" if type_.origin else type_.name


def _belonging(plan: TablePlan) -> tuple[tuple[str, str], ...]:
    return () if plan.where == "1" else (("where", plan.where),)


def taken_up(before: Definition, plan: TablePlan) -> tuple[ColumnPlan, ...] | None:
    """The columns of the target that get values now; None where the change needs a person.

    None of them is there to get a value where the configuration leaves new ones out, or other expressions and
    conditions are all that changed.
    """
    now = Definition.of(plan)
    if (before.primary_key, before.key) != (now.primary_key, now.key) or _is_elsewhere(before, now):
        return None
    can_go_on = _has_other_mapping(before, now) if before.sql == now.sql else _has_more_columns(before, now)
    known = {name for name, _, _ in before.carried}
    return tuple(column for column in plan.columns if column.name not in known) if can_go_on else None


def _is_elsewhere(before: Definition, now: Definition) -> bool:
    return bool(before.target) and before.target != now.target


def _has_more_columns(before: Definition, now: Definition) -> bool:
    is_same = (before.columns, before.carried) == (now.columns, now.carried)
    return not is_same and set(before.columns) <= set(now.columns) and set(before.carried) <= set(now.carried)


def _has_other_mapping(before: Definition, now: Definition) -> bool:
    """Whether every column that got values still gets some, of the same type."""
    types, types_now = ({name: type_ for name, _, type_ in one.carried} for one in (before, now))
    return types.items() <= types_now.items()


def told(before: Definition, plan: TablePlan) -> str:
    """What changed, for a person."""
    return "; ".join(_changes(before, Definition.of(plan))) or (
        "its SQL is another one, with the same columns and the same key: the table was made anew, or is referred to by "
        "another name"
    )


def _changes(before: Definition, now: Definition) -> Iterator[str]:
    types, types_now = dict(before.columns), dict(now.columns)
    gone = [name for name in types if name not in types_now]
    new = [name for name in types_now if name not in types]
    if gone and new:
        yield f"{_columns(gone)} gone and {_columns(new)} new: renamed, or dropped and added"
    elif gone:
        yield f"{_columns(gone)} gone: dropped"
    elif new:
        yield f"{_columns(new)} new"
    for name, type_ in types.items():
        if (type_now := types_now.get(name, type_)) != type_:
            yield f"the column {name} was declared {type_ or 'without a type'}, now {type_now or 'without one'}"
    if _is_elsewhere(before, now):
        yield f"the target's table was {before.target}, now {now.target}"
    if before.primary_key != now.primary_key:
        yield f"the primary key was {_names(before.primary_key)}, now {_names(now.primary_key)}"
    if not (gone or new):
        yield from _changes_of_mapping(before, now)
    yield from _changes_of_conditions(dict(before.conditions), dict(now.conditions))


def _changes_of_mapping(before: Definition, now: Definition) -> Iterator[str]:
    carried, carried_now = ({name: rest for name, *rest in one.carried} for one in (before, now))
    for name, value in carried.items():
        if name not in carried_now:
            yield f"the target's column {name} gets no value any longer"
        elif value != carried_now[name]:
            was, is_ = (" as ".join(filter(None, one)) for one in (value, carried_now[name]))
            yield f"the target's column {name} got {was}, now {is_}"
    for name in carried_now:
        if name not in carried:
            yield f"the target's column {name} gets a value now"
    if before.key != now.key and before.primary_key == now.primary_key:
        yield f"the target's key was {_names(before.key)}, now {_names(now.key)}"


def _changes_of_conditions(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name in {**before, **now}:
        if (was := before.get(name, "none")) != (is_ := now.get(name, "none")):
            yield f"the condition `{name}` was {was}, now {is_}"


def _columns(names: list[str]) -> str:
    return f"the column {names[0]} is" if len(names) == 1 else f"the columns {', '.join(names)} are"


def _names(names: tuple[str, ...]) -> str:
    return f"({', '.join(names)})" if names else "none"
