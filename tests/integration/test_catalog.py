"""What a source may hold, and what becomes of it: generated columns, virtual tables, keys, names."""

import pytest

from tests.plugins.moving import MakeMove, Move

COLUMNS = (
    "SELECT attname::text, format_type(atttypid, atttypmod), attnotnull, attidentity::text FROM pg_attribute"
    " WHERE attrelid = '{}'::regclass AND attnum > 0 ORDER BY attnum"
)
CONSTRAINTS = (
    "SELECT conname::text, contype::text, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace AND contype <> 'n' ORDER BY conname"
)


def skipped(move: Move) -> dict[str, str]:
    with move.opened() as sides, sides.source.transaction() as connection:
        return {s.name: s.reason for s in sides.plan(connection, sides.look_at_target()).skipped}


def test_generated_columns_are_read_as_values(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, price REAL,"
        " doubled REAL AS (price * 2) VIRTUAL, label TEXT AS ('n' || id) STORED);"
        "INSERT INTO item (id, price) VALUES (1, 1.25)"
    )
    move.load()
    move.write("INSERT INTO item (id, price) VALUES (2, 2.5)")
    move.catch_up()
    assert move.query("SELECT * FROM item ORDER BY id") == [(1, 1.25, 2.5, "n1"), (2, 2.5, 5.0, "n2")]


def test_virtual_tables_and_their_shadows_are_left_out_with_the_reason(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE VIRTUAL TABLE search USING fts5(body); INSERT INTO search VALUES ('word');"
        "CREATE VIRTUAL TABLE area USING rtree(id, x0, x1); CREATE TABLE item (id INTEGER PRIMARY KEY);"
        "CREATE VIEW v AS SELECT 1"
    )
    assert [t.table for t in move.load().tables] == ["item"]
    left_out = skipped(move)
    assert left_out["search"].startswith("a virtual table keeps no rows of its own: CREATE VIRTUAL TABLE search")
    assert left_out["search_content"] == left_out["area_node"] == "a shadow table belongs to a virtual table"
    assert move.query("SELECT relname::text FROM pg_class WHERE relname ~ 'search|area'") == []


def test_a_table_whose_rows_cannot_be_named_stops_with_the_reason(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE odd (rowid TEXT, oid TEXT, _rowid_ TEXT); CREATE TABLE item (id INTEGER PRIMARY KEY)"
    )
    (stopped,) = move.load().stopped
    assert "odd: not carried over: columns hide all three names of its rowid" in stopped.error
    move.configure("[sync]\nskip = odd\n")
    assert not move.load().stopped
    assert skipped(move) == {"odd": "columns hide all three names of its rowid, and it has no primary key"}


class TestKeys:
    def test_an_integer_primary_key_becomes_an_identity(self, make_move: MakeMove) -> None:
        move = make_move("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        move.load()
        assert move.query(COLUMNS.format("item")) == [("id", "bigint", True, "d"), ("name", "text", True, "")]
        assert move.query(CONSTRAINTS) == [("item_pkey", "p", "PRIMARY KEY (id)")]

    def test_an_integer_primary_key_desc_is_not_the_rowid(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE item (id INTEGER PRIMARY KEY DESC, name TEXT);"
            "INSERT INTO item VALUES (9, 'a'), (3, 'b'), (NULL, 'c')"
        )
        move.load()
        move.write("INSERT INTO item VALUES (1, 'later')")
        move.catch_up()
        assert move.query("SELECT id, name FROM item ORDER BY id") == [(1, "later"), (3, "b"), (9, "a")]
        assert move.refused() == [("3", "not null", "id")]

    def test_a_table_without_any_key_gets_its_rowid(self, make_move: MakeMove) -> None:
        move = make_move("CREATE TABLE item (v); INSERT INTO item VALUES ('a'), ('a'), (NULL)")
        move.load()
        assert move.query("SELECT _syncd_rowid, v FROM item ORDER BY 1") == [(1, "a"), (2, "a"), (3, None)]
        assert move.query(CONSTRAINTS) == [("item_pkey", "p", "PRIMARY KEY (_syncd_rowid)")]

    def test_a_unique_not_null_index_is_a_key(self, make_move: MakeMove) -> None:
        move = make_move("CREATE TABLE item (code TEXT NOT NULL, v); CREATE UNIQUE INDEX code_is_one ON item (code)")
        move.load()
        assert move.query(CONSTRAINTS) == [("item_pkey", "p", "PRIMARY KEY (code)")]

    def test_a_composite_key_keeps_its_order(self, make_move: MakeMove) -> None:
        move = make_move("CREATE TABLE item (a TEXT, b TEXT, PRIMARY KEY (b, a)) WITHOUT ROWID")
        move.load()
        assert move.query(CONSTRAINTS) == [("item_pkey", "p", "PRIMARY KEY (b, a)")]

    def test_keys_that_differ_in_case_are_two(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE item (code TEXT PRIMARY KEY) WITHOUT ROWID; INSERT INTO item VALUES ('a'), ('A')"
        )
        move.load()
        assert move.query("SELECT code FROM item ORDER BY code") == [("A",), ("a",)]

    def test_of_keys_that_are_one_in_the_target_the_report_counts_the_one_that_waits(self, make_move: MakeMove) -> None:
        move = make_move("CREATE TABLE item (code PRIMARY KEY) WITHOUT ROWID; INSERT INTO item VALUES (1), ('1')")
        (report,) = move.load().tables
        assert (report.applied.read, report.applied.inserted, report.applied.rejected) == (2, 1, 1)
        assert move.refused() == [("1", "duplicate key", "")]

    @pytest.mark.parametrize("collation", ["NOCASE", "RTRIM"])
    def test_a_key_of_another_collation_is_walked_whole(self, make_move: MakeMove, collation: str) -> None:
        move = make_move(
            f"CREATE TABLE item (code TEXT COLLATE {collation} PRIMARY KEY) WITHOUT ROWID;"
            "INSERT INTO item VALUES ('b'), ('A '), ('Aa'), ('C'), (' '), ('d'), ('E')"
        )
        move.configure("[sync]\nbatch_rows = 1\n")
        move.load()
        assert sorted(code for (code,) in move.query("SELECT code FROM item")) == [" ", "A ", "Aa", "C", "E", "b", "d"]


class TestNames:
    LONG = "a_name_that_is_longer_than_postgresql_can_keep_and_whose_end_"

    def test_long_names_that_would_collide_are_told_apart(self, make_move: MakeMove) -> None:
        one, two = self.LONG + "tells_one", self.LONG + "tells_two"
        move = make_move(
            f"CREATE TABLE {one} (id INTEGER PRIMARY KEY, {one} TEXT, {two} TEXT UNIQUE);"
            f"CREATE TABLE {two} (id INTEGER PRIMARY KEY, {one} INTEGER REFERENCES {one} (id));"
            f"INSERT INTO {one} VALUES (1, 'a', 'b'); INSERT INTO {two} VALUES (2, 1);"
            f"CREATE INDEX {one}_index ON {one} ({one}); CREATE INDEX {two}_index ON {two} ({one})"
        )
        assert [t.error for t in move.load().tables] == ["", ""]
        names = [
            name
            for (name,) in move.query("SELECT relname::text FROM pg_class WHERE relname ~ '^a_name' AND relkind = 'r'")
        ]
        assert len(names) == 2
        assert sorted(row for name in names for row in move.query(f"SELECT * FROM {name}")) == [(1, "a", "b"), (2, 1)]
        assert move.query(
            "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace"
        ) == [(1,)]
        move.write(f"INSERT INTO {one} VALUES (3, 'c', 'd')")
        assert move.catch_up().applied.inserted == 1

    @pytest.mark.parametrize(
        "name", ["a b", 'a"b', "a'b", "표", "select", "100%", "%s", "{}", "a.b", "a,b", "\\", "Ab", "$1", "ctid2"]
    )
    def test_odd_names_are_names(self, make_move: MakeMove, name: str) -> None:
        quoted = '"' + name.replace('"', '""') + '"'
        move = make_move(
            f"CREATE TABLE {quoted} ({quoted} TEXT PRIMARY KEY, n INTEGER REFERENCES {quoted});"
            f"CREATE INDEX {quoted[:-1]}_i\" ON {quoted} (n); INSERT INTO {quoted} VALUES ('a', NULL), ('b', x'00')"
        )
        move.configure(
            f"[sync]\nmax_reject_ratio = 1\n[table:{name}]\nlookback = 1s\ntype.{name} = text\ntype.n = bigint\n"
            if name.strip()
            else ""
        )
        assert [t.error for t in move.load().tables] == [""]
        move.write(f"INSERT INTO {quoted} VALUES ('c', 1), ('d', x'00')")
        move.catch_up()
        move.write(f"DELETE FROM {quoted} WHERE n = x'00'")
        move.catch_up()
        assert move.query(f"SELECT n FROM {quoted}") == [(None,), (1,)]

    def test_columns_that_postgresql_reserves_stop_their_table_alone(self, make_move: MakeMove) -> None:
        move = make_move("CREATE TABLE bad (ctid TEXT, v); CREATE TABLE good (id INTEGER PRIMARY KEY)")
        reports = {t.table: t.error for t in move.load().tables}
        assert "ctid" in reports["bad"]
        assert reports["good"] == ""


class TestIndexes:
    def test_secondary_indexes_and_unique_constraints_come_along(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE item (id INTEGER PRIMARY KEY, a TEXT UNIQUE, b TEXT, c TEXT);"
            "CREATE INDEX by_b ON item (b DESC, c); CREATE UNIQUE INDEX one_c ON item (c)"
        )
        move.load()
        indexes = move.query("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname")
        assert "CREATE INDEX by_b ON public.item USING btree (b DESC, c)" in [text for (text,) in indexes]
        assert [row[0] for row in move.query(CONSTRAINTS)] == ["item_a_key", "item_pkey", "one_c"]

    def test_indexes_of_one_name_in_tables_of_two_do_not_hinder(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE item (id INTEGER PRIMARY KEY, a TEXT); CREATE INDEX other ON item (a)",
            "CREATE TABLE other (a int)",
        )
        assert [t.error for t in move.load().tables] == [""]


def test_a_wide_table_lands(make_move: MakeMove) -> None:
    columns = ", ".join(f"c{n} {('TEXT', 'INTEGER', 'REAL', '', 'DATETIME')[n % 5]}" for n in range(1200))
    values = ", ".join(("'a'", "1", "1.5", "NULL", "'2024-01-01 00:00:00'")[n % 5] for n in range(1200))
    move = make_move(f"CREATE TABLE wide ({columns}); INSERT INTO wide VALUES ({values})")
    assert [t.error for t in move.load().tables] == [""]
    move.write(f"INSERT INTO wide VALUES ({values}); INSERT INTO wide (c1) VALUES (x'00')")
    move.catch_up()
    assert move.query("SELECT count(*), count(c1199) FROM wide") == [(2, 2)]
    assert move.refused() == [("3", "value", "c1")]
