"""What no PRAGMA tells and only the SQL of a table or an index says: CHECK constraints, formulas, conditions."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from syncd.model import Check

_TOKEN = re.compile(
    r"(?P<space>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))"
    r'|(?P<name>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|\'(?:[^\']|\'\')*\')'
    r"|(?P<word>[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_$\u0080-\U0010ffff]*)"
    r"|(?P<other>.)",
    re.DOTALL,
)
_OF_THE_TABLE = ("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN")


@dataclass(frozen=True)
class _Piece:
    """A token, or a whole pair of brackets; `word` is a bare word in capitals, empty for all else."""

    start: int
    end: int
    word: str = ""
    bracket: bool = False


@dataclass(frozen=True)
class TableParts:
    """`formulas` are those of generated columns by the column's name."""

    checks: tuple[Check, ...]
    formulas: dict[str, str]


@dataclass(frozen=True)
class IndexParts:
    """The members of an index as written, without order and collation, and its WHERE."""

    members: tuple[str, ...]
    where: str | None


def table_parts(sql: str) -> TableParts:
    """The CHECK constraints and generated columns of a CREATE TABLE, as SQLite keeps it."""
    checks: list[Check] = []
    formulas: dict[str, str] = {}
    for definition in _members(sql):
        first = definition[0]
        column = None if first.word in _OF_THE_TABLE else _name(sql, first)
        named = None
        for before, piece in zip([None, *definition], definition, strict=False):
            if before is not None and before.word == "CONSTRAINT":
                named = _name(sql, piece)
            elif piece.bracket and before is not None and before.word == "CHECK":
                checks.append(Check(_inside(sql, piece), named, column))
                named = None
            elif piece.bracket and before is not None and before.word == "AS" and column is not None:
                formulas[column] = _inside(sql, piece)
            elif piece.word not in ("CONSTRAINT", "CHECK"):
                named = None
    return TableParts(tuple(checks), formulas)


def index_parts(sql: str) -> IndexParts:
    """The members and the condition of a CREATE INDEX."""
    where = next((piece for piece in _pieces(sql, 0) if piece.word == "WHERE"), None)
    members = tuple(_without_order(sql, member) for member in _members(sql))
    return IndexParts(members, sql[where.end :].strip() if where else None)


def _without_order(sql: str, member: Sequence[_Piece]) -> str:
    pieces = list(member)
    if len(pieces) > 1 and pieces[-1].word in ("ASC", "DESC"):
        pieces.pop()
    if len(pieces) > 2 and pieces[-2].word == "COLLATE":
        del pieces[-2:]
    return sql[pieces[0].start : pieces[-1].end]


def _members(sql: str) -> Iterator[list[_Piece]]:
    """What stands between the commas of the first brackets."""
    outer = next((piece for piece in _pieces(sql, 0) if piece.bracket), None)
    if outer is None:
        return
    member: list[_Piece] = []
    for piece in _pieces(sql, outer.start + 1):
        if sql[piece.start] == "," and not piece.bracket:
            yield member
            member = []
        else:
            member.append(piece)
    yield member


def _pieces(sql: str, start: int) -> Iterator[_Piece]:
    """The pieces from `start` to the end, or to the bracket that closes what `start` is in."""
    position = start
    while (found := _TOKEN.match(sql, position)) and found.group() != ")":
        position = found.end()
        if found.group() == "(":
            for inner in _pieces(sql, position):
                position = inner.end
            position = sql.index(")", _skipped(sql, position)) + 1
            yield _Piece(found.start(), position, bracket=True)
        elif not found["space"]:
            yield _Piece(found.start(), found.end(), (found["word"] or "").upper())


def _skipped(sql: str, position: int) -> int:
    """Where blanks and comments end."""
    while (found := _TOKEN.match(sql, position)) and found["space"]:
        position = found.end()
    return position


def _inside(sql: str, brackets: _Piece) -> str:
    return sql[brackets.start + 1 : brackets.end - 1].strip()


def _name(sql: str, piece: _Piece) -> str:
    """The name that a piece writes, bare or in any of SQLite's four kinds of quotes."""
    written = sql[piece.start : piece.end]
    quote = written[0]
    if quote == "[":
        return written[1:-1]
    return written[1:-1].replace(quote * 2, quote) if quote in "\"'`" else written
