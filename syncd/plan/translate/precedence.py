"""SQLite's precedence of operators, held against the tree that sqlglot has read.

sqlglot reads `a < b IN (c)` as `a < (b IN (c))`, SQLite as `(a < b) IN (c)`: https://sqlite.org/lang_expr.html
"""

from collections.abc import Mapping

from sqlglot import exp

_TIGHTNESS: Mapping[type[exp.Expr], int] = {
    exp.Or: 1,
    exp.And: 2,
    exp.Not: 3,
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.Is, exp.NullSafeEQ, exp.NullSafeNEQ, exp.In, exp.Between, exp.Like), 4),
    exp.Escape: 4,
    **dict.fromkeys((exp.LT, exp.LTE, exp.GT, exp.GTE), 5),
    **dict.fromkeys((exp.BitwiseAnd, exp.BitwiseOr), 6),
    **dict.fromkeys((exp.Add, exp.Sub), 7),
    **dict.fromkeys((exp.Mul, exp.Div, exp.Mod), 8),
    exp.DPipe: 9,
    exp.Collate: 10,
    exp.Neg: 11,
}
_RIGHT = ("expression", "low", "high")


def is_sure(node: exp.Expr) -> bool:
    """Whether SQLite reads an operator and its operands as the tree says; brackets leave no doubt."""
    own = _TIGHTNESS.get(type(node))
    if own is None:
        return True
    operands = [(node.this, own), *((node.args.get(name), own + 1) for name in _RIGHT)]
    return all(_TIGHTNESS.get(type(operand), 12) >= least for operand, least in operands)
