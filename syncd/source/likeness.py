"""Rows of one snapshot, written so that two rows are alike if and only if their lines are the same bytes.

SQLite's own comparison calls 'a' and 'A' equal under NOCASE, blanks at the end equal under RTRIM, 1 and 1.0 anywhere.
A line holds the source key, every mapped expression and the outcome of every check.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import apsw

from syncd.errors import SnapshotError
from syncd.model import Affinity
from syncd.plan import TablePlan
from syncd.quoting import identifier
from syncd.source import ranges
from syncd.source.database import LONGEST_ROW, LONGEST_VALUE, Database, query
from syncd.source.guard import guarded, verdict
from syncd.source.joining import joined
from syncd.source.pages import Span
from syncd.source.relation import Relation

_NUL = "char(0)"
_KEYS_AT_ONCE = 500
_UNKNOWN = "'?'"
"""Stands for a value that the snapshot cannot tell; no value is written like this, so it is like none."""


@dataclass(frozen=True)
class Line:
    """One row: its source key, all of it, and its target key as COPY reads it; None where the target cannot hold it.

    `text` is None where the row is too large to be written.
    """

    key: str
    text: bytes | None
    target_key: str | None


class Rows:
    """The rows of one planned table in one snapshot, those that belong. Not for two threads at once."""

    def __init__(self, database: Database, plan: TablePlan, *, present: bool, trusted: bool) -> None:
        """`present`: the snapshot has the table. `trusted`: its schema is the one that the plan was made for.

        Raises SnapshotError where the schema is another one, without the columns of the keys or of `where`.
        """
        self._connection, self._present = database.connection, present
        self._belongs = f"({plan.where})"
        self._rowid = plan.source_key[0]
        unknown = _unknown(database, plan) if present and not trusted else frozenset()
        self._plan = _without(plan, unknown)
        self._relation = Relation(self._plan)
        self._key, self._target_key = self._relation.source_key, _target_key(self._plan, self._relation)
        self._line = _line(plan, self._relation, unknown)
        self._columns = f"{self._key}, {self._bytes(self._line)}, {self._target_key}"

    def _bytes(self, expression: str) -> str:
        """In a UTF-16 database a cast to BLOB yields UTF-16."""
        return expression if self._plan.source.utf16 else f"CAST({expression} AS BLOB)"

    def _from(self, condition: str = "1") -> str:
        return f"FROM {self._relation.where(f'{self._belongs} AND {condition}')}"

    def _within(self) -> str:
        return self._from(f"{self._rowid} BETWEEN ? AND ?")

    def lines(self, window: Span) -> list[bytes] | None:
        """The lines of the rows in a window of rowids, in no order; None where they are over 16 MiB together."""
        if not self._present:
            return []
        joined_lines = self._bytes(f"group_concat({self._line},{_NUL})")
        try:
            payload = query(self._connection, f"SELECT {joined_lines} {self._within()}", window)[0][0]
        except apsw.TooBigError:
            return None
        return [] if payload is None else _encoded(payload).split(b"\0")

    def keys(self, window: Span | None = None) -> list[str]:
        """The source keys of the rows in a window of rowids, or of all."""
        if not self._present:
            return []
        if window is None:
            return [key for (key,) in query(self._connection, f"SELECT {self._key} {self._from()}")]
        return [key for (key,) in query(self._connection, f"SELECT {self._key} {self._within()}", window)]

    def line(self, key: str) -> Line | None:
        """The row of a source key, however large it is."""
        if not self._present:
            return None
        rows = self._from(ranges.of_keys(self._plan, [key]).where)
        self._connection.limit(apsw.SQLITE_LIMIT_LENGTH, LONGEST_ROW)
        try:
            found = query(self._connection, f"SELECT {self._columns} {rows}")
        except apsw.TooBigError:
            found = query(self._connection, f"SELECT {self._key}, NULL, {self._target_key} {rows}")
        finally:
            self._connection.limit(apsw.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
        return _as_line(found[0]) if found else None

    def target_keys(self, keys: Iterable[str]) -> Mapping[str, str | None]:
        """The target keys of rows that are there, by source key."""
        wanted, found = list(keys), {}
        for start in range(0, len(wanted), _KEYS_AT_ONCE):
            rows = self._from(ranges.of_keys(self._plan, wanted[start : start + _KEYS_AT_ONCE]).where)
            pairs = query(self._connection, f"SELECT {self._key}, {self._target_key} {rows}")
            found.update({key: _decoded(target_key) for key, target_key in pairs})
        return found

    def in_order(self) -> Iterator[Line]:
        """All rows in the order of the bytes of their source keys, sorted by SQLite, on disk where they are many.

        The order of the table itself follows collations, which only SQLite knows. Raises apsw.TooBigError before the
        first row where one is over 16 MiB.
        """
        if self._present:
            statement = f"SELECT {self._columns} {self._from()} ORDER BY 1 COLLATE BINARY"
            yield from map(_as_line, self._connection.execute(statement))


def key_of(line: bytes) -> str:
    """The source key that the line of a row with a rowid begins with."""
    return line.partition(b",")[0].decode()


def _as_line(row: tuple[str, bytes | str | None, bytes | str | None]) -> Line:
    key, text, target_key = row
    return Line(key, None if text is None else _encoded(text), _decoded(target_key))


def _encoded(payload: bytes | str) -> bytes:
    return payload.encode() if isinstance(payload, str) else payload


def _decoded(key: bytes | str | None) -> str | None:
    """A key whose bytes are no text was never in the target."""
    try:
        return key.decode() if isinstance(key, bytes) else key
    except UnicodeDecodeError:
        return None


def _unknown(database: Database, plan: TablePlan) -> frozenset[str]:
    """The expressions that a snapshot with another schema cannot evaluate.

    Where double quotes may hold text, the name of a missing column would be read as text:
    https://sqlite.org/quirks.html#double_quoted_string_literals_are_accepted
    """
    connection = database.connection
    before = connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, -1)
    connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)
    try:
        keys = [*plan.source_key, *(column.expression for column in plan.key_columns)]
        if not all(_can_evaluate(connection, plan, expression) for expression in keys):
            raise SnapshotError(
                f"the older private copy of the source has {plan.name} in another shape",
                where=str(database.path),
                advice="Compare the table with the target in its place",
            )
        return frozenset(e for e in _expressions(plan) if not _can_evaluate(connection, plan, e))
    finally:
        connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, before)


def _can_evaluate(connection: apsw.Connection, plan: TablePlan, expression: str) -> bool:
    try:
        query(connection, f"SELECT {expression} FROM {identifier(plan.name)} WHERE ({plan.where}) LIMIT 0")
    except apsw.SQLError:
        return False
    return True


def _expressions(plan: TablePlan) -> Iterator[str]:
    yield from (column.expression for column in plan.columns)
    yield from (check.condition for check in plan.checks)


def _without(plan: TablePlan, unknown: frozenset[str]) -> TablePlan:
    """The plan with NULL for the expressions that are unknown."""
    if not unknown:
        return plan
    columns = tuple(replace(c, expression="NULL") if c.expression in unknown else c for c in plan.columns)
    checks = tuple(replace(c, condition="NULL") if c.condition in unknown else c for c in plan.checks)
    return replace(plan, columns=columns, checks=checks)


def _line(plan: TablePlan, relation: Relation, unknown: frozenset[str]) -> str:
    stored = {identifier(c.name): c.affinity for c in plan.source.columns if not c.generated}
    values = zip(_expressions(plan), (*relation.values, *relation.broken), strict=True)
    return joined(
        (
            relation.source_key,
            *(
                _UNKNOWN if e in unknown else exact(value, stored.get(e), utf16=plan.source.utf16)
                for e, value in values
            ),
        )
    )


def exact(e: str, affinity: Affinity | None, *, utf16: bool = False) -> str:
    """An expression that writes a value as no other value is written, and without a NUL.

    `quote()` stops at a NUL, loses the sign of a negative zero, which stored columns with an affinity for numbers do
    not hold, and loses halves of surrogate pairs in UTF-16. `affinity` is None for what is not stored.
    """
    hexadecimal = f"substr(typeof({e}),1,1)||hex({e})"
    if utf16:
        written = f"iif(+{e}>='',{hexadecimal},quote({e}))"
    elif affinity == "TEXT":
        written = f"iif(instr({e},{_NUL}),{hexadecimal},quote({e}))"
    else:
        written = f"iif(+{e}>='' AND instr({e},{_NUL}),{hexadecimal},quote({e}))"
    if affinity in ("TEXT", "NUMERIC", "INTEGER", "REAL"):
        return written
    return f"CASE WHEN typeof({e})='real' AND {e}=0 AND atan2({e},-1)<0 THEN '-0.0' ELSE {written} END"


def _target_key(plan: TablePlan, relation: Relation) -> str:
    """As the careful path of rendering writes it; NULL where the target cannot hold it: that row never landed."""
    by_name = {c.column.name: c for c in guarded(plan, relation)}
    members = [by_name[name] for name in plan.key]
    written = joined(c.how.careful_field for c in members)
    key = written if plan.source.utf16 else f"CAST({written} AS BLOB)"
    return f"iif({verdict(members, (), utf16=plan.source.utf16)} IS NULL,{key},NULL)"
