"""SQLite's functions that PostgreSQL has as well."""

from dataclasses import replace

from sqlglot import exp

from syncd.plan.translate.terms import TRUE, Kind, Scope, Term, as_number, as_text, number
from syncd.plan.translate.walking import Translator, refused, translates
from syncd.plan.translate.walking import term as value_of


@translates(exp.Length)
def _length(node: exp.Expr, scope: Scope) -> Term:
    term = value_of(node.this, scope)
    return Term(f"length({term.sql if term.kind is Kind.BYTES else as_text(term).sql})", Kind.INTEGER)


def _cased(function: str) -> Translator:
    def translate(node: exp.Expr, scope: Scope) -> Term:
        return Term(f"{function}({as_text(value_of(node.this, scope)).in_bytes})", Kind.TEXT)

    return translate


@translates(exp.Trim, "expression", "position")
def _trimmed(node: exp.Expr, scope: Scope) -> Term:
    name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(str(node.args.get("position")), "btrim")
    arguments = [as_text(value_of(node.this, scope)).sql]
    if node.args.get("expression"):
        arguments.append(as_text(value_of(node.args["expression"], scope)).sql)
    return Term(f"{name}({', '.join(arguments)})", Kind.TEXT)


@translates(exp.Substring, "start", "length")
def _part(node: exp.Expr, scope: Scope) -> Term:
    """Counting from the end, or from 0, means something else in PostgreSQL."""
    bounds = [value_of(node.args[name], scope) for name in ("start", "length") if node.args.get(name)]
    plain = all(bound.kind is Kind.INTEGER and (bound.constant or "-").isdigit() for bound in bounds)
    if not plain or bounds[0].constant == "0":
        raise refused(node)
    arguments = ", ".join((as_text(value_of(node.this, scope)).sql, *(bound.sql for bound in bounds)))
    return Term(f"substr({arguments})", Kind.TEXT)


@translates(exp.StrPosition, "substr")
def _position(node: exp.Expr, scope: Scope) -> Term:
    left, right = as_text(value_of(node.this, scope)), as_text(value_of(node.args["substr"], scope))
    return Term(f"strpos({left.sql}, {right.sql})", Kind.INTEGER)


@translates(exp.Abs)
def _absolute(node: exp.Expr, scope: Scope) -> Term:
    term = as_number(value_of(node.this, scope))
    return Term(f"abs({term.sql})", term.kind, double=term.double)


@translates(exp.Round, "decimals")
def _rounded(node: exp.Expr, scope: Scope) -> Term:
    """numeric rounds halves away from zero, as SQLite means to; double precision rounds them to even."""
    term = as_number(value_of(node.this, scope))
    decimals = value_of(node.args["decimals"], scope) if node.args.get("decimals") else number("0")
    if term.double or term.kind not in (Kind.INTEGER, Kind.NUMBER) or not (decimals.constant or "-").isdigit():
        raise refused(node)
    return Term(f"round({term.sql}, {decimals.sql})", Kind.REAL)


@translates(exp.Collate, "expression")
def _collated(node: exp.Expr, scope: Scope) -> Term:
    return replace(value_of(node.this, scope), collation=node.expression.name.upper(), named=True)


@translates(exp.Date)
def _dated(node: exp.Expr, scope: Scope) -> Term:
    """date() of what is a date already."""
    term = value_of(node.this, scope)
    if term.kind is not Kind.DATE:
        raise refused(node)
    return term


@translates(exp.Anonymous, "expressions")
def _named_function(node: exp.Expr, scope: Scope) -> Term:
    """json_valid() of a jsonb is true unless it is NULL; of functions that sqlglot does not know it is the only one."""
    if node.name.lower() != "json_valid" or len(node.expressions) != 1:
        raise refused(node)
    if value_of(node.expressions[0], scope).kind is not Kind.JSON:
        raise refused(node)
    return TRUE


translates(exp.Lower)(_cased("lower"))
translates(exp.Upper)(_cased("upper"))
