"""The rows of a table as rendering sees them: as they are, or with every expression of the mapping computed once."""

from syncd.model import Range
from syncd.plan import TablePlan
from syncd.quoting import identifier
from syncd.source import ranges


class Relation:
    """Names for the values of a table's rows, and the FROM clauses in which those names mean something.

    A mapped expression would be computed for each of the four or more places at which rendering names it. So it is
    computed in a subquery, which its LIMIT keeps SQLite from taking apart:
    https://sqlite.org/optoverview.html#subquery_flattening
    """

    def __init__(self, plan: TablePlan) -> None:
        self._table = identifier(plan.source.name)
        plain = tuple(column.expression for column in plan.columns)
        self._is_mapped = plan.is_mapped
        self._inner = ",".join(
            f"{expression} AS {name}"
            for letter, expressions in (
                ("x", plain),
                ("k", plan.source_key),
                ("c", tuple(f"NOT {check.condition}" for check in plan.checks)),
            )
            for name, expression in zip(_names(letter, len(expressions)), expressions, strict=True)
        )
        self.values = _names("x", len(plain)) if self._is_mapped else plain
        self.members = _names("k", len(plan.source_key)) if self._is_mapped else plan.source_key
        self.broken = _names("c", len(plan.checks))
        self.source_key = ranges.key_text(self.members, by_rowid=plan.by_rowid)

    def where(self, condition: str, further: str = "1") -> str:
        """The rows of a condition over the source's columns, in no order; searched by rowid, not by an index.

        `further` is a condition over the values.
        """
        if not self._is_mapped:
            narrower = "" if further == "1" else f" AND ({further})"
            return f"{self._table} NOT INDEXED WHERE {condition}{narrower}"
        return f"(SELECT {self._inner} FROM {self._table} NOT INDEXED WHERE {condition} LIMIT -1) WHERE {further}"

    def first(self, rows: Range, condition: str) -> tuple[str, tuple[str, ...]]:
        """The first rows in the order of a range, with a question mark for how many, and the names of that order.

        The order names the table: a bare name would be that of a result, such as `line`, before it is a column's
        (https://sqlite.org/lang_select.html#orderby).
        """
        columns = ",".join(f"{self._table}.{expression}" for expression in rows.order)
        order = f"WHERE {condition} ORDER BY {columns} LIMIT ?"
        if not self._is_mapped:
            return f"{self._table} {order}", rows.order
        names = _names("o", len(rows.order))
        placed = ",".join(f"{e} AS {name}" for e, name in zip(rows.order, names, strict=True))
        return f"(SELECT {self._inner},{placed} FROM {self._table} {order})", names


def _names(letter: str, count: int) -> tuple[str, ...]:
    return tuple(f"{letter}{n}" for n in range(count))
