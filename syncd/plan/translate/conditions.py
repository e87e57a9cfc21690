"""Conditions: comparing, asking for NULL, and joining the answers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sqlglot import exp

from syncd.plan.translate.comparison import aligned, compare
from syncd.plan.translate.terms import (
    FALSE,
    MOMENTS,
    TRUE,
    Kind,
    Level,
    Scope,
    Term,
    Untranslatable,
    as_condition,
    as_text,
)
from syncd.plan.translate.walking import Translator, refused, translates
from syncd.plan.translate.walking import term as value_of
from syncd.quoting import literal

_CLASSES: Mapping[Kind, frozenset[str]] = {
    Kind.INTEGER: frozenset({"integer"}),
    Kind.REAL: frozenset({"real"}),
    Kind.NUMBER: frozenset({"integer", "real"}),
    Kind.TEXT: frozenset({"text"}),
    Kind.BOOLEAN: frozenset({"integer"}),
    Kind.BYTES: frozenset({"blob"}),
    **dict.fromkeys(MOMENTS, frozenset({"text"})),
}


def _negated(node: exp.Expr, scope: Scope) -> Term:
    term = as_condition(value_of(node.this, scope))
    return Term(f"NOT {term.within(Level.COMPARISON)}", Kind.BOOLEAN, Level.NOT)


@translates(exp.And, "expression")
def _and(node: exp.Expr, scope: Scope) -> Term:
    terms = [as_condition(value_of(part, scope)) for part in node.flatten()]
    return replace(_joined(terms, "AND", Level.AND), never_false=all(term.never_false for term in terms))


@translates(exp.Or, "expression")
def _or(node: exp.Expr, scope: Scope) -> Term:
    terms = [as_condition(value_of(part, scope)) for part in node.flatten()]
    return replace(_joined(terms, "OR", Level.OR), never_false=any(term.never_false for term in terms))


def _joined(terms: Sequence[Term], word: str, level: Level) -> Term:
    if len(terms) == 1:
        return terms[0]
    return Term(f" {word} ".join(term.within(level) for term in terms), Kind.BOOLEAN, level)


def _comparison(operator: str) -> Translator:
    def translate(node: exp.Expr, scope: Scope) -> Term:
        if operator == "=" and isinstance(node.this, exp.Typeof):
            return _typeof(node.this, [node.expression], scope)
        return compare(value_of(node.this, scope), operator, value_of(node.expression, scope))

    return translate


@translates(exp.Is, "expression")
def _is(node: exp.Expr, scope: Scope) -> Term:
    """IS NULL, IS TRUE, IS FALSE; other operands of IS are another node."""
    term = value_of(node.this, scope)
    if isinstance(node.expression, exp.Null):
        return Term(f"{term.within(Level.OTHER)} IS NULL", Kind.BOOLEAN, Level.COMPARISON)
    word = "TRUE" if node.expression.this else "FALSE"
    return Term(f"{as_condition(term).within(Level.OTHER)} IS {word}", Kind.BOOLEAN, Level.COMPARISON)


@translates(exp.Not)
def _not(node: exp.Expr, scope: Scope) -> Term:
    if isinstance(node.this, exp.Is) and isinstance(node.this.expression, exp.Null):
        term = value_of(node.this.this, scope)
        sql = f"{term.within(Level.OTHER)} IS NOT NULL"
        return Term(sql, Kind.BOOLEAN, Level.COMPARISON, never_false=term.not_null)
    return _negated(node, scope)


@translates(exp.In, "expressions")
def _in(node: exp.Expr, scope: Scope) -> Term:
    if isinstance(node.this, exp.Typeof):
        return _typeof(node.this, node.expressions, scope)
    left = value_of(node.this, scope)
    pairs = [aligned(left, "=", value_of(item, scope)) for item in node.expressions]
    if not pairs or len({one.sql for one, _ in pairs}) > 1:
        raise refused(node)
    left, items = pairs[0][0], [item for _, item in pairs]
    every = left.is_column and left.kind is Kind.BOOLEAN and {TRUE.sql, FALSE.sql} <= {item.sql for item in items}
    sql = f"{left.within(Level.OTHER)} IN ({', '.join(item.sql for item in items)})"
    return Term(sql, Kind.BOOLEAN, Level.COMPARISON, never_false=every)


@translates(exp.Between, "low", "high")
def _between(node: exp.Expr, scope: Scope) -> Term:
    term = value_of(node.this, scope)
    left, low = aligned(term, ">=", value_of(node.args["low"], scope))
    _, high = aligned(term, "<=", value_of(node.args["high"], scope))
    sql = f"{left.within(Level.OTHER)} BETWEEN {low.within(Level.OTHER)} AND {high.within(Level.OTHER)}"
    return Term(sql, Kind.BOOLEAN, Level.COMPARISON)


def _typeof(node: exp.Typeof, names: Iterable[exp.Expr], scope: Scope) -> Term:
    """A column of the target holds one storage class: asking for it asks whether the value is NULL."""
    term = value_of(node.this, scope)
    wanted = {name.name for name in names}
    classes = _CLASSES.get(term.kind, frozenset())
    if not term.is_column or not classes or (classes & wanted and not classes <= wanted):
        raise Untranslatable(f"the storage class of {term.kind.value}")
    if classes <= wanted:
        if "null" in wanted or term.not_null:
            return TRUE
        return Term(f"{term.sql} IS NOT NULL", Kind.BOOLEAN, Level.COMPARISON)
    return Term(f"{term.sql} IS NULL", Kind.BOOLEAN, Level.COMPARISON) if "null" in wanted else FALSE


@translates(exp.Like, "expression", "negate")
def _plain_like(node: exp.Expr, scope: Scope) -> Term:
    return _like(node, scope, "")


def _like(node: exp.Expr, scope: Scope, escape: str) -> Term:
    """SQLite's LIKE ignores the case of ASCII letters, as ILIKE does in "C"; it knows no escape unless told one."""
    if not isinstance(node.expression, exp.Literal):
        raise refused(node)
    pattern = node.expression.name
    word = "NOT ILIKE" if node.args.get("negate") else "ILIKE"
    sql = f"{as_text(value_of(node.this, scope)).in_bytes} {word} {literal(pattern)}"
    if escape or "\\" in pattern:
        sql += f" ESCAPE {literal(escape)}"
    return Term(sql, Kind.BOOLEAN, Level.COMPARISON)


@translates(exp.Escape, "expression")
def _escaped_like(node: exp.Expr, scope: Scope) -> Term:
    if not isinstance(node.this, exp.Like):
        raise refused(node)
    return _like(node.this, scope, node.expression.name)


for _node, _operator in (
    (exp.EQ, "="),
    (exp.NEQ, "<>"),
    (exp.LT, "<"),
    (exp.LTE, "<="),
    (exp.GT, ">"),
    (exp.GTE, ">="),
    (exp.NullSafeEQ, "IS NOT DISTINCT FROM"),
    (exp.NullSafeNEQ, "IS DISTINCT FROM"),
):
    translates(_node, "expression")(_comparison(_operator))
