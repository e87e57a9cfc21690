"""SQLite expressions in PostgreSQL's words: what is surely the same is translated, all else is refused with the reason.

sqlglot parses SQLite's grammar; what its tree may hold is a list of what is known to mean the same on both sides.
"""

from syncd.plan.translate.defaults import default
from syncd.plan.translate.expression import check, condition, member
from syncd.plan.translate.terms import Scope, Untranslatable, column_term

__all__ = ["Scope", "Untranslatable", "check", "column_term", "condition", "default", "member"]
