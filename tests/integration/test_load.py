"""The load into tables that are there already: conflicts, other shapes, refusals."""

import pytest

from tests.plugins.moving import TOLERANT, MakeMove

SOURCE = "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO item VALUES (1, 'new'), (2, 'two')"
TARGET = "CREATE TABLE item (id bigint PRIMARY KEY, name text); INSERT INTO item VALUES (1, 'old'), (9, 'theirs')"
OTHER = "CREATE TABLE other (id INTEGER PRIMARY KEY); INSERT INTO other VALUES (1);"
ITEMS = "SELECT id, name FROM item ORDER BY id"


def on_conflict(strategy: str) -> str:
    return TOLERANT + f"[target]\non_conflict = {strategy}\n"


class TestConflicts:
    def test_update_takes_the_sources_row(self, make_move: MakeMove) -> None:
        move = make_move(SOURCE, TARGET)
        move.load()
        assert move.query(ITEMS) == [(1, "new"), (2, "two"), (9, "theirs")]

    def test_skip_keeps_the_targets_row(self, make_move: MakeMove) -> None:
        move = make_move(SOURCE, TARGET)
        move.configure(on_conflict("skip"))
        move.load()
        assert move.query(ITEMS) == [(1, "old"), (2, "two"), (9, "theirs")]

    def test_fail_stops_the_table_and_the_others_go_on(self, make_move: MakeMove) -> None:
        move = make_move(OTHER + SOURCE, TARGET)
        move.configure(on_conflict("fail"))
        reports = {t.table: t.error for t in move.load().tables}
        assert "on_conflict = fail, and the target holds such a row: Key (id)=(1) already exists" in reports["item"]
        assert reports["other"] == ""
        assert move.query(ITEMS) == [(1, "old"), (9, "theirs")]

    def test_after_fail_another_strategy_goes_on(self, make_move: MakeMove) -> None:
        move = make_move(SOURCE, TARGET)
        move.configure(on_conflict("fail"))
        move.load()
        move.configure(on_conflict("update"))
        assert [t.error for t in move.load().tables] == [""]
        assert move.query(ITEMS) == [(1, "new"), (2, "two"), (9, "theirs")]

    def test_passes_update_whatever_the_load_does(self, make_move: MakeMove) -> None:
        move = make_move(SOURCE, "CREATE TABLE item (id bigint PRIMARY KEY, name text)")
        move.configure(on_conflict("fail"))
        move.load()
        move.execute("INSERT INTO item VALUES (3, 'early')")
        move.write("INSERT INTO item VALUES (3, 'three')")
        move.catch_up()
        assert move.query("SELECT name FROM item WHERE id = 3") == [("three",)]


class TestOtherShapes:
    @pytest.mark.parametrize(
        "target",
        [
            "CREATE TABLE item (name text, id bigint PRIMARY KEY)",
            "CREATE TABLE item (id bigint PRIMARY KEY, more int DEFAULT 7, name text, at timestamptz DEFAULT now())",
            "CREATE TABLE item (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text)",
            "CREATE TABLE item (id bigint, name text, UNIQUE (id)); ALTER TABLE item ALTER id SET NOT NULL",
            'CREATE TABLE "ITEM" ("ID" bigint PRIMARY KEY, "NAME" text);'
            'CREATE VIEW item AS SELECT "ID" AS id, "NAME" AS name FROM "ITEM"',
            "CREATE TABLE item (id bigint PRIMARY KEY, name text, long int GENERATED ALWAYS AS (length(name)) STORED)",
            "CREATE TABLE item (id bigint, name text, PRIMARY KEY (id)) PARTITION BY RANGE (id);"
            "CREATE TABLE item_all PARTITION OF item DEFAULT",
        ],
        ids=["order", "more", "identity", "unique", "case", "generated", "partitioned"],
    )
    def test_the_rows_land_by_load_and_by_pass(self, make_move: MakeMove, target: str) -> None:
        move = make_move(SOURCE, target)
        assert [t.error for t in move.load().tables if t.error] == []
        move.write("INSERT INTO item VALUES (3, 'three'), (4, x'00')")
        move.catch_up()
        assert move.query(ITEMS) == [(1, "new"), (2, "two"), (3, "three")]
        assert [(key, column.lower()) for key, _, column in move.refused()] == [("4", "name")]

    def test_a_generated_column_of_the_target_is_left_to_it(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, long INTEGER);"
            "INSERT INTO item VALUES (1, 'abc', 99)",
            "CREATE TABLE item (id bigint PRIMARY KEY, name text, long int GENERATED ALWAYS AS (length(name)) STORED)",
        )
        move.load()
        assert move.query("SELECT long FROM item") == [(3,)]

    def test_a_domain_is_guarded_as_the_type_below_it(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE item (id INTEGER PRIMARY KEY, code, day, name, n);"
            "INSERT INTO item VALUES (1, 'abc', '2024-01-01', 'x', 5), (2, 'ab   ', '2024-01-01', 'x', 5),"
            "(3, 'abc', 'now', 'x', 5), (4, 'abc', '2024-01-01', 'y', 5), (5, 'abc', '2024-01-01', 'x', '1_000')",
            "CREATE DOMAIN code AS varchar(3); CREATE DOMAIN inner_code AS code; CREATE DOMAIN day AS date;"
            "CREATE DOMAIN name_x AS text CHECK (VALUE = 'x'); CREATE DOMAIN n AS int;"
            "CREATE TABLE item (id bigint PRIMARY KEY, code inner_code, day day, name name_x, n n)",
        )
        move.load()
        assert [key for key, _, _ in move.refused()] == ["2", "3", "4", "5"]
        assert move.query("SELECT code FROM item") == [("abc",)]


class TestRefused:
    @pytest.mark.parametrize(
        ("target", "said"),
        [
            ("CREATE TABLE item (id bigint, name text)", "no primary key or NOT NULL unique key"),
            ("CREATE TABLE item (id bigint UNIQUE, name text)", "no primary key or NOT NULL unique key"),
            (
                "CREATE TABLE item (code text PRIMARY KEY, id bigint, name text)",
                "nothing fills the target's columns code, which are NOT NULL without default",
            ),
            (
                "CREATE TABLE item (code text DEFAULT '' PRIMARY KEY, id bigint, name text)",
                "not every column of the target's key (code) gets a value",
            ),
            (
                "CREATE TABLE item (id bigint PRIMARY KEY, name text, more int NOT NULL)",
                "nothing fills the target's columns more, which are NOT NULL without default",
            ),
            ("CREATE TABLE item (id bigint PRIMARY KEY)", "lacks the source's columns name"),
        ],
    )
    def test_a_target_that_does_not_fit_stops_its_table_alone(
        self, make_move: MakeMove, target: str, said: str
    ) -> None:
        move = make_move(OTHER + SOURCE, target)
        reports = {t.table: t.error for t in move.load().tables}
        assert said in reports["item"]
        assert reports["other"] == ""
        assert move.query("SELECT id FROM other") == [(1,)]
        assert move.query("SELECT count(*) FROM item") == [(0,)]

    def test_without_create_tables_a_missing_table_is_refused(self, make_move: MakeMove) -> None:
        move = make_move(OTHER + SOURCE, TARGET)
        move.configure(TOLERANT + "[target]\ncreate_tables = no\n")
        reports = {t.table: t.error for t in move.load().tables}
        assert "the target has no table other" in reports["other"]
        assert reports["item"] == ""


def test_secondary_unique_values_may_be_swapped(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, code TEXT UNIQUE, updated_at TEXT NOT NULL);"
        "INSERT INTO item VALUES (1, 'a', '2024-01-01'), (2, 'b', '2024-01-01')"
    )
    move.load()
    move.write(
        "UPDATE item SET code = 'c', updated_at = '2024-01-02' WHERE id = 1;"
        "UPDATE item SET code = 'a', updated_at = '2024-01-02' WHERE id = 2;"
        "UPDATE item SET code = 'b' WHERE id = 1"
    )
    move.catch_up()
    assert move.query("SELECT id, code FROM item ORDER BY id") == [(1, "b"), (2, "a")]


def test_an_interrupted_load_goes_on(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, v INTEGER);"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
        "INSERT INTO item SELECT i, i FROM n"
    )
    move.configure("[sync]\nbatch_rows = 100\nworkers = 1\n")
    move.load_for(batches=3)
    assert 0 < move.query("SELECT count(*) FROM item")[0][0] < 1000
    move.load()
    assert move.query("SELECT count(*), sum(v) FROM item") == [(1000, 500500)]
