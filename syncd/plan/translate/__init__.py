"""SQLite expressions in PostgreSQL's words: what is surely the same is translated, all else is refused with the reason.

sqlglot parses SQLite's grammar; what its tree may hold is a list of what is known to mean the same on both sides. It
takes 60 ms to import, a tenth of what a command takes to begin, and most tables hold nothing that needs it.
"""

# ruff: noqa: PLC0415

from syncd.plan.translate.terms import Scope, Untranslatable, column_member, column_term
from syncd.types import TargetType

__all__ = ["Scope", "Untranslatable", "check", "column_member", "column_term", "condition", "default", "member"]


def default(sql: str, type_: TargetType) -> str | None:
    """The PostgreSQL expression for a column's default; None where it is NULL.

    Raises Untranslatable where it does not fit the type or is no constant and not the present moment.
    """
    from syncd.plan.translate import defaults

    return defaults.default(sql, type_)


def check(sql: str, scope: Scope) -> str | None:
    """The condition of a CHECK constraint; None where the target's types fulfil it for every row."""
    from syncd.plan.translate import expression

    return expression.check(sql, scope)


def condition(sql: str, scope: Scope) -> str:
    """A condition that is true for the same rows."""
    from syncd.plan.translate import expression

    return expression.condition(sql, scope)


def member(sql: str, scope: Scope, collation: str) -> str:
    """An expression as a member of an index: a column, a function, or another one in brackets."""
    from syncd.plan.translate import expression

    return expression.member(sql, scope, collation)
