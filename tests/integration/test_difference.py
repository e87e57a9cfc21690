"""The difference of two snapshots: every row that changed in any way, and next to no other."""

import random
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syncd.errors import SnapshotError
from syncd.plan import ColumnPlan, RowCheck, TablePlan
from syncd.source.difference import ChangedKey
from syncd.types import TargetType
from tests.plugins.images import Images

MIB = 2**20
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
FILLED = f"""
    CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b);
    {NUMBERS} INSERT INTO t SELECT i, 'row ' || i, i * 1.5 FROM n;
"""


def check(images: Images, base: str, plan: TablePlan | None = None) -> dict[str, str | None]:
    """The difference to the database as it is now, which must be exactly what the plainest way finds."""
    plan = plan or images.plan()
    new = images.copy()
    found = images.found(base, new, plan)
    assert set(found) == images.naive(base, new, plan)
    return found


def changed_by(images: Images, script: str, **changes: Any) -> dict[str, str | None]:
    """The difference that a script makes."""
    base = images.copy()
    images.write(script)
    return check(images, base, images.plan(**changes))


@pytest.fixture
def filled(tmp_path: Path) -> Images:
    return Images(tmp_path, FILLED)


class TestRowids:
    def test_nothing_changed(self, filled: Images) -> None:
        assert changed_by(filled, "SELECT 1") == {}

    def test_inserted_updated_and_deleted_rows_are_told_with_the_keys_that_the_base_held(self, filled: Images) -> None:
        script = "UPDATE t SET a = 'x' WHERE id = 500; DELETE FROM t WHERE id = 3; INSERT INTO t VALUES (2000, 'n', 1)"
        assert changed_by(filled, script) == {"3": "3", "500": "500", "2000": None}

    def test_replace_that_deletes_another_row_through_a_second_unique_index(self, filled: Images) -> None:
        filled.write("CREATE UNIQUE INDEX second ON t (a)")
        found = changed_by(filled, "INSERT OR REPLACE INTO t VALUES (2000, 'row 77', 0)")
        assert found == {"77": "77", "2000": None}

    def test_an_update_of_the_key(self, filled: Images) -> None:
        assert changed_by(filled, "UPDATE t SET id = 5000 WHERE id = 10") == {"10": "10", "5000": None}

    def test_an_update_of_a_mapped_key_gives_the_old_one(self, filled: Images) -> None:
        found = changed_by(filled, "UPDATE t SET a = 'it''s, new' WHERE id = 10", key=("a", "id"))
        assert found == {"10": "'row 10',10"}

    def test_all_rows_deleted(self, filled: Images) -> None:
        assert changed_by(filled, "DELETE FROM t") == {str(n): str(n) for n in range(1, 1001)}

    def test_all_rows_inserted(self, tmp_path: Path) -> None:
        images = Images(tmp_path, "CREATE TABLE t (id INTEGER PRIMARY KEY, a)")
        assert len(changed_by(images, f"{NUMBERS} INSERT INTO t SELECT i, i FROM n")) == 1000

    def test_a_rowid_that_is_used_again(self, filled: Images) -> None:
        script = "DELETE FROM t WHERE id = 1000; INSERT INTO t (a, b) VALUES ('again', 1)"
        assert changed_by(filled, script) == {"1000": "1000"}

    def test_rows_inserted_again_as_they_were_are_not_told(self, filled: Images) -> None:
        script = "CREATE TEMP TABLE k AS SELECT * FROM t; DELETE FROM t; INSERT INTO t SELECT * FROM k ORDER BY id DESC"
        assert changed_by(filled, script) == {}

    def test_rowids_that_vacuum_renumbers(self, tmp_path: Path) -> None:
        images = Images(
            tmp_path, f"CREATE TABLE t (a); {NUMBERS} INSERT INTO t SELECT i FROM n; DELETE FROM t WHERE a % 3 = 0"
        )
        assert len(changed_by(images, "VACUUM")) > 500

    def test_vacuum_of_rows_that_keep_their_rowids_tells_none(self, filled: Images) -> None:
        filled.write("DELETE FROM t WHERE id % 3 = 0")
        assert changed_by(filled, "VACUUM") == {}

    def test_another_page_size(self, filled: Images) -> None:
        script = "PRAGMA page_size = 1024; VACUUM; UPDATE t SET a = 'x' WHERE id = 7"
        assert changed_by(filled, script) == {"7": "7"}

    @pytest.mark.parametrize("mode", ["FULL", "INCREMENTAL"])
    def test_auto_vacuum(self, tmp_path: Path, mode: str) -> None:
        images = Images(
            tmp_path, f"PRAGMA auto_vacuum = {mode}; {FILLED} CREATE TABLE u (x); INSERT INTO u SELECT a FROM t"
        )
        images.write("INSERT INTO t VALUES (2000, printf('%.*c', 9000, 'x'), 1)")
        script = (
            "DROP TABLE u; DELETE FROM t WHERE id < 300; PRAGMA incremental_vacuum; UPDATE t SET b = 0 WHERE id = 999"
        )
        assert len(changed_by(images, script)) == 300

    def test_rowids_at_both_ends(self, filled: Images) -> None:
        script = f"INSERT INTO t VALUES ({-(2**63)}, 'least', 1), ({2**63 - 1}, 'greatest', 1), (-5, 'negative', 1)"
        assert set(changed_by(filled, script)) == {str(-(2**63)), str(2**63 - 1), "-5"}
        assert set(changed_by(filled, "UPDATE t SET b = 2 WHERE id < 2 OR id > 999")) == {
            *(str(-(2**63)), str(2**63 - 1), "-5", "1", "1000")
        }

    def test_changes_of_an_index_alone(self, filled: Images) -> None:
        assert changed_by(filled, "CREATE INDEX i ON t (a); CREATE INDEX j ON t (b); DROP INDEX i") == {}

    def test_columns_that_hide_names_of_the_rowid(self, tmp_path: Path) -> None:
        images = Images(tmp_path, "CREATE TABLE t (rowid, oid); INSERT INTO t VALUES ('a', 'b'), ('c', 'd')")
        assert set(changed_by(images, "UPDATE t SET oid = 'e' WHERE rowid = 'c'")) == {"2"}


class TestValues:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("'a'", "'A'"),
            ("'a'", "'a '"),
            ("1", "1.0"),
            ("'1'", "1"),
            ("NULL", "'NULL'"),
            ("x'61'", "'a'"),
            ("0.0", "-0.0"),
            ("0", "-0.0"),
            ("9e999", "-9e999"),
            ("0.1", "0.1 + 1e-17 * 2"),
            ("'a' || char(0) || 'b'", "'a' || char(0) || 'c'"),
            ("'a'", "'a' || char(0)"),
            ("CAST(x'ff' AS TEXT)", "CAST(x'fe' AS TEXT)"),
            ("'X''61'''", "x'61'"),
            ("''", "NULL"),
            ("x''", "''"),
        ],
    )
    @pytest.mark.parametrize(
        "declared", ["", "TEXT COLLATE NOCASE", "TEXT COLLATE RTRIM", "NUMERIC", "REAL", "INTEGER"]
    )
    def test_values_that_sqlite_may_call_equal(self, tmp_path: Path, before: str, after: str, declared: str) -> None:
        images = Images(
            tmp_path, f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {declared}); INSERT INTO t VALUES (1, {before})"
        )
        found = changed_by(images, f"UPDATE t SET v = {after}")
        if not declared and before != "0.1":
            assert found == {"1": "1"}

    def test_two_neighbours_cannot_hide_a_move_of_text_between_them(self, tmp_path: Path) -> None:
        images = Images(
            tmp_path, "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b); INSERT INTO t VALUES (1, 'x'',''', 'y')"
        )
        assert changed_by(images, "UPDATE t SET a = 'x', b = ''','''") == {"1": "1"}

    def test_doubles_one_bit_apart(self, tmp_path: Path) -> None:
        images = Images(tmp_path, "CREATE TABLE t (id INTEGER PRIMARY KEY, v REAL)")
        picked = random.Random(5)
        bits = [picked.getrandbits(62) for _ in range(500)]
        reals = [struct.unpack(">d", struct.pack(">Q", b))[0] for b in bits]
        above = [struct.unpack(">d", struct.pack(">Q", b ^ 1))[0] for b in bits]
        images.write("INSERT INTO t (v) VALUES (?)", [(v,) for v in reals])
        base = images.copy()
        images.write("UPDATE t SET v = ? WHERE id = ?", [(v, n) for n, v in enumerate(above, 1)])
        assert len(check(images, base)) == 500

    def test_an_overflow_tail(self, filled: Images) -> None:
        filled.write("UPDATE t SET a = printf('%.*c', 20000, 'x') WHERE id IN (5, 400, 800)")
        found = changed_by(filled, "UPDATE t SET a = substr(a, 1, 19999) || 'y' WHERE id = 400")
        assert found == {"400": "400"}

    def test_the_middle_of_an_overflow_chain(self, filled: Images) -> None:
        filled.write("UPDATE t SET a = printf('%.*c', 20000, 'x') WHERE id IN (5, 400, 800)")
        found = changed_by(
            filled, "UPDATE t SET a = substr(a, 1, 9999) || 'y' || substr(a, 10001) WHERE id IN (5, 800)"
        )
        assert found == {"5": "5", "800": "800"}

    def test_huge_values(self, tmp_path: Path) -> None:
        images = Images(tmp_path, "CREATE TABLE t (id INTEGER PRIMARY KEY, v)", page_size=4096)
        images.write("INSERT INTO t VALUES (?, ?)", [(1, bytes(20 * MIB)), (2, "x" * 18 * MIB), (3, "small"), (4, b"")])
        base = images.copy()
        images.write("UPDATE t SET v = ? WHERE id = ?", [(bytes(20 * MIB - 1) + b"\1", 1), ("changed", 3)])
        assert check(images, base) == {"1": "1", "3": "3"}

    def test_many_large_values_are_not_held_together(self, tmp_path: Path) -> None:
        images = Images(tmp_path, "CREATE TABLE t (id INTEGER PRIMARY KEY, v)", page_size=65536)
        images.write("INSERT INTO t VALUES (?, ?)", [(n, "x" * MIB) for n in range(60)])
        assert set(changed_by(images, "UPDATE t SET v = v || 'y' WHERE id % 2")) == {str(n) for n in range(1, 60, 2)}

    def test_null_keys(self, tmp_path: Path) -> None:
        images = Images(
            tmp_path, "CREATE TABLE t (k TEXT PRIMARY KEY, v); INSERT INTO t VALUES (NULL, 1), (NULL, 2), ('a', 3)"
        )
        assert set(changed_by(images, "UPDATE t SET v = 9 WHERE k IS NULL AND v = 2")) == {"2"}

    @pytest.mark.parametrize("encoding", ["UTF-16le", "UTF-16be"])
    def test_utf_16_with_half_surrogate_pairs(self, tmp_path: Path, encoding: str) -> None:
        script = f"PRAGMA encoding = '{encoding}'; {FILLED} CREATE TABLE w (k TEXT PRIMARY KEY, v) WITHOUT ROWID;"
        images = Images(
            tmp_path, script + "INSERT INTO w VALUES ('한', 1), ('a', 2); UPDATE t SET a = CAST(x'00d8' AS TEXT)"
        )
        base = images.copy()
        images.write("UPDATE t SET a = CAST(x'01d8' AS TEXT) WHERE id = 3; UPDATE t SET a = 'é' WHERE id = 4")
        images.write("UPDATE w SET v = 3 WHERE k = '한'")
        new = images.copy()
        assert images.found(base, new, images.plan()) == {"3": "3", "4": "4"}
        assert list(images.found(base, new, images.plan("w")).values()) == ["'한'"]


class TestKeysOfTheTarget:
    @pytest.mark.parametrize(
        ("value", "type_name"), [("'x'", "bigint"), ("CAST(x'ff' AS TEXT)", "text"), ("'a'||char(0)", "text")]
    )
    def test_a_key_that_the_target_cannot_hold_never_landed(self, tmp_path: Path, value: str, type_name: str) -> None:
        images = Images(tmp_path, f"CREATE TABLE t (k, v); INSERT INTO t VALUES ({value}, 1)")
        column = ColumnPlan("k", '"k"', "BLOB", TargetType(type_name))
        plan = replace(images.plan(), columns=(column,), key=("k",))
        base = images.copy()
        images.write("DELETE FROM t")
        assert images.difference(base, images.copy(), plan) == [ChangedKey("1", None)]


class TestSchema:
    def test_a_column_with_a_default_is_added(self, filled: Images) -> None:
        base = filled.copy()
        filled.write("ALTER TABLE t ADD COLUMN c INTEGER DEFAULT 5")
        assert len(filled.found(base, filled.copy(), filled.plan())) == 1000

    def test_an_added_column_that_is_not_carried_changes_no_row(self, filled: Images) -> None:
        assert changed_by(filled, "ALTER TABLE t ADD COLUMN c DEFAULT 5", columns=filled.plan().columns) == {}

    def test_a_dropped_column_and_a_changed_row(self, filled: Images) -> None:
        assert changed_by(filled, "ALTER TABLE t DROP COLUMN b; UPDATE t SET a = 'x' WHERE id = 9") == {"9": "9"}

    def test_a_renamed_key_is_no_base(self, filled: Images) -> None:
        base = filled.copy()
        filled.write("ALTER TABLE t RENAME COLUMN id TO number")
        with pytest.raises(SnapshotError, match="another shape"):
            filled.found(base, filled.copy(), filled.plan())

    def test_a_new_table_is_new_as_a_whole(self, filled: Images) -> None:
        base = filled.copy()
        filled.write("CREATE TABLE u (a); INSERT INTO u VALUES (1), (2)")
        assert filled.found(base, filled.copy(), filled.plan("u")) == {"1": None, "2": None}

    def test_the_rows_of_a_table_that_is_gone_are_gone(self, filled: Images) -> None:
        base, plan = filled.copy(), filled.plan()
        filled.write("DROP TABLE t")
        assert len(filled.found(base, filled.copy(), plan)) == 1000

    def test_a_table_made_again_with_other_rows(self, filled: Images) -> None:
        script = "CREATE TABLE x AS SELECT * FROM t; DROP TABLE t; CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b);"
        assert changed_by(filled, script + "INSERT INTO t SELECT id, a, b FROM x WHERE id > 2") == {"1": "1", "2": "2"}

    def test_two_tables_that_swap_names_swap_their_pages(self, filled: Images) -> None:
        filled.write("CREATE TABLE u (id INTEGER PRIMARY KEY, a TEXT, b)")
        filled.write("ALTER TABLE t RENAME TO x; ALTER TABLE x RENAME TO t; INSERT INTO u VALUES (1, 'other', 0)")
        filled.write("ALTER TABLE u RENAME TO x; ALTER TABLE x RENAME TO u")
        script = "ALTER TABLE t RENAME TO x; ALTER TABLE u RENAME TO t; ALTER TABLE x RENAME TO u"
        assert len(changed_by(filled, script)) == 1000

    def test_generated_columns(self, tmp_path: Path) -> None:
        table = "CREATE TABLE t (id INTEGER PRIMARY KEY, a, g AS (a * 2), s AS (a + 1) STORED)"
        images = Images(tmp_path, f"{table}; INSERT INTO t (a) VALUES (1), (2), (3)")
        assert changed_by(images, "UPDATE t SET a = 20 WHERE id = 2") == {"2": "2"}


class TestWithoutRowid:
    @pytest.fixture
    def keyed(self, tmp_path: Path) -> Images:
        script = "CREATE TABLE t (a TEXT COLLATE NOCASE, n INTEGER, v, PRIMARY KEY (n DESC, a)) WITHOUT ROWID;"
        return Images(tmp_path, f"{script} {NUMBERS} INSERT INTO t SELECT 'k ' || i, i % 10, i FROM n")

    def test_nothing_changed(self, keyed: Images) -> None:
        assert changed_by(keyed, "SELECT 1") == {}

    def test_every_kind_of_change(self, keyed: Images) -> None:
        script = "UPDATE t SET v = 0 WHERE a = 'k 500'; DELETE FROM t WHERE a = 'k 3'; INSERT INTO t VALUES ('é', 1, 1)"
        found = changed_by(keyed, script)
        assert found == {"0,'k 500'": "0,'k 500'", "3,'k 3'": "3,'k 3'", "1,CAST(X'C3A9' AS TEXT)": None}

    def test_another_case_of_the_key(self, keyed: Images) -> None:
        found = changed_by(keyed, "UPDATE t SET a = 'K 7' WHERE a = 'k 7'")
        assert found == {"7,'k 7'": "7,'k 7'", "7,'K 7'": None}

    def test_an_overflow_tail_of_a_row_on_any_page(self, keyed: Images) -> None:
        keyed.write("UPDATE t SET v = printf('%.*c', 9000, 'x')")
        found = changed_by(keyed, "UPDATE t SET v = substr(v, 1, 8999) || 'y' WHERE n = 4")
        assert len(found) == 100

    def test_huge_values(self, tmp_path: Path) -> None:
        images = Images(tmp_path, "CREATE TABLE t (k TEXT PRIMARY KEY, v) WITHOUT ROWID", page_size=4096)
        images.write("INSERT INTO t VALUES (?, ?)", [("a", bytes(20 * MIB)), ("b", "x" * 18 * MIB), ("c", 1)])
        base = images.copy()
        images.write("UPDATE t SET v = substr(v, 1, 20971519) || x'01' WHERE k = 'a'; DELETE FROM t WHERE k = 'c'")
        assert check(images, base) == {"'a'": "'a'", "'c'": "'c'"}


class TestExpressions:
    @pytest.fixture
    def looking(self, tmp_path: Path) -> Images:
        """Rows whose region is looked up in another table."""
        script = f"{FILLED} CREATE TABLE region (a TEXT PRIMARY KEY, r TEXT); INSERT INTO region SELECT a, 'US' FROM t;"
        return Images(tmp_path, script + "CREATE TABLE other (x); INSERT INTO other VALUES (1)")

    LOOKUP = "(SELECT r FROM region WHERE region.a = t.a)"

    def plan_changes(self, images: Images, **more: Any) -> dict[str, Any]:
        columns = (*images.plan().columns, ColumnPlan("region", self.LOOKUP, "BLOB", TargetType("text")))
        return {"columns": columns, "reads": frozenset({"region"}), **more}

    def test_a_change_of_the_table_that_is_read(self, looking: Images) -> None:
        script = "UPDATE region SET r = 'KR' WHERE a = 'row 7'; DELETE FROM region WHERE a = 'row 900'"
        assert changed_by(looking, script, **self.plan_changes(looking)) == {"7": "7", "900": "900"}

    def test_keys_of_vanished_rows_are_those_of_the_old_image(self, looking: Images) -> None:
        changes = self.plan_changes(looking, key=("id", "region"))
        script = "DELETE FROM t WHERE id = 7; UPDATE region SET r = 'KR' WHERE a IN ('row 7', 'row 8')"
        assert changed_by(looking, script, **changes) == {"7": "7,'US'", "8": "8,'US'"}

    def test_a_change_of_a_table_that_is_not_read(self, looking: Images) -> None:
        assert changed_by(looking, "UPDATE other SET x = 2", **self.plan_changes(looking)) == {}

    def test_a_view_that_is_read_changes(self, looking: Images) -> None:
        looking.write("CREATE VIEW v AS SELECT a, r FROM region")
        expression = "(SELECT r FROM v WHERE v.a = t.a)"
        columns = (*looking.plan().columns, ColumnPlan("region", expression, "BLOB", TargetType("text")))
        script = "DROP VIEW v; CREATE VIEW v AS SELECT a, r || (a = 'row 5') AS r FROM region"
        found = changed_by(looking, script, columns=columns, reads=frozenset({"region", "v"}))
        assert len(found) == 1000

    def test_an_expression_that_reads_other_rows_of_its_own_table(self, filled: Images) -> None:
        expression = ColumnPlan("rest", "((SELECT max(b) FROM t AS o) - b)", "BLOB", TargetType("text"))
        found = changed_by(filled, "UPDATE t SET b = 9999 WHERE id = 3", columns=(*filled.plan().columns, expression))
        assert len(found) == 1000

    def test_rows_that_leave_and_enter(self, filled: Images) -> None:
        script = (
            "UPDATE t SET b = 0 WHERE id = 900; UPDATE t SET b = 9999 WHERE id = 2; UPDATE t SET a = 'x' WHERE id = 3"
        )
        assert changed_by(filled, script, where="b > 100 OR b IS NULL") == {"900": "900", "2": None}

    def test_a_condition_that_looks_at_another_table(self, looking: Images) -> None:
        where = "EXISTS (SELECT 1 FROM region WHERE region.a = t.a AND r = 'US')"
        script = "UPDATE region SET r = 'KR' WHERE a = 'row 7'"
        assert changed_by(looking, script, where=where, reads=frozenset({"region"})) == {"7": "7"}

    def test_a_check_over_a_column_that_is_not_carried(self, filled: Images) -> None:
        columns = filled.plan().columns[:2]
        script = "UPDATE t SET b = -1 WHERE id = 12; UPDATE t SET b = 1 WHERE id = 13"
        found = changed_by(filled, script, columns=columns, checks=(RowCheck("positive", "(b > 0)"),))
        assert found == {"12": "12"}
