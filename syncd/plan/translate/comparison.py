"""Comparing two terms, with SQLite's rules for kinds and collations."""

import re
from dataclasses import replace
from datetime import datetime

from syncd.plan.translate.terms import (
    FALSE,
    MOMENTS,
    NUMBERS,
    TRUE,
    Kind,
    Level,
    Term,
    Untranslatable,
    as_number,
    folded,
)

_FORMS = {Kind.DATE: "%Y-%m-%d", Kind.TIMESTAMP: "%Y-%m-%d %H:%M:%S", Kind.TIME: "%H:%M:%S"}
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
_ORDER = frozenset(_FLIPPED)
_EQUAL = frozenset({"=", "<=", ">=", "IS NOT DISTINCT FROM"})


def compare(left: Term, operator: str, right: Term) -> Term:
    """The condition `left operator right`; the operators are PostgreSQL's."""
    if left.kind is Kind.BOOLEAN and operator in ("=", "<>") and right.constant in ("0", "1"):
        return _is(left, (right.constant == "1") is (operator == "="))
    left, right = aligned(left, operator, right)
    sql = f"{left.within(Level.OTHER)} {operator} {right.within(Level.OTHER)}"
    trivial = left.is_column and left.sql == right.sql and operator in _EQUAL
    return Term(sql, Kind.BOOLEAN, Level.COMPARISON, never_false=trivial)


def _is(term: Term, wanted: bool) -> Term:
    return term if wanted else Term(f"NOT {term.within(Level.COMPARISON)}", Kind.BOOLEAN, Level.NOT)


def aligned(left: Term, operator: str, right: Term) -> tuple[Term, Term]:
    """Both sides as PostgreSQL must see them to judge as SQLite does."""
    kinds = {left.kind, right.kind}
    if Kind.NULL in kinds or kinds <= NUMBERS or kinds == {Kind.BYTES}:
        return left, right
    if Kind.BOOLEAN in kinds:
        return _booleans(left, right)
    if kinds == {Kind.TEXT}:
        return _texts(left, operator, right)
    if Kind.LOOSE in kinds and left.constant is None:
        return _loose(left, operator, right)
    if kinds & MOMENTS:
        return _moments(left, operator, right)
    raise Untranslatable(f"{left.kind.value} compared with {right.kind.value}")


def _booleans(left: Term, right: Term) -> tuple[Term, Term]:
    if left.kind is right.kind:
        return left, right
    for one, other in ((left, right), (right, left)):
        if one.kind is Kind.BOOLEAN and one.is_column:
            constant = boolean(other)
            return (left, constant) if one is left else (constant, right)
    return as_number(left), as_number(right)


def boolean(term: Term) -> Term:
    """A boolean, or 0 or 1 as one."""
    if term.kind in (Kind.BOOLEAN, Kind.NULL):
        return term
    if term.kind is Kind.INTEGER and term.constant in ("0", "1"):
        return TRUE if term.constant == "1" else FALSE
    raise Untranslatable(f"a boolean beside {term.constant or term.kind.value}")


def _texts(left: Term, operator: str, right: Term) -> tuple[Term, Term]:
    """The collation is the one that an operand names, else that of a column, the left before the right:
    https://sqlite.org/datatype3.html#assigning_collating_sequences_from_sql
    """
    candidates = [t for t in (left, right) if t.named] or [t for t in (left, right) if t.is_column]
    collation = candidates[0].collation if candidates else "BINARY"
    left, right = folded(left, collation), folded(right, collation)
    if operator in _ORDER and collation != "NOCASE":
        left = replace(left, sql=left.in_bytes, level=Level.OTHER)
    return left, right


def _loose(left: Term, operator: str, right: Term) -> tuple[Term, Term]:
    """Whether a column without TEXT affinity is some text can be told where that text is like no number."""
    if right.constant is None or operator in _ORDER or re.match(r"\s*[-+.]?\d", right.constant):
        raise Untranslatable(f"{left.kind.value} compared with {right.constant or right.kind.value}")
    collation = (right if right.named else left).collation
    return folded(left, collation), folded(right, collation)


def _moments(left: Term, operator: str, right: Term) -> tuple[Term, Term]:
    """Text that is a moment in full sorts as moments do; of a shorter one that holds for >= and < alone."""
    for one, other, its in ((left, right, operator), (right, left, _FLIPPED.get(operator, operator))):
        if one.kind in MOMENTS and other.kind is Kind.TEXT and other.constant is not None:
            shorter = one.kind is Kind.TIMESTAMP and its in (">=", "<") and is_moment(Kind.DATE, other.constant)
            if shorter or is_moment(one.kind, other.constant):
                return left, right
    if left.kind is right.kind:
        return left, right
    raise Untranslatable(f"{left.kind.value} compared with {right.constant or right.kind.value}")


def is_moment(kind: Kind, value: str) -> bool:
    """Whether text is a moment of that kind as SQLite's own functions write it."""
    try:
        found = datetime.strptime(value, _FORMS[kind])
    except ValueError:
        return False
    # strptime takes `2024-1-1` as well.
    return found.strftime(_FORMS[kind]) == value
