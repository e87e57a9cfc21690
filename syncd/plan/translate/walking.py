"""Walking the tree of an SQLite expression: who translates which node."""

from collections.abc import Callable

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from syncd.plan.translate.precedence import is_sure
from syncd.plan.translate.terms import Scope, Term, Untranslatable

Translator = Callable[[exp.Expr, Scope], Term]

_TRANSLATORS: dict[type[exp.Expr], tuple[Translator, frozenset[str]]] = {}


def translates(kind: type[exp.Expr], *arguments: str) -> Callable[[Translator], Translator]:
    """Register a function for a kind of node. With an argument that is not named here, a node is refused."""

    def register(translator: Translator) -> Translator:
        _TRANSLATORS[kind] = translator, frozenset({"this", *arguments})
        return translator

    return register


def parse(sql: str) -> exp.Expr:
    """The tree of an SQLite expression. Raises Untranslatable where it has none."""
    try:
        return sqlglot.parse_one(sql, dialect="sqlite")
    except SqlglotError as error:
        raise Untranslatable("it cannot be parsed") from error


def term(node: exp.Expr, scope: Scope) -> Term:
    """What a node means in PostgreSQL. Raises Untranslatable where that is not certain."""
    if type(node) not in _TRANSLATORS:
        raise refused(node)
    translator, arguments = _TRANSLATORS[type(node)]
    given = {name for name, value in node.args.items() if value is not None and value is not False and value != []}
    if not given <= arguments or not is_sure(node):
        raise refused(node)
    return translator(node, scope)


def refused(node: exp.Expr) -> Untranslatable:
    return Untranslatable(node.sql(dialect="sqlite"))
