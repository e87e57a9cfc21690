"""Hundreds of random changes of a database with small pages, so that its trees are deep: pages never hide a row."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from syncd.plan import ColumnPlan
from syncd.types import TargetType
from tests.plugins.images import Images

SCHEMA = """
    CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE, b);
    CREATE TABLE u (a TEXT COLLATE NOCASE UNIQUE, b);
    CREATE INDEX u_b ON u (b);
    CREATE TABLE w (k TEXT COLLATE NOCASE, n INTEGER, v, PRIMARY KEY (n, k)) WITHOUT ROWID;
"""
VALUES = ("NULL", "1", "1.0", "-0.0", "'a'", "'A'", "'a '", "x'61'", "'1'", "''", "random()", "'a' || char(0) || 'b'")


class Changes:
    """Random statements; most change a few rows, some move everything."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def script(self) -> str:
        return ";".join(self.statement() for _ in range(self.random.choice((0, 1, 1, 2, 5))))

    def statement(self) -> str:
        common = (
            self.insert,
            self.update,
            self.update,
            self.stretch,
            self.tail,
            self.delete,
            self.replaced,
            self.moved,
        )
        rare = (self.many, self.emptied, self.vacuum, self.indexed)
        return self.random.choice(common * 4 + rare)()

    def value(self) -> str:
        return self.random.choice(VALUES)

    def text(self) -> str:
        length = self.random.choice((3, 3, 3, 60, 460, 500, 3000))
        return f"printf('%.*c', {length}, '{self.random.choice('abAB')}') || {self.random.randrange(300)}"

    def rows(self, table: str) -> str:
        """A condition for a few rows of a table."""
        name = {"t": "id", "u": "rowid", "w": "n"}[table]
        low = self.random.randrange(600)
        return f"{name} BETWEEN {low} AND {low + self.random.choice((0, 0, 2, 30))}"

    def table(self) -> str:
        return self.random.choice("ttuw")

    def insert(self) -> str:
        rowid = self.random.choice(
            ("NULL", str(self.random.randrange(700)), str(self.random.randrange(-(2**63), 2**63)))
        )
        table = self.table()
        if table == "w":
            return f"INSERT OR IGNORE INTO w VALUES ({self.text()}, {self.random.randrange(600)}, {self.value()})"
        name = "id" if table == "t" else "rowid"
        return f"INSERT OR IGNORE INTO {table} ({name}, a, b) VALUES ({rowid}, {self.text()}, {self.value()})"

    def update(self) -> str:
        table = self.table()
        return f"UPDATE {table} SET {'v' if table == 'w' else 'b'} = {self.value()} WHERE {self.rows(table)}"

    def stretch(self) -> str:
        table = self.table()
        return f"UPDATE OR IGNORE {table} SET {'k' if table == 'w' else 'a'} = {self.text()} WHERE {self.rows(table)}"

    def tail(self) -> str:
        """Change the last character of long texts alone, or one in the middle."""
        table = self.table()
        name, at = "k" if table == "w" else "a", self.random.choice(("length({0})", "length({0}) / 2"))
        at = at.format(name)
        changed = f"substr({name}, 1, {at} - 1) || '{self.random.choice('xyXY')}' || substr({name}, {at} + 1)"
        return f"UPDATE OR IGNORE {table} SET {name} = {changed} WHERE length({name}) > 50 AND {self.rows(table)}"

    def delete(self) -> str:
        table = self.table()
        return f"DELETE FROM {table} WHERE {self.rows(table)}"

    def replaced(self) -> str:
        return f"INSERT OR REPLACE INTO u SELECT a, {self.value()} FROM u WHERE {self.rows('u')}"

    def moved(self) -> str:
        return f"UPDATE OR REPLACE t SET id = id + {self.random.choice((-1, 1, 1000))} WHERE {self.rows('t')}"

    def many(self) -> str:
        table = self.table()
        numbers = (
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {self.random.randrange(400)})"
        )
        shown = f"{self.text()} || i, {'i,' if table == 'w' else ''} {self.value()}"
        names = "k, n, v" if table == "w" else "a, b"
        return f"{numbers} INSERT OR IGNORE INTO {table} ({names}) SELECT {shown} FROM n"

    def emptied(self) -> str:
        table = self.table()
        return f"DELETE FROM {table} WHERE {self.random.choice(('1', 'random() % 2'))}"

    def vacuum(self) -> str:
        return f"PRAGMA page_size = {self.random.choice((512, 512, 512, 1024))}; VACUUM"

    def indexed(self) -> str:
        return self.random.choice(("DROP INDEX IF EXISTS t_a", "CREATE INDEX IF NOT EXISTS t_a ON t (a)", "REINDEX"))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("auto_vacuum", ["NONE", "FULL"])
def test_the_difference_is_what_reading_every_row_finds(tmp_path: Path, seed: int, auto_vacuum: str) -> None:
    images, changes = Images(tmp_path, f"PRAGMA auto_vacuum = {auto_vacuum}; {SCHEMA}"), Changes(seed)
    images.write(";".join(changes.many() for _ in range(12)))
    looked_up = ColumnPlan("other", "(SELECT b FROM u WHERE u.rowid = t.id)", "BLOB", TargetType("text"))
    t = images.plan("t")
    plans = (
        t,
        images.plan("u"),
        images.plan("w"),
        replace(t, where="(typeof(b) <> 'text' AND id % 3)"),
        replace(t, columns=(*t.columns, looked_up), reads=frozenset({"u"})),
    )
    base = images.copy()
    seen = 0
    for _ in range(30):
        script = changes.script()
        images.write(script)
        new = images.copy()
        for plan in plans:
            found = images.found(base, new, plan)
            assert set(found) == images.naive(base, new, plan), script
            assert {key for key, of_base in found.items() if of_base is not None} == found.keys() & images.rows(
                base, plan
            ).keys()
            seen += len(found)
        base = new
    assert seen > 100
