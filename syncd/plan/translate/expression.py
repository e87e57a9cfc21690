"""An SQLite expression where it stands in a table's definition: in a CHECK, in an index."""

from collections.abc import Iterator

from sqlglot import exp

# These register what they translate.
from syncd.plan.translate import conditions, functions, values  # noqa: F401
from syncd.plan.translate.terms import Level, Scope, as_condition, folded
from syncd.plan.translate.walking import parse, term


def check(sql: str, scope: Scope) -> str | None:
    """The condition of a CHECK constraint; None where the target's types fulfil it for every row."""
    parts = [as_condition(term(part, scope)) for part in _conjuncts(parse(sql))]
    needed = [part for part in parts if not part.never_false]
    if len(needed) == 1:
        return needed[0].sql
    return " AND ".join(part.within(Level.AND) for part in needed) or None


def condition(sql: str, scope: Scope) -> str:
    """A condition that is true for the same rows."""
    return as_condition(term(parse(sql), scope)).sql


def member(sql: str, scope: Scope, collation: str) -> str:
    """A member of an index: a column, a function, or another expression in brackets."""
    found = folded(term(parse(sql), scope), collation)
    bare = found.is_column or (found.level is Level.ATOM and found.sql.endswith(")"))
    return found.sql if bare else f"({found.sql})"


def _conjuncts(node: exp.Expr) -> Iterator[exp.Expr]:
    """What must not be false, each for itself."""
    if isinstance(node, exp.Paren):
        yield from _conjuncts(node.this)
    elif isinstance(node, exp.And):
        yield from _conjuncts(node.this)
        yield from _conjuncts(node.expression)
    else:
        yield node
