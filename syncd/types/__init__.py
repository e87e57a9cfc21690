"""Types: which PostgreSQL type a value gets, and how SQLite renders it for that type."""

from syncd.types import limits
from syncd.types.moments import MOMENTS
from syncd.types.names import Rendering, TargetType, canonical
from syncd.types.normal import INTEGERS, another_form, has_one_form, is_exact, key_rendering, normal
from syncd.types.rendering import is_left_to_postgresql, rendering

__all__ = [
    "INTEGERS",
    "MOMENTS",
    "Rendering",
    "TargetType",
    "another_form",
    "canonical",
    "has_one_form",
    "is_exact",
    "is_left_to_postgresql",
    "key_rendering",
    "limits",
    "normal",
    "rendering",
]
