"""A translated expression, and what is known of its values on both sides."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, IntEnum

from syncd.model import Affinity
from syncd.quoting import identifier, literal
from syncd.types import TargetType


class Untranslatable(Exception):  # noqa: N818 - it is an answer
    """The expression cannot be said in PostgreSQL with certainly the same meaning; the message says what in it."""


class Kind(Enum):
    """What values are. NUMBER may be an integer or a real in SQLite, LOOSE is text in the target alone."""

    INTEGER = "an integer"
    NUMBER = "a number"
    REAL = "a real"
    TEXT = "text"
    LOOSE = "a column without TEXT affinity"
    BOOLEAN = "a boolean"
    DATE = "a date"
    TIMESTAMP = "a timestamp"
    TIME = "a time"
    BYTES = "bytes"
    JSON = "JSON"
    NULL = "NULL"
    OTHER = "a value of another type"


NUMBERS = frozenset({Kind.INTEGER, Kind.NUMBER, Kind.REAL})
MOMENTS = frozenset({Kind.DATE, Kind.TIMESTAMP, Kind.TIME})


class Level(IntEnum):
    """How tightly PostgreSQL binds an operator: https://www.postgresql.org/docs/current/sql-syntax-lexical.html"""

    OR = 1
    AND = 2
    NOT = 3
    COMPARISON = 4
    OTHER = 5
    SUM = 6
    PRODUCT = 7
    ATOM = 8


@dataclass(frozen=True)
class Term:
    """An expression of PostgreSQL.

    `constant` is the text of a literal. `double` is true where PostgreSQL's type is double precision. `collation` is
    SQLite's, `named` true where the expression itself names it. `never_false` is true for a condition that the
    target's types fulfil for every value.
    """

    sql: str
    kind: Kind
    level: Level = Level.ATOM
    constant: str | None = None
    is_column: bool = False
    not_null: bool = False
    double: bool = False
    collation: str = "BINARY"
    named: bool = False
    never_false: bool = False

    def within(self, level: Level) -> str:
        """Its SQL as an operand of an operator of that level."""
        return self.sql if self.level >= level else f"({self.sql})"

    @property
    def in_bytes(self) -> str:
        """Its SQL, compared byte by byte and folded in ASCII alone, as SQLite does."""
        return f'{self.within(Level.ATOM)} COLLATE "C"'


Scope = Mapping[str, Term | None]
"""What column names stand for, by the name in lower case; None for a column that is not carried unchanged."""

TRUE = Term("TRUE", Kind.BOOLEAN, constant="1", never_false=True)
FALSE = Term("FALSE", Kind.BOOLEAN, constant="0")

_INTEGERS = frozenset({"smallint", "integer", "bigint"})
_WHOLE_OR_NOT = frozenset({"INTEGER", "NUMERIC"})
_KINDS: Mapping[str, tuple[Kind, frozenset[Affinity]]] = {
    **dict.fromkeys(_INTEGERS, (Kind.INTEGER, _WHOLE_OR_NOT)),
    "numeric": (Kind.NUMBER, _WHOLE_OR_NOT),
    "double precision": (Kind.NUMBER, _WHOLE_OR_NOT),
    "text": (Kind.TEXT, frozenset({"TEXT"})),
    "character varying": (Kind.TEXT, frozenset({"TEXT"})),
    "boolean": (Kind.BOOLEAN, _WHOLE_OR_NOT),
    "date": (Kind.DATE, frozenset({"TEXT", "NUMERIC"})),
    "timestamp without time zone": (Kind.TIMESTAMP, frozenset({"TEXT", "NUMERIC"})),
    "time without time zone": (Kind.TIME, frozenset({"TEXT", "NUMERIC"})),
    "bytea": (Kind.BYTES, frozenset({"TEXT", "NUMERIC", "INTEGER", "REAL", "BLOB"})),
    "jsonb": (Kind.JSON, frozenset({"TEXT", "NUMERIC", "BLOB"})),
}


def column_term(name: str, type_: TargetType, affinity: Affinity, collation: str, *, not_null: bool) -> Term:
    """A column of the target that carries one of the source unchanged; names are quoted alike on both sides."""
    kind, affinities = _KINDS.get(type_.base, (Kind.OTHER, frozenset()))
    if type_.base == "double precision" and affinity == "REAL":
        kind = Kind.REAL
    elif affinity not in affinities or type_.origin:
        kind = Kind.LOOSE if kind is Kind.TEXT else Kind.OTHER
    return Term(
        identifier(name),
        kind,
        is_column=True,
        not_null=not_null,
        double=type_.base == "double precision",
        collation=collation if kind in (Kind.TEXT, Kind.LOOSE) else "BINARY",
    )


def column_of(name: str, scope: Scope) -> Term | None:
    """What a name stands for where it is a column's. Raises Untranslatable where that is not carried unchanged."""
    if name.lower() not in scope:
        return None
    if (term := scope[name.lower()]) is None:
        raise Untranslatable(f"the column {name}, which is not carried unchanged")
    return term


def column_member(name: str, scope: Scope, collation: str) -> str:
    """A column as a member of an index."""
    if (term := column_of(name, scope)) is None:
        raise Untranslatable(f"the name {name}")
    return folded(term, collation).sql


def text(value: str) -> Term:
    return Term(literal(value), Kind.TEXT, constant=value)


def number(digits: str) -> Term:
    """A number literal. SQLite takes an integer over 63 bits for a real."""
    whole = digits.isdigit()
    if whole and int(digits) >= 2**63:
        raise Untranslatable(f"the number {digits}")
    return Term(digits, Kind.INTEGER if whole else Kind.REAL, constant=digits)


def as_condition(term: Term) -> Term:
    """SQLite takes a number for a condition: false where it is 0."""
    if term.kind is Kind.BOOLEAN or term.kind is Kind.NULL:
        return term
    if term.kind in NUMBERS:
        return Term(f"{term.within(Level.OTHER)} <> 0", Kind.BOOLEAN, Level.COMPARISON)
    raise Untranslatable(f"{term.kind.value} as a condition")


def as_number(term: Term) -> Term:
    """SQLite takes a condition for the number 1 or 0."""
    if term.kind is not Kind.BOOLEAN:
        if term.kind not in NUMBERS | {Kind.NULL}:
            raise Untranslatable(f"arithmetic with {term.kind.value}")
        return term
    if term.constant:
        return number(term.constant)
    return Term(f"CAST({term.sql} AS integer)", Kind.INTEGER, not_null=term.not_null)


def as_text(term: Term) -> Term:
    if term.kind not in (Kind.TEXT, Kind.NULL):
        raise Untranslatable(f"{term.kind.value} as text")
    return term


def as_double(term: Term) -> Term:
    """SQLite reckons with doubles where not both operands are integers; numeric would give other last digits."""
    if term.double or term.kind in (Kind.INTEGER, Kind.NULL):
        return term
    return replace(term, sql=f"CAST({term.sql} AS double precision)", level=Level.ATOM, double=True)


def folded(term: Term, collation: str) -> Term:
    """Text that is equal where SQLite's collation calls the two equal. NOCASE folds ASCII alone, as "C" does."""
    if term.kind not in (Kind.TEXT, Kind.LOOSE) or collation == "BINARY":
        return term
    if collation not in ("NOCASE", "RTRIM"):
        raise Untranslatable(f"the collation {collation}")
    if term.constant is not None:
        return text(_lower(term.constant) if collation == "NOCASE" else term.constant.rstrip(" "))
    sql = f"lower({term.in_bytes})" if collation == "NOCASE" else f"rtrim({term.sql})"
    return Term(sql, term.kind, not_null=term.not_null)


def _lower(value: str) -> str:
    return re.sub("[A-Z]+", lambda found: found.group().lower(), value)
