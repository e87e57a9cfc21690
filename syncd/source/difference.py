"""The difference of two private snapshots: the rows of each table that changed, appeared or vanished.

Pages first: a row on a page that is the same in both files is the same row. What is left is compared row by row. Any
doubt whether a table's pages tell all about its rows makes that a comparison of all its rows.
"""

import heapq
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, groupby, islice
from typing import Self

import apsw

from syncd.plan import TablePlan
from syncd.quoting import identifier
from syncd.source.database import LONGEST_VALUE, Database, explain, query
from syncd.source.holders import is_every_rowid
from syncd.source.likeness import Rows, key_of
from syncd.source.pages import Image, Span, Tree, changed, damaged, windows
from syncd.source.pairing import Pairs, can_be_paired

_WINDOW_BYTES = 256 * 1024
"""Bytes of leaf pages whose rows are read at a time."""
_WINDOWS_AT_ONCE = 32
"""Windows read by one thread before it hands over."""


@dataclass(frozen=True)
class ChangedKey:
    """A row to read again: its source key, and its target key as the base held it.

    `target_key` is a line of CSV, as COPY reads it. It is None where the base had no such row, or one with a key that
    the target cannot hold.
    """

    source_key: str
    target_key: str | None


@dataclass(frozen=True)
class _Stored:
    """An entry of the schema: what it is, its own name and its table's, the root page of its b-tree (0: none)."""

    kind: str
    name: str
    table: str
    root: int
    sql: str | None


class _Side:
    """One of the two snapshots."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.image = Image(database)
        self._trees: dict[int, Tree] = {}
        try:
            with _reading(database):
                entries = query(
                    database.connection, "SELECT type, name, tbl_name, rootpage, sql FROM main.sqlite_schema"
                )
        except BaseException:
            self.image.close()
            raise
        self.entries = [_Stored(*entry) for entry in entries]
        self.tables = {entry.name.lower(): entry for entry in self.entries if entry.kind == "table"}
        self.shapes = {entry.name.lower(): (entry.kind, entry.sql) for entry in self.entries if entry.kind != "index"}

    def tree(self, name: str) -> Tree | None:
        """The b-tree of a table; None where there is no such table, or a virtual one."""
        table = self.tables.get(name.lower())
        if table is None or not table.root:
            return None
        if table.root not in self._trees:
            self._trees[table.root] = self.image.tree(table.root)
        return self._trees[table.root]


class Difference:
    """The difference of two snapshots; their pages are compared once for all tables. Not for two threads at once."""

    def __init__(self, base: Database, new: Database) -> None:
        """Raises SnapshotError where one of them cannot be used."""
        self._base = _Side(base)
        try:
            self._new = _Side(new)
        except BaseException:
            self._base.image.close()
            raise
        self._alike = self._base.image.layout == self._new.image.layout
        self._common = min(self._base.image.page_count, self._new.image.page_count)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.image.close()
        self._new.image.close()

    def rows(self, plan: TablePlan) -> Iterator[ChangedKey]:
        """Every row whose mapped values, source key, checks or belonging differ, each once; few others.

        All rows of a table that the base did not have are new. Raises SnapshotError where a snapshot is damaged, or the
        base has the table in another shape.
        """
        with _reading(self._base.database, self._new.database):
            same_shape = self._same_shape(plan)
            whole = not (self._alike and same_shape) or any(map(self._has_changed, plan.reads))
            if not (whole or self._has_changed(plan.name)):
                return
            base = Rows(self._base.database, plan, present=plan.name.lower() in self._base.tables, trusted=same_shape)
            new = Rows(self._new.database, plan, present=plan.name.lower() in self._new.tables, trusted=True)
            if not plan.by_rowid:
                yield from _in_order(base, new)
                return
            whole = whole or self._reads_itself(plan)
            trusted = same_shape and self._alike and plan.name.lower() in self._base.tables
            spans = self._every_leaf(plan.name) if whole else self._changed_leaves(plan.name)
            at_once = max(1, _WINDOW_BYTES // self._new.image.layout.page_size)
            cuts = windows(spans, at_once)
            if trusted and can_be_paired(plan):
                yield from _in_pairs(self._base.database, self._new.database, plan, base, cuts)
            else:
                yield from _by_windows(base, new, cuts)

    def _same_shape(self, plan: TablePlan) -> bool:
        """Whether the table has the same SQL on both sides; where others are read, all tables and views."""
        if plan.reads:
            return self._base.shapes == self._new.shapes
        return self._base.shapes.get(plan.name.lower()) == self._new.shapes.get(plan.name.lower())

    @cached_property
    def _pages(self) -> dict[int, bool]:
        """The pages that differ, but for the first, which holds the schema; true for those that may be overflow."""
        found = dict(changed(self._base.image, self._new.image))
        found.pop(1, None)
        return found

    def _has_changed(self, name: str) -> bool:
        """Whether any page of a table of the same shape has changed; true for what has no pages of its own."""
        base, new = self._base.tables.get(name.lower()), self._new.tables.get(name.lower())
        if base is None or new is None or not base.root or base.root != new.root or not self._alike:
            return True
        if not self._pages:
            return False
        tree = self._base.tree(name)
        if tree is None or not tree.pages.isdisjoint(self._pages) or max(tree.pages) > self._common:
            return True
        return bool(self._changed_overflow(base))

    def _changed_overflow(self, table: _Stored) -> list[str]:
        """The places in the base's b-tree of the changed overflow pages, each below that of its cell's page.

        An unchanged cell leads to the same first overflow page in both files, and an unchanged overflow page to the
        same next one: so the first change in a chain is at a page that both have, and the base alone need be asked.
        Form of a path: https://sqlite.org/dbstat.html
        """
        suspects = [page for page, overflow in self._pages.items() if overflow]
        if not suspects:
            return []
        statement = (
            "SELECT path FROM dbstat WHERE name = ? AND pagetype = 'overflow'"
            " AND pageno IN (SELECT value FROM json_each(?))"
        )
        found = query(self._base.database.connection, statement, (table.name, json.dumps(suspects)))
        return [path for (path,) in found]

    def _changed_leaves(self, name: str) -> list[Span]:
        """The rowids of all leaves of one side that are not the same leaf on the other, or have changed overflow."""
        base, new = self._base.tree(name), self._new.tree(name)
        if base is None or new is None:
            return self._every_leaf(name)
        spans = [span for page, span in base.leaves.items() if page in self._pages or page not in new.leaves]
        spans += [span for page, span in new.leaves.items() if page in self._pages or page not in base.leaves]
        table = self._base.tables[name.lower()]
        if paths := {path[: path.rindex("/") + 1] for path in self._changed_overflow(table)}:
            statement = "SELECT pageno FROM dbstat WHERE name = ? AND path IN (SELECT value FROM json_each(?))"
            found = query(self._base.database.connection, statement, (table.name, json.dumps(sorted(paths))))
            spans += [base.leaves[page] for (page,) in found]
        return spans

    def _every_leaf(self, name: str) -> list[Span]:
        return [span for side in (self._base, self._new) if (tree := side.tree(name)) for span in tree.leaves.values()]

    def _reads_itself(self, plan: TablePlan) -> bool:
        """Whether an expression reads other rows of the table: then its program opens the table, or an index, twice."""
        if not (plan.is_mapped or plan.where != "1"):
            return False
        shown = ",".join((*(c.expression for c in plan.columns), *(check.condition for check in plan.checks)))
        statement = f"EXPLAIN SELECT {shown} FROM {identifier(plan.name)} NOT INDEXED WHERE ({plan.where})"
        own = {entry.root for entry in self._new.entries if entry.table.lower() == plan.name.lower()}
        program = query(self._new.database.connection, statement)
        return sum(opcode in ("OpenRead", "ReopenIdx") and root in own for _, opcode, _, root, *_ in program) > 1


def differing(base: Database, new: Database, plan: TablePlan) -> Iterator[ChangedKey]:
    """The difference of one table; for several, `Difference` compares the pages once."""
    with Difference(base, new) as difference:
        yield from difference.rows(plan)


def _in_pairs(
    older: Database, newer: Database, plan: TablePlan, base: Rows, cuts: Iterator[Span]
) -> Iterator[ChangedKey]:
    """Let SQLite compare the rows of windows, half of them in a thread of its own."""
    knows_target = is_every_rowid(plan)
    with (
        closing(Pairs(older, newer, plan)) as here,
        closing(Pairs(older, newer, plan)) as there,
        ThreadPoolExecutor(1) as thread,
    ):
        while batch := list(islice(cuts, _WINDOWS_AT_ONCE)):
            half = len(batch) // 2
            later = thread.submit(_differing, there, batch[half:])
            found = [*_differing(here, batch[:half]), *later.result()]
            if knows_target:
                yield from (ChangedKey(key, key if in_base else None) for key, in_base in found)
            else:
                target_keys = base.target_keys(key for key, in_base in found if in_base)
                yield from (ChangedKey(key, target_keys.get(key)) for key, _ in found)


def _differing(pairs: Pairs, batch: list[Span]) -> list[tuple[str, bool]]:
    return [(str(rowid), in_base) for window in batch for rowid, in_base in pairs.differing(window)]


def _by_windows(base: Rows, new: Rows, cuts: Iterator[Span]) -> Iterator[ChangedKey]:
    """Compare windows of rowids, one side in a thread of its own: SQLite runs without Python's lock."""
    with ThreadPoolExecutor(1) as thread:
        batch = list(islice(cuts, _WINDOWS_AT_ONCE))
        while batch:
            reading = thread.submit(_lines, base, batch)
            newer = _lines(new, batch)
            read = list(zip(batch, reading.result(), newer, strict=False))
            yield from _in_windows(base, new, read)
            batch = batch[len(read) :] or list(islice(cuts, _WINDOWS_AT_ONCE))


def _lines(rows: Rows, batch: list[Span]) -> list[list[bytes] | None]:
    """The lines of the first windows, at least of one: no further ones after 16 MiB."""
    found: list[list[bytes] | None] = []
    size = 0
    for window in batch:
        lines = rows.lines(window)
        found.append(lines)
        size += sum(map(len, lines)) if lines is not None else LONGEST_VALUE
        if size >= LONGEST_VALUE:
            break
    return found


def _in_windows(
    base: Rows, new: Rows, read: list[tuple[Span, list[bytes] | None, list[bytes] | None]]
) -> Iterator[ChangedKey]:
    gone, come = set[str](), set[str]()
    for window, old_lines, new_lines in read:
        if old_lines is None or new_lines is None:
            yield from _one_by_one(base, new, chain(base.keys(window), new.keys(window)))
        elif old_lines != new_lines:
            old, newer = set(old_lines), set(new_lines)
            gone.update(map(key_of, old - newer))
            come.update(map(key_of, newer - old))
    target_keys = base.target_keys(gone)
    yield from (ChangedKey(key, target_keys.get(key)) for key in sorted(gone | come, key=int))


def _one_by_one(base: Rows, new: Rows, keys: Iterable[str]) -> Iterator[ChangedKey]:
    """Compare rows that are large; those that are too large to be written count as changed."""
    for key in dict.fromkeys(keys):
        old, newer = base.line(key), new.line(key)
        if old is None or newer is None or old.text is None or old.text != newer.text:
            yield ChangedKey(key, old.target_key if old else None)


def _in_order(base: Rows, new: Rows) -> Iterator[ChangedKey]:
    """Compare all rows of a table without rowids."""
    older, newer = ((False, line) for line in base.in_order()), ((True, line) for line in new.in_order())
    both = heapq.merge(older, newer, key=lambda entry: entry[1].key)
    try:
        for key, entries in groupby(both, key=lambda entry: entry[1].key):
            sides = dict(entries)
            old, row = sides.get(False), sides.get(True)
            if old is None or row is None or old.text != row.text:
                yield ChangedKey(key, old.target_key if old else None)
    except apsw.TooBigError:
        yield from _one_by_one(base, new, chain(base.keys(), new.keys()))


@contextmanager
def _reading(*databases: Database) -> Iterator[None]:
    """Turn SQLite's failures to read snapshots into ours."""
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError, apsw.IOError) as error:
        raise damaged(databases[0].path, str(error)) from error
    except apsw.Error as error:
        raise explain(error, databases[0].path) from error
