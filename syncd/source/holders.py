"""Which target key each source row has now, and which rows have a given one."""

import csv
import json
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping

import apsw

from syncd.plan import TablePlan
from syncd.source import ranges
from syncd.source.database import query
from syncd.source.guard import Guarded, guarded, verdict
from syncd.source.joining import joined
from syncd.source.relation import Relation
from syncd.types import INTEGERS
from syncd.types import is_exact as exact

_KEYS_AT_ONCE = 1000
_CANONICAL = re.compile(r"'[^']*'(,'[^']*')*")
_UPPER, _LOWER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"


def is_own(plan: TablePlan) -> bool:
    """Whether the target's key is the source's: then no other row can ever have the target key of a row."""
    own = {expression.lower() for expression in plan.source_key}
    members = {column.expression.lower() for column in plan.key_columns}
    types = [column.type for column in plan.key_columns]
    return own == members and all(t.base in INTEGERS if plan.by_rowid else exact(t) for t in types)


def is_rowid(plan: TablePlan) -> bool:
    """Whether the target's key is the source's rowid: one tells the other."""
    return plan.by_rowid and is_own(plan)


def is_every_rowid(plan: TablePlan) -> bool:
    """The same, in a type that holds every rowid."""
    return is_rowid(plan) and all(column.type.base == "bigint" for column in plan.key_columns)


def is_exact(plan: TablePlan) -> bool:
    """Whether each target key has one way to be written, the source's and PostgreSQL's alike."""
    return all(exact(column.type) for column in plan.key_columns)


def canonical(target_key: str) -> str:
    """The target key with each of its fields in quotes: rendering leaves them out in one way and not in the other."""
    if target_key and "'" not in target_key and "," not in target_key:
        return f"'{target_key}'"
    # As the path itself writes them: parsing took eight times as long, for each of the keys that a sweep reads again.
    if _CANONICAL.fullmatch(target_key):
        return target_key
    return ",".join("'" + field.replace("'", "''") + "'" for field in _fields(target_key))


def _fields(target_key: str) -> list[str]:
    csv.field_size_limit(sys.maxsize)
    return next(csv.reader([target_key], quotechar="'"))


class TargetKeys:
    """The target keys of the rows of one table on one connection, canonical. Not for two threads at once."""

    def __init__(self, connection: apsw.Connection, plan: TablePlan) -> None:
        self._connection = connection
        self._plan = plan
        self._relation = Relation(plan)
        by_name = {c.column.name: c for c in guarded(plan, self._relation)}
        members = [by_name[name] for name in plan.key]
        written = joined(map(_in_quotes, members))
        given = " AND ".join(f"{c.value} IS NOT NULL" for c in members)
        fits = f"{verdict(members, (), utf16=plan.source.utf16)} IS NULL AND {given}"
        self._written = written
        self._is_text = is_every_rowid(plan)
        if self._is_text:
            self._key = f"''''||{self._relation.source_key}||''''"
            return
        self._key = f"iif({fits},{written if plan.source.utf16 else f'CAST({written} AS BLOB)'},NULL)"

    def of(self, source_keys: Iterable[str]) -> Mapping[str, str | None]:
        """The target key of each of these rows that is there and belongs; None for one that the target cannot hold."""
        found: dict[str, str | None] = {}
        for part in _parts(source_keys):
            rows = self._relation.where(ranges.of_keys(self._plan, part).where)
            pairs = query(self._connection, f"SELECT {self._relation.source_key}, {self._key} FROM {rows}")
            found.update(pairs if self._is_text else ((key, _decoded(target_key)) for key, target_key in pairs))
        return found

    def having(self, target_keys: Collection[str]) -> Mapping[str, str]:
        """The rows that have one of these target keys, by source key, and perhaps some whose key differs in case.

        The source has no index on a rendered key, so the whole table is read unless its key is its rowid.
        """
        if is_rowid(self._plan):
            numbers = [field for key in target_keys for field in _fields(key) if field.removeprefix("-").isdecimal()]
            return {key: written for key, written in self.of(numbers).items() if written}
        wanted = json.dumps([canonical(key).translate(str.maketrans(_UPPER, _LOWER)) for key in target_keys])
        rows = self._relation.where(self._plan.where, f"lower({self._written}) IN (SELECT value FROM json_each(?))")
        pairs = query(self._connection, f"SELECT {self._relation.source_key}, {self._key} FROM {rows}", (wanted,))
        return {key: written for key, target_key in pairs if (written := _decoded(target_key))}


def lines(connection: apsw.Connection, plan: TablePlan, source_keys: Collection[str]) -> Mapping[str, bytes | str]:
    """All that rendering makes of each of these rows: two rows alike land alike. Raises apsw.TooBigError."""
    relation = Relation(plan)
    columns = guarded(plan, relation)
    refused = verdict(columns, relation.broken, utf16=plan.source.utf16)
    line = joined((*(column.how.careful_field for column in columns), f"quote({refused})"))
    shown = line if plan.source.utf16 else f"CAST({line} AS BLOB)"
    rows = relation.where(ranges.of_keys(plan, source_keys).where)
    return dict(query(connection, f"SELECT {relation.source_key}, {shown} FROM {rows}"))


def _in_quotes(member: Guarded) -> str:
    field = member.how.careful_field
    return f"iif(substr({field},1,1)='''',{field},''''||{field}||'''')"


def _decoded(key: bytes | str | None) -> str | None:
    """A key whose bytes are no text cannot be in the target."""
    try:
        return key.decode() if isinstance(key, bytes) else key
    except UnicodeDecodeError:
        return None


def _parts(keys: Iterable[str]) -> Iterator[list[str]]:
    ordered = list(keys)
    return (ordered[start : start + _KEYS_AT_ONCE] for start in range(0, len(ordered), _KEYS_AT_ONCE))
