"""Which PostgreSQL type a column gets, from its declared type and from what its values really are."""

from syncd.plan.typing.choice import TypeChoice, agreed, choose
from syncd.plan.typing.declared import Family, family_of, precision_and_scale
from syncd.plan.typing.profiles import ColumnProfile, Example, Profiled, TableProfile, ValueKind

__all__ = [
    "ColumnProfile",
    "Example",
    "Family",
    "Profiled",
    "TableProfile",
    "TypeChoice",
    "ValueKind",
    "agreed",
    "choose",
    "family_of",
    "precision_and_scale",
]
