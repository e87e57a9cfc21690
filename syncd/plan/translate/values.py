"""Values: columns, literals, arithmetic, and choosing one of several."""

from dataclasses import replace

from sqlglot import exp

from syncd.plan.translate.comparison import aligned, boolean, compare, is_moment
from syncd.plan.translate.terms import (
    FALSE,
    MOMENTS,
    NUMBERS,
    TRUE,
    Kind,
    Level,
    Scope,
    Term,
    Untranslatable,
    as_condition,
    as_double,
    as_number,
    as_text,
    column_of,
    number,
    text,
)
from syncd.plan.translate.walking import Translator, translates
from syncd.plan.translate.walking import term as value_of


@translates(exp.Column)
def _column(node: exp.Expr, scope: Scope) -> Term:
    name = node.name
    if term := column_of(name, scope):
        return term
    if isinstance(node.this, exp.Identifier) and node.this.quoted:
        # https://sqlite.org/quirks.html#double_quoted_string_literals_are_accepted
        return text(name)
    raise Untranslatable(f"the name {name}")


@translates(exp.Literal, "is_string")
def _literal(node: exp.Expr, _: Scope) -> Term:
    return text(node.name) if node.args["is_string"] else number(node.name)


@translates(exp.HexString)
def _bytes(node: exp.Expr, _: Scope) -> Term:
    return Term(f"'\\x{node.name}'::bytea", Kind.BYTES)


@translates(exp.Paren)
def _paren(node: exp.Expr, scope: Scope) -> Term:
    return value_of(node.this, scope)


@translates(exp.Null)
def _null(_node: exp.Expr, _: Scope) -> Term:
    return Term("NULL", Kind.NULL)


@translates(exp.Boolean)
def _constant(node: exp.Expr, _: Scope) -> Term:
    return TRUE if node.this else FALSE


def _arithmetic(operator: str, level: Level) -> Translator:
    def translate(node: exp.Expr, scope: Scope) -> Term:
        left, right = as_number(value_of(node.this, scope)), as_number(value_of(node.expression, scope))
        kinds = {left.kind, right.kind} - {Kind.NULL}
        whole = kinds <= {Kind.INTEGER}
        if operator == "/" and not whole and Kind.REAL not in kinds:
            raise Untranslatable("a division that is one of integers where both values are")
        if not whole:
            left, right = as_double(left), as_double(right)
        divisor = right.within(Level.ATOM) if operator in "+-*" else _not_zero(right)
        kind = Kind.INTEGER if whole else Kind.REAL if Kind.REAL in kinds else Kind.NUMBER
        return Term(f"{left.within(level)} {operator} {divisor}", kind, level, double=not whole)

    return translate


def _not_zero(term: Term) -> str:
    """SQLite's division by zero is NULL, PostgreSQL's is an error."""
    return term.sql if term.constant and float(term.constant) else f"nullif({term.sql}, 0)"


@translates(exp.Mod, "expression")
def _modulo(node: exp.Expr, scope: Scope) -> Term:
    term = _arithmetic("%", Level.PRODUCT)(node, scope)
    if term.kind is not Kind.INTEGER:
        raise Untranslatable("the remainder of what is no integer")
    return term


def _bits(operator: str) -> Translator:
    def translate(node: exp.Expr, scope: Scope) -> Term:
        left, right = as_number(value_of(node.this, scope)), as_number(value_of(node.expression, scope))
        if not {left.kind, right.kind} <= {Kind.INTEGER}:
            raise Untranslatable("the bits of what is no integer")
        return Term(f"{left.within(Level.ATOM)} {operator} {right.within(Level.ATOM)}", Kind.INTEGER, Level.OTHER)

    return translate


@translates(exp.Neg)
def _negative(node: exp.Expr, scope: Scope) -> Term:
    term = as_number(value_of(node.this, scope))
    constant = f"-{term.constant}" if term.constant and not term.constant.startswith("-") else None
    return replace(term, sql=f"-{term.within(Level.ATOM)}", level=Level.PRODUCT, constant=constant, is_column=False)


@translates(exp.DPipe, "expression", "safe")
def _concatenated(node: exp.Expr, scope: Scope) -> Term:
    terms = [value_of(node.this, scope), value_of(node.expression, scope)]
    if Kind.TEXT not in {term.kind for term in terms}:
        raise Untranslatable("two values joined of which none is text")
    left, right = (term if term.kind is Kind.INTEGER else as_text(term) for term in terms)
    return Term(f"{left.within(Level.OTHER)} || {right.within(Level.ATOM)}", Kind.TEXT, Level.OTHER)


for _node, _operator, _level in (
    (exp.Add, "+", Level.SUM),
    (exp.Sub, "-", Level.SUM),
    (exp.Mul, "*", Level.PRODUCT),
    (exp.Div, "/", Level.PRODUCT),
):
    translates(_node, "expression", "typed", "safe")(_arithmetic(_operator, _level))
translates(exp.BitwiseAnd, "expression")(_bits("&"))
translates(exp.BitwiseOr, "expression")(_bits("|"))


@translates(exp.Case, "ifs", "default")
def _case(node: exp.Expr, scope: Scope) -> Term:
    operand = value_of(node.this, scope) if node.this else None
    whens, results = [], []
    for branch in node.args["ifs"]:
        asked = value_of(branch.this, scope)
        whens.append(compare(operand, "=", asked) if operand else as_condition(asked))
        results.append(value_of(branch.args["true"], scope))
    default = node.args.get("default")
    results.append(value_of(default, scope) if default else Term("NULL", Kind.NULL))
    results, kind, double = _of_one_kind(results)
    branches = [f"WHEN {when.sql} THEN {then.sql}" for when, then in zip(whens, results, strict=False)]
    otherwise = f" ELSE {results[-1].sql}" if default else ""
    return Term(f"CASE {' '.join(branches)}{otherwise} END", kind, double=double)


@translates(exp.If, "true", "false")
def _if(node: exp.Expr, scope: Scope) -> Term:
    asked = as_condition(value_of(node.this, scope))
    branches = [node.args["true"], node.args.get("false")]
    results, kind, double = _of_one_kind([value_of(b, scope) if b else Term("NULL", Kind.NULL) for b in branches])
    return Term(f"CASE WHEN {asked.sql} THEN {results[0].sql} ELSE {results[1].sql} END", kind, double=double)


@translates(exp.Coalesce, "expressions")
def _coalesced(node: exp.Expr, scope: Scope) -> Term:
    terms, kind, double = _of_one_kind([value_of(each, scope) for each in (node.this, *node.expressions)])
    return Term(f"coalesce({', '.join(term.sql for term in terms)})", kind, double=double)


@translates(exp.Nullif, "expression")
def _nullif(node: exp.Expr, scope: Scope) -> Term:
    left, right = value_of(node.this, scope), value_of(node.expression, scope)
    one, other = aligned(left, "=", right)
    if one.sql != left.sql:
        raise Untranslatable("nullif() of a collation")
    return Term(f"nullif({one.sql}, {other.sql})", left.kind, double=left.double)


def _of_one_kind(terms: list[Term]) -> tuple[list[Term], Kind, bool]:
    """Terms among which one is chosen, and what that one is."""
    kinds = {term.kind for term in terms} - {Kind.NULL}
    if Kind.BOOLEAN in kinds:
        return [boolean(term) for term in terms], Kind.BOOLEAN, False
    if kinds <= NUMBERS:
        kind = next(iter(kinds)) if len(kinds) == 1 else Kind.NUMBER
        return terms, kind, any(term.double for term in terms)
    moments = kinds & MOMENTS
    if len(moments) == 1 and kinds <= moments | {Kind.TEXT}:
        (kind,) = moments
        if all(t.kind is not Kind.TEXT or (t.constant and is_moment(kind, t.constant)) for t in terms):
            return terms, kind, False
    if kinds == {Kind.TEXT}:
        return terms, Kind.TEXT, False
    raise Untranslatable("values of different types among which one is chosen")
