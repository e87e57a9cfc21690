"""What a table was when it was loaded, and what changed since: a new column is taken up, all else needs a person."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from syncd.plan.blueprint import ColumnPlan, TablePlan
from syncd.types import TargetType

_FROM = " from "

Column = tuple[str, str]
"""A source's column and the type that it declares."""


@dataclass(frozen=True)
class Definition:
    """What is kept beside a table's fingerprint, so that a change of it can be named.

    `carried` are the target's columns, each with the expression whose value it gets and its type, which is empty in a
    table that was there before. With a type goes how the source keeps moments: `date from epoch_s`.
    """

    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    carried: tuple[tuple[str, str, str], ...]
    key: tuple[str, ...]

    @classmethod
    def of(cls, plan: TablePlan) -> "Definition":
        return cls(
            tuple((column.name, column.declared_type) for column in plan.source.columns),
            plan.source.primary_key,
            tuple((c.name, c.expression, _written(c.type) if plan.created else "") for c in plan.columns),
            plan.key,
        )

    @classmethod
    def from_json(cls, kept: dict[str, list[list[str]]]) -> "Definition":
        return cls(
            tuple((name, type_) for name, type_ in kept["columns"]),
            tuple(map(str, kept["primary_key"])),
            tuple((name, expression, type_) for name, expression, type_ in kept["carried"]),
            tuple(map(str, kept["key"])),
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


def added(before: Definition, plan: TablePlan) -> tuple[ColumnPlan, ...] | None:
    """The columns of the target that get values now; None where more than new columns tells the table from before.

    None of them is there to get a value where the configuration leaves the new ones out.
    """
    now = Definition.of(plan)
    is_more = set(before.columns) <= set(now.columns) and set(before.carried) <= set(now.carried)
    is_same = (before.columns, before.carried) == (now.columns, now.carried)
    if is_same or not is_more or (before.primary_key, before.key) != (now.primary_key, now.key):
        return None
    known = {name for name, _, _ in before.carried}
    return tuple(column for column in plan.columns if column.name not in known)


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
    if before.primary_key != now.primary_key:
        yield f"the primary key was {_names(before.primary_key)}, now {_names(now.primary_key)}"
    if not (gone or new):
        yield from _changes_of_mapping(before, now)


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


def _columns(names: list[str]) -> str:
    return f"the column {names[0]} is" if len(names) == 1 else f"the columns {', '.join(names)} are"


def _names(names: tuple[str, ...]) -> str:
    return f"({', '.join(names)})" if names else "none"
