"""Rendering: SQLite itself writes the CSV that PostgreSQL's COPY reads; Python moves bytes and touches no value."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping

import apsw

from syncd.model import Batch, Range, Refusal
from syncd.plan import TablePlan
from syncd.quoting import identifier
from syncd.source import duplicates, ranges
from syncd.source.database import LONGEST_ROW, LONGEST_VALUE, query
from syncd.source.guard import any_suspect, guarded, refusal, verdict
from syncd.source.joining import joined, written
from syncd.source.relation import Relation

_NEWLINE = "char(10)"
_KEYS_AT_ONCE = 100
_SHOWN_BYTES = 2**20
"""Of a value in a reject's row: a reject is for people, the row itself is read from the source again."""
_ENCODINGS = {"UTF-8": "utf-8", "UTF-16le": "utf-16-le", "UTF-16be": "utf-16-be"}


class Renderer:
    """Renders rows of one table on one connection. Not for two threads at once.

    A plain line holds the plan's columns; a keyed line the source key and the target key as well, which the stage
    keeps beside the row. Keys have their normal form, but for `normal_keys = False`: then SQLite need not look at
    each row that is written in another one.
    """

    def __init__(self, connection: apsw.Connection, plan: TablePlan, *, normal_keys: bool = True) -> None:
        self.plan = plan
        self.connection = connection
        self._utf16 = plan.source.utf16
        self._at_once = plan.batch_rows
        self._is_sparse = False
        self._may_double: bool | None = None
        self._relation = Relation(plan)
        columns = guarded(plan, self._relation, normal_keys=normal_keys)
        by_name = {c.column.name: c.how for c in columns}
        key = joined(by_name[name].field for name in plan.key)
        careful_key = joined(by_name[name].careful_field for name in plan.key)
        careful = joined(c.how.careful_field for c in columns)
        self._source_key = self._relation.source_key
        self._plain = written(c.how for c in columns)
        self._keyed = written((c.how for c in columns), f"quote({self._source_key})", f"quote({key})")
        self._careful = joined((careful, f"quote({self._source_key})", f"quote({careful_key})"))
        self._suspect = any_suspect(columns, self._relation.broken, utf16=self._utf16)
        self._verdict = verdict(columns, self._relation.broken, utf16=self._utf16)

    def may_double(self, asked: Iterable[Range]) -> bool:
        """Whether a row of these ranges may share its target key with another row.

        The whole table is looked at once; from then on its new rows alone tell whether that has changed.
        """
        if self._may_double is None:
            self._may_double = duplicates.is_possible(self.connection, self.plan)
        elif not self._may_double:
            self._may_double = any(duplicates.has_other_forms(self.connection, self.plan, rows) for rows in asked)
        return self._may_double

    def batches(self, rows: Range, *, keyed: bool) -> Iterator[Batch]:
        """Render a range batch by batch, each of at most `batch_rows` rows and 16 MiB."""
        while (batch := self.next(rows, keyed=keyed)) is not None:
            yield batch
            if batch.final:
                return
            rows = ranges.after(rows, batch.last)

    def next(self, rows: Range, *, keyed: bool, at_most: int | None = None) -> Batch | None:
        """Render the first batch of a range; None where it holds no row.

        A batch with a suspect value is keyed whatever was asked for, and holds the rows that can land exactly.
        """
        limit = min(self._at_once, at_most or self._at_once)
        while True:
            try:
                batch = self._render(rows, limit, keyed=keyed)
                self._at_once = min(self._at_once * 2, self.plan.batch_rows)
                return batch
            except apsw.TooBigError:
                if limit == 1:
                    return self._render_huge(rows)
                self._at_once = limit = max(1, limit // 4)

    def _render(self, rows: Range, limit: int, *, keyed: bool) -> Batch | None:
        if rows.until is not None and rows.after is not None and not self._is_sparse:
            return self._render_window(rows, limit, keyed=keyed)
        return self._render_limited(rows, limit, keyed=keyed)

    def _render_window(self, rows: Range, limit: int, *, keyed: bool) -> Batch | None:
        """Render the rows of the next `limit` rowids: an eighth faster than counting rows, where few are unused."""
        low = int(rows.after or 0)
        high = min(low + limit, rows.until or low)
        line, rowid = self._keyed if keyed else self._plain, self.plan.source_key[0]
        belongs = f"{rowid} > ? AND {rowid} <= ?" + ("" if self.plan.where == "1" else f" AND {self.plan.where}")
        payload, count, last, suspects = query(
            self.connection,
            f"SELECT {self._bytes(f'group_concat({line},{_NEWLINE})')}, count(*), max({self._relation.members[0]}), "
            f"count({self._suspect}) FROM {self._relation.where(belongs)}",
            (low, high),
        )[0]
        self._is_sparse = count < (high - low) / 2
        if not count:
            return self._render_limited(rows, limit, keyed=keyed)
        if suspects:
            return self._examine(rows, limit)
        return Batch(_encoded(payload), count, count, str(last), keyed=keyed, final=high == rows.until)

    def _render_limited(self, rows: Range, limit: int, *, keyed: bool) -> Batch | None:
        line = self._keyed if keyed else self._plain
        inner, parameters = self._select(f"{line} AS line, {self._suspect} AS suspect", rows, limit)
        lines = self._bytes(f"group_concat(line,{_NEWLINE})")
        if _single_number(rows, self.plan):
            outer = f"SELECT {lines}, count(*), max(place), count(suspect) FROM ({inner})"
        else:
            # Beside a lone max(n) a bare column is that of the row with the maximum: https://sqlite.org/quirks.html
            numbered = f"SELECT *, row_number() OVER () AS n FROM ({inner})"
            outer = f"SELECT {lines}, count(*), place, count(suspect), max(n) FROM ({numbered})"
        payload, count, last, suspects = query(self.connection, outer, parameters)[0][:4]
        if not count:
            return None
        if suspects:
            return self._examine(rows, limit)
        return Batch(_encoded(payload), count, count, str(last), keyed=keyed, final=count < limit)

    def _select(self, what: str, rows: Range, limit: int) -> tuple[str, tuple[int | float | str, ...]]:
        """A statement for the first rows of a range, and its parameters; a place that is one number is one of them."""
        single = _single_number(rows, self.plan)
        after, parameters = "", rows.parameters
        if rows.after is not None:
            after = f" AND ({','.join(rows.order)}) > ({'?' if single else rows.after})"
            parameters += (int(rows.after),) if single else ()
        first, order = self._relation.first(rows, f"{rows.where}{after}")
        place = order[0] if single else _literals(order)
        return f"SELECT {what}, {place} AS place FROM {first}", (*parameters, limit)

    def _bytes(self, expression: str) -> str:
        """A cast to BLOB spares decoding and encoding; in a UTF-16 database it would yield UTF-16."""
        return expression if self._utf16 else f"CAST({expression} AS BLOB)"

    def _examine(self, rows: Range, limit: int) -> Batch:
        """Decide row by row: the lines of those that can land exactly, refusals for the others."""
        what = f"{self._source_key} AS key, {self._bytes(self._careful)} AS line, {self._verdict} AS verdict"
        lines, refusals, last = [], [], ""
        for key, line, found, place in query(self.connection, *self._select(what, rows, limit)):
            last = str(place)
            if found is None:
                lines.append(_encoded(line))
            else:
                refusals.append(refusal(self.plan, key, found))
        read = len(lines) + len(refusals)
        return Batch(b"\n".join(lines), len(lines), read, last, tuple(refusals), keyed=True, final=read < limit)

    def _render_huge(self, rows: Range) -> Batch | None:
        """A single row over 16 MiB; one over SQLite's own limit of 1,000,000,000 bytes is refused."""
        self.connection.limit(apsw.SQLITE_LIMIT_LENGTH, LONGEST_ROW)
        try:
            return self._render(rows, 1, keyed=True)
        except apsw.TooBigError:
            key, place = query(self.connection, *self._select(f"{self._source_key} AS key", rows, 1))[0]
            refusal = Refusal(key, "too large", "the row is longer than 1,000,000,000 bytes")
            return Batch(b"", 0, 1, str(place), (refusal,), keyed=True)
        finally:
            self.connection.limit(apsw.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)

    def keys(self, rows: Range) -> frozenset[str]:
        """The source keys of a range."""
        statement = f"SELECT {ranges.source_key(self.plan)} FROM {identifier(self.plan.source.name)} WHERE {rows.where}"
        return frozenset(key for (key,) in query(self.connection, statement, rows.parameters))


def _single_number(rows: Range, plan: TablePlan) -> bool:
    return plan.by_rowid and rows.order == plan.source_key


def _literals(expressions: Iterable[str]) -> str:
    return "||','||".join(map(ranges.safe_literal, expressions))


def _encoded(payload: bytes | str) -> bytes:
    return payload.encode() if isinstance(payload, str) else payload


def row_data(connection: apsw.Connection, plan: TablePlan, keys: Iterable[str]) -> Mapping[str, str]:
    """The source's columns of these rows as JSON, by source key: for people, so long values are cut."""
    wanted, found = list(keys), {}
    encoding = _ENCODINGS[str(connection.pragma("encoding"))]
    names = [column.name for column in plan.source.columns]
    shown = ", ".join(
        f"CASE typeof({e}) WHEN 'text' THEN substr(CAST({e} AS BLOB),1,{_SHOWN_BYTES}) "
        f"WHEN 'blob' THEN hex(substr({e},1,{_SHOWN_BYTES})) ELSE {e} END"
        for e in map(identifier, names)
    )
    connection.limit(apsw.SQLITE_LIMIT_LENGTH, LONGEST_ROW)
    try:
        for start in range(0, len(wanted), _KEYS_AT_ONCE):
            rows = ranges.of_keys(plan, wanted[start : start + _KEYS_AT_ONCE])
            of = identifier(plan.source.name)
            statement = f"SELECT {ranges.source_key(plan)}, {shown} FROM {of} WHERE {rows.where}"
            for key, *values in query(connection, statement):
                readable = (_readable(value, encoding) for value in values)
                found[key] = json.dumps(dict(zip(names, readable, strict=True)), ensure_ascii=False)
    finally:
        connection.limit(apsw.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
    return found


def _readable(value: object, encoding: str) -> object:
    """JSON's own kinds as they are; blobs, and text that PostgreSQL's jsonb cannot hold, as `{"hex": ...}`.

    What comes as bytes is text, what comes as text is a blob in hexadecimal; `start` is what a cut text begins with.
    """
    if isinstance(value, str):
        return {"hex": value.lower()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if not isinstance(value, bytes):
        return value
    if len(value) == _SHOWN_BYTES:
        return {"start": value.decode(encoding, errors="replace").replace("\0", "\ufffd")}
    try:
        written = value.decode(encoding)
    except UnicodeDecodeError:
        return {"hex": value.hex()}
    return {"hex": value.hex()} if "\0" in written else written
