"""Pages of files: trees as SQLite's own dbstat sees them, pages that differ, windows of rowids."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import apsw
import pytest

from syncd.errors import SnapshotError
from syncd.source.database import Database
from syncd.source.pages import EVERY_ROWID, Image, changed, windows

ROWS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"


def write(path: Path, script: str) -> None:
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute(f"PRAGMA synchronous = OFF; {script}").fetchall()


def query(path: Path, statement: str) -> list[Any]:
    with closing(apsw.Connection(str(path))) as connection:
        return list(connection.execute(statement))


@contextmanager
def image(path: Path) -> Iterator[Image]:
    with closing(Database(path, private=True)) as database, closing(Image(database)) as opened:
        yield opened


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """A table of four levels, with rowids of all lengths and some rows that overflow, and one without rowids."""
    path = tmp_path / "deep.db"
    random = Random(3)
    ids = {random.randrange(-(2**63), 2**63) >> random.randrange(64) for _ in range(3000)}
    rows = ",".join(f"({n}, printf('%.*c', {random.choice((5, 90, 700))}, 'x'))" for n in ids)
    write(path, f"PRAGMA page_size = 512; CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES {rows}")
    write(path, f"CREATE TABLE w (k PRIMARY KEY, v) WITHOUT ROWID; {ROWS} INSERT INTO w SELECT 'key ' || i, i FROM n")
    return path


class TestTrees:
    @pytest.mark.parametrize("table", ["t", "w"])
    def test_its_pages_are_those_of_dbstat(self, deep: Path, table: str) -> None:
        root = int(query(deep, f"SELECT rootpage FROM sqlite_schema WHERE name = '{table}'")[0][0])
        stat = query(deep, f"SELECT pageno, pagetype FROM dbstat WHERE name = '{table}' AND pagetype <> 'overflow'")
        with image(deep) as opened:
            tree = opened.tree(root)
        assert tree.pages == {page for page, _ in stat}
        assert set(tree.leaves) == ({page for page, kind in stat if kind == "leaf"} if table == "t" else set())

    def test_its_leaves_part_all_rowids_and_hold_what_dbstat_counts(self, deep: Path) -> None:
        root = int(query(deep, "SELECT rootpage FROM sqlite_schema WHERE name = 't'")[0][0])
        cells = dict(query(deep, "SELECT pageno, ncell FROM dbstat WHERE name = 't' AND pagetype = 'leaf'"))
        with image(deep) as opened:
            leaves = opened.tree(root).leaves
        ordered = sorted(leaves.values())
        assert (ordered[0][0], ordered[-1][1]) == EVERY_ROWID
        assert all(after[0] == before[1] + 1 for before, after in pairwise(ordered))
        for page, (low, high) in leaves.items():
            assert query(deep, f"SELECT count(*) FROM t WHERE id BETWEEN {low} AND {high}") == [(cells[page],)]

    def test_a_single_page_holds_every_rowid(self, tmp_path: Path) -> None:
        write(path := tmp_path / "one.db", "CREATE TABLE t (a); INSERT INTO t VALUES (1)")
        with image(path) as opened:
            assert opened.tree(2).leaves == {2: EVERY_ROWID}

    @pytest.mark.parametrize("damage", [b"\0" * 512, b"\5\0\0\xff\xff" + b"\xff" * 507, b"\5" + b"\0" * 511])
    def test_a_damaged_root_is_told(self, deep: Path, damage: bytes) -> None:
        data = deep.read_bytes()
        deep.write_bytes(data[:512] + damage + data[1024:])
        with image(deep) as opened, pytest.raises(SnapshotError, match="damaged"):
            opened.tree(2)

    def test_a_circle_is_told(self, deep: Path) -> None:
        data = bytearray(deep.read_bytes())
        data[512 + 8 : 512 + 12] = (2).to_bytes(4, "big")
        deep.write_bytes(data)
        with image(deep) as opened, pytest.raises(SnapshotError, match="circle"):
            opened.tree(2)

    def test_a_file_that_is_not_private_is_refused(self, deep: Path) -> None:
        with closing(Database(deep)) as database, pytest.raises(ValueError, match="not private"):
            Image(database)


class TestChanged:
    def test_every_page_that_differs_is_told(self, tmp_path: Path) -> None:
        write(
            one := tmp_path / "one.db",
            f"PRAGMA page_size = 512; CREATE TABLE t (a); {ROWS} INSERT INTO t SELECT i FROM n",
        )
        data = bytearray(one.read_bytes())
        count = len(data) // 512
        wanted = {2, 3, 40, count - 1, count}
        for page in wanted:
            data[page * 512 - 1] ^= 1
        (other := tmp_path / "other.db").write_bytes(data)
        with image(one) as here, image(other) as there:
            assert set(changed(here, there)) == wanted
            assert changed(here, here) == {}

    def test_pages_of_one_file_alone_are_not_compared(self, tmp_path: Path) -> None:
        write(one := tmp_path / "one.db", "PRAGMA page_size = 512; CREATE TABLE t (a)")
        write(
            other := tmp_path / "other.db",
            f"PRAGMA page_size = 512; CREATE TABLE t (a); {ROWS} INSERT INTO t SELECT i FROM n",
        )
        with image(one) as here, image(other) as there:
            assert set(changed(here, there)) == set(changed(there, here)) == {1, 2}

    def test_only_a_page_that_may_be_overflow_is_called_so(self, tmp_path: Path) -> None:
        script = "PRAGMA page_size = 512; CREATE TABLE t (id INTEGER PRIMARY KEY, v);"
        write(one := tmp_path / "one.db", f"{script} INSERT INTO t VALUES (1, printf('%.*c', 1500, 'x')), (2, 'a')")
        (other := tmp_path / "other.db").write_bytes(one.read_bytes())
        write(other, "UPDATE t SET v = substr(v, 1, 1499) || 'y' WHERE id = 1; UPDATE t SET v = 'b' WHERE id = 2")
        kinds = dict(query(other, "SELECT pageno, pagetype = 'overflow' FROM dbstat WHERE name = 't'"))
        with image(one) as here, image(other) as there:
            found = {page: overflow for page, overflow in changed(here, there).items() if page > 1}
        assert sorted(found.values()) == [False, True]
        assert all(kinds[page] == overflow for page, overflow in found.items())


class TestWindows:
    def test_they_are_in_order_and_cut_where_spans_end(self) -> None:
        assert list(windows([(5, 9), (1, 4), (20, 29), (3, 6)], 1)) == [(1, 4), (5, 6), (7, 9), (20, 29)]

    def test_they_hold_several_ends(self) -> None:
        assert list(windows([(1, 4), (5, 9), (10, 12), (30, 40)], 2)) == [(1, 9), (10, 12), (30, 40)]

    def test_no_spans(self) -> None:
        assert list(windows([], 5)) == []

    @pytest.mark.parametrize("seed", range(50))
    def test_they_cover_what_the_spans_cover_once(self, seed: int) -> None:
        random = Random(seed)
        starts = [random.randrange(300) for _ in range(random.randrange(1, 30))]
        spans = [(start, start + random.randrange(20)) for start in starts]
        covered = [n for low, high in windows(spans, random.randrange(1, 6)) for n in range(low, high + 1)]
        assert covered == sorted({n for low, high in spans for n in range(low, high + 1)})
