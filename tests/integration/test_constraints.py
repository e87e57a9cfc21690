"""What a created table carries beside columns and key, and the list of what it does not."""

import psycopg
import pytest

from syncd.plan import Plan, TablePlan
from syncd.plan.translate import column_term, condition
from syncd.target import ddl
from tests.plugins.moving import MakeMove, Move

CONSTRAINTS = (
    "SELECT conname::text, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE conrelid = 'item'::regclass AND contype = '{}' ORDER BY conname"
)
INDEXES = (
    "SELECT replace(indexdef, ' ON public.item USING btree', '') FROM pg_indexes WHERE tablename = 'item'"
    " AND indexname NOT LIKE '%_pkey' ORDER BY indexname"
)
EVENTS = "SELECT detail FROM syncd.event WHERE event = 'constraint_not_created' ORDER BY detail"


def planned(move: Move) -> Plan:
    with move.opened() as sides, sides.source.transaction() as connection:
        return sides.plan(connection, sides.look_at_target())


def item(move: Move) -> TablePlan:
    table = planned(move).table("item")
    assert table is not None
    return table


def not_carried(move: Move) -> dict[str, str]:
    return {skipped.name: skipped.reason for skipped in item(move).not_carried}


class TestDefaults:
    def test_a_row_of_defaults_is_the_same_on_both_sides(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT DEFAULT 'it''s', word TEXT DEFAULT word, n INT"
            " DEFAULT -7, price NUMERIC(6,2) DEFAULT 1.5, ratio REAL DEFAULT 1e-3, active BOOLEAN NOT NULL DEFAULT 1,"
            " raw BLOB DEFAULT x'00ff', day DATE DEFAULT '2024-02-29', none TEXT DEFAULT NULL)"
        )
        move.load()
        move.execute("INSERT INTO item (id) VALUES (1)")
        move.write("INSERT INTO item (id) VALUES (2)")
        move.catch_up()
        one, two = move.query("SELECT * FROM item ORDER BY id")
        assert one[1:] == two[1:]
        assert one[7] == b"\x00\xff"

    def test_the_present_moment_is_that_of_utc(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE item (id INTEGER PRIMARY KEY, a DATETIME DEFAULT CURRENT_TIMESTAMP, b TEXT DEFAULT"
            " (datetime('now')), c DATE DEFAULT CURRENT_DATE, d INTEGER DEFAULT (strftime('%s', 'now')),"
            " e TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')))"
        )
        move.load()
        with psycopg.connect(move.dsn, options="-c timezone=Asia/Tokyo") as connection:
            connection.execute("INSERT INTO item (id) VALUES (1)")
        assert move.query(
            "SELECT bool_and(abs(extract(epoch FROM moment::timestamp - now()::timestamp)) < 60), count(*) FROM item,"
            " LATERAL (VALUES (a::text), (b), (to_timestamp(d)::timestamp::text), (e)) AS v (moment)"
        ) == [(True, 4)]
        assert move.query("SELECT c - current_date BETWEEN -1 AND 1, e ~ 'T.*[.]...Z$' FROM item") == [(True, True)]

    def test_defaults_do_not_replace_null(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE item (id INTEGER PRIMARY KEY, n INT DEFAULT 5); INSERT INTO item VALUES (1, NULL)"
        )
        move.load()
        assert move.query("SELECT n FROM item") == [(None,)]

    def test_what_does_not_fit_is_listed(self, make_move: MakeMove) -> None:
        move = make_move("CREATE TABLE item (id INTEGER PRIMARY KEY, n INT DEFAULT '', r TEXT DEFAULT (random()))")
        assert not_carried(move) == {
            "item.n": "a default (it does not fit bigint): DEFAULT ''",
            "item.r": "a default (RANDOM()): DEFAULT random()",
        }


class TestChecks:
    def test_they_come_along_and_hold(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE item (id INTEGER PRIMARY KEY, n INT CHECK (n > 0) CHECK (n < 100), active BOOLEAN"
            " CONSTRAINT flag CHECK (active IN (0, 1)), [odd name] TEXT CHECK (length([odd name]) < 5),"
            ' CONSTRAINT "it\'s odd" CHECK (active = 0 OR n IS NOT NULL), CHECK (n <> 13)) STRICT'.replace(
                "BOOLEAN", "INTEGER"
            )
        )
        move.load()
        names = [name for name, _ in move.query(CONSTRAINTS.format("c"))]
        expected = ["flag", "it's odd", "item_check", "item_n_check", "item_n_check1", "item_odd name_check"]
        assert sorted(names) == sorted(expected)
        with pytest.raises(psycopg.errors.CheckViolation):
            move.execute("INSERT INTO item VALUES (1, 0, 0, 'a')")

    def test_the_types_may_say_as_much(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE item (id INTEGER PRIMARY KEY, active BOOLEAN CHECK (active IN (0, 1)),"
            " n INTEGER NOT NULL CHECK (typeof(n) = 'integer' AND n > 0))"
        )
        move.load()
        assert move.query(CONSTRAINTS.format("c")) == [("item_n_check", "CHECK ((n > 0))")]
        fulfilled = "a check that the column's type fulfils: CHECK (active IN (0, 1))"
        assert not_carried(move) == {"item.item_active_check": fulfilled}

    def test_one_that_rows_violate_is_left_out_and_they_land(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE item (id INTEGER PRIMARY KEY, n INT CHECK (n > 0)); PRAGMA ignore_check_constraints = on;"
            "INSERT INTO item VALUES (1, -1)"
        )
        assert [t.error for t in move.load().tables] == [""]
        assert move.query("SELECT n FROM item") == [(-1,)]
        ((detail,),) = move.query(EVENTS)
        assert "violated by some row" in detail
        assert detail.endswith('ADD CONSTRAINT "item_n_check" CHECK ("n" > 0)')

    def test_one_that_fails_on_a_row_is_left_out(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE item (id INTEGER PRIMARY KEY, n INT, CHECK (n * n > 0));"
            "INSERT INTO item VALUES (1, 9223372036854775807)"
        )
        assert [t.error for t in move.load().tables] == [""]
        ((detail,),) = move.query(EVENTS)
        assert "bigint out of range" in detail

    def test_one_that_cannot_be_said_is_listed(self, make_move: MakeMove) -> None:
        move = make_move("CREATE TABLE item (id INTEGER PRIMARY KEY, code TEXT CHECK (code GLOB '[A-Z]*'))")
        reason = "a check (code GLOB '[A-Z]*'): CHECK (code GLOB '[A-Z]*')"
        assert not_carried(move) == {"item.item_code_check": reason}

    def test_changes_obey_them_too(self, make_move: MakeMove) -> None:
        move = make_move("CREATE TABLE item (id INTEGER PRIMARY KEY, n INT CHECK (n > 0))")
        move.load()
        move.write("PRAGMA ignore_check_constraints = on; INSERT INTO item VALUES (1, 0), (2, 2)")
        move.catch_up()
        assert move.query("SELECT id FROM item") == [(2,)]
        assert move.refused() == [("1", "check", "n")]


class TestIndexes:
    def test_partial_and_expression_indexes(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE item (id INTEGER PRIMARY KEY, a TEXT, n INT, gone DATE);"
            "CREATE INDEX by_n ON item (n DESC, a) WHERE gone IS NULL;"
            "CREATE INDEX by_sum ON item (n + 1, lower(a) DESC);"
            "CREATE UNIQUE INDEX one_a ON item (a) WHERE n = 1;"
            "CREATE UNIQUE INDEX one_upper ON item (upper(a))"
        )
        move.load()
        assert [text for (text,) in move.query(INDEXES)] == [
            "CREATE INDEX by_n (n DESC, a) WHERE (gone IS NULL)",
            'CREATE INDEX by_sum (((n + 1)), lower((a COLLATE "C")) DESC)',
            "CREATE INDEX one_a (a) WHERE (n = 1)",
            'CREATE INDEX one_upper (upper((a COLLATE "C")))',
        ]
        assert move.query(CONSTRAINTS.format("x")) == [
            ("one_a", "EXCLUDE USING btree (a WITH =) WHERE ((n = 1)) DEFERRABLE INITIALLY DEFERRED"),
            ("one_upper", 'EXCLUDE USING btree (upper((a COLLATE "C")) WITH =) DEFERRABLE INITIALLY DEFERRED'),
        ]
        assert not_carried(move) == {}

    def test_those_that_cannot_be_said_are_listed_with_their_sql(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE item (id INTEGER PRIMARY KEY, a TEXT); CREATE INDEX i ON item (hex(a));"
            "CREATE INDEX p ON item (a) WHERE a GLOB 'x*'"
        )
        left = not_carried(move)
        assert left["item.i"].endswith("): CREATE INDEX i ON item (hex(a))")
        assert left["item.p"] == "a partial index (a GLOB 'x*'): CREATE INDEX p ON item (a) WHERE a GLOB 'x*'"

    def test_text_that_is_too_long_for_an_index_lands(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE item (id INTEGER PRIMARY KEY, a TEXT); CREATE INDEX by_a ON item (a);"
            "INSERT INTO item VALUES (1, hex(randomblob(20000)))"
        )
        assert [t.error for t in move.load().tables] == [""]
        ((detail,),) = move.query(EVENTS)
        assert "maximum size" in detail

    def test_rows_swap_the_values_of_a_unique_index(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE item (id INTEGER PRIMARY KEY, a TEXT, updated_at DATETIME NOT NULL);"
            "CREATE UNIQUE INDEX one ON item (lower(a));"
            "INSERT INTO item VALUES (1, 'x', '2024-01-01 00:00:00'), (2, 'y', '2024-01-01 00:00:00')"
        )
        move.load()
        move.write(
            "UPDATE item SET a = 'z', updated_at = '2024-01-02 00:00:00' WHERE id = 1;"
            "UPDATE item SET a = 'X', updated_at = '2024-01-02 00:00:00' WHERE id = 2;"
            "UPDATE item SET a = 'Y', updated_at = '2024-01-02 00:00:00' WHERE id = 1"
        )
        for _ in range(3):
            move.catch_up()
        assert move.query("SELECT a FROM item ORDER BY id") == [("Y",), ("X",)]
        assert move.rejects() == ()


class TestCollations:
    def test_what_sqlite_calls_equal_is_equal(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE item (code TEXT COLLATE NOCASE PRIMARY KEY, email TEXT UNIQUE COLLATE NOCASE, tag TEXT);"
            "CREATE INDEX by_tag ON item (tag COLLATE NOCASE); CREATE UNIQUE INDEX one_tag ON item (tag COLLATE RTRIM);"
            "INSERT INTO item VALUES ('a', 'É', 't'), ('b', 'é', 'T')"
        )
        assert [t.error for t in move.load().tables] == [""]
        assert [text for (text,) in move.query(INDEXES)] == [
            'CREATE INDEX by_tag (lower((tag COLLATE "C")))',
            'CREATE INDEX item_code_key (lower((code COLLATE "C")))',
            'CREATE INDEX item_email_key (lower((email COLLATE "C")))',
            "CREATE INDEX one_tag (rtrim(tag))",
        ]
        for values in ("('A', 'x', 'x')", "('x', 'É', 'x')", "('x', 'x', 't ')"):
            with pytest.raises(psycopg.errors.ExclusionViolation):
                move.execute(f"INSERT INTO item VALUES {values}")
        assert list(not_carried(move)) == ["item.code", "item.email"]

    def test_a_key_that_changes_its_case_moves(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE item (code TEXT PRIMARY KEY COLLATE NOCASE, n INT); INSERT INTO item VALUES ('a', 1)"
        )
        move.load()
        move.write("INSERT INTO item VALUES ('B', 2)")
        move.catch_up()
        assert move.query("SELECT code, n FROM item ORDER BY n") == [("a", 1), ("B", 2)]

    def test_no_foreign_key_names_such_a_key(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE parent (code TEXT PRIMARY KEY COLLATE NOCASE);"
            "CREATE TABLE item (id INTEGER PRIMARY KEY, code TEXT REFERENCES parent ON DELETE CASCADE);"
            "INSERT INTO parent VALUES ('a'); INSERT INTO item VALUES (1, 'A')"
        )
        assert [t.error for t in move.load().tables] == ["", ""]
        assert move.query(CONSTRAINTS.format("f")) == []
        reason = not_carried(move)["item (code) references parent"]
        assert reason.startswith("the parent's key ignores case")
        assert reason.endswith("FOREIGN KEY (code) REFERENCES parent ON UPDATE NO ACTION ON DELETE CASCADE")


def test_the_primary_key_stays_unique_beside_another_key(make_move: MakeMove) -> None:
    move = make_move("CREATE TABLE item (id INTEGER PRIMARY KEY, code TEXT NOT NULL); INSERT INTO item VALUES (1, 'a')")
    move.configure("[table:item]\nkey = code\n")
    move.load()
    assert move.query(CONSTRAINTS.format("p")) == [("item_pkey", "PRIMARY KEY (code)")]
    assert [name for name, _ in move.query(CONSTRAINTS.format("u"))] == ["item_id_key"]


def test_two_foreign_keys_over_one_column_are_two(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE q (id INTEGER PRIMARY KEY);"
        "CREATE TABLE item (id INTEGER PRIMARY KEY, r INTEGER REFERENCES p REFERENCES q (id))"
    )
    move.load()
    assert len(move.query(CONSTRAINTS.format("f"))) == 2


def test_all_else_is_listed_with_its_sql(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, n INT, twice INT AS (n * 2) STORED);"
        "CREATE TRIGGER stamp AFTER INSERT ON ITEM BEGIN SELECT 1; END; CREATE VIEW v AS SELECT n FROM item;"
        "CREATE TRIGGER into_v INSTEAD OF INSERT ON v BEGIN SELECT 1; END"
    )
    assert not_carried(move) == {
        "item.twice": "a generated column, whose values are carried: AS (n * 2)",
        "item.stamp": "a trigger: CREATE TRIGGER stamp AFTER INSERT ON ITEM BEGIN SELECT 1; END",
    }
    skipped = {s.name: s.reason for s in planned(move).skipped}
    assert skipped["view v"] == "a view: CREATE VIEW v AS SELECT n FROM item"
    assert skipped["v.into_v"].startswith("a trigger of a view: CREATE TRIGGER into_v")


def test_the_statements_for_people_make_what_a_load_makes(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, a TEXT NOT NULL DEFAULT 'x' UNIQUE, n INT CHECK (n > 0) REFERENCES"
        " item); CREATE INDEX by_n ON item (n DESC) WHERE n > 1;"
        "CREATE UNIQUE INDEX one ON item (n DESC, a) WHERE n > 2;"
        "CREATE TABLE other (a TEXT)"
    )
    statements = ddl.statements(planned(move), "public")
    assert statements[-1].startswith('ALTER TABLE "public"."item" ADD CONSTRAINT "item_n_fkey" FOREIGN KEY')
    assert (
        'CREATE TABLE IF NOT EXISTS "public"."item" (\n'
        '    "id" bigint NOT NULL GENERATED BY DEFAULT AS IDENTITY,\n'
        "    \"a\" text NOT NULL DEFAULT 'x',\n"
        '    "n" bigint\n'
        ")"
    ) in statements
    definitions = [INDEXES, *(CONSTRAINTS.format(kind) for kind in "pucfx")]
    for statement in statements:
        move.execute(statement)
    by_hand = [move.query(query) for query in definitions]
    assert all(by_hand)
    move.reset()
    move.load()
    assert [move.query(query) for query in definitions] == by_hand


CONDITIONS = (
    "n > 1", "n % 2 = 1", "n / 2 = 1", "-n / 2 = -1", "n / (n - 1) > 0", "n IN (1, NULL)", "n NOT IN (1, 3)", "n",
    "n BETWEEN 1 AND 2", "n IS NOT 1", "NOT n IS NULL", "(n IS NULL) + (active = 1) = 1", "n & 1", "abs(n - 2) < 2",
    "ratio * 3 = 0.3", "ratio * 3 > n", "price * 3 = 0.3", "price + 0.2 = 0.3", "price = 0.1", "price / 3.0 < n",
    "name = 'a'", "name < 'b'", "name >= 'É'", "name LIKE 'A%'", "name LIKE 'é%'", "name LIKE '\\%'",
    "lower(name) = name",
    "name LIKE 'a!_%' ESCAPE '!'", "length(name) > 1", "substr(name, 2, 1) = '_'", "name || n = 'a1'",
    "trim(name) = 'a'",
    "name = 'A' COLLATE NOCASE", "email = 'A'", "email = name", "name = email", "email < 'B'", "email IN ('A', 'É')",
    "email BETWEEN 'A' AND 'C'", "coalesce(email, name, 'a') = 'a'", "instr(name, '%') > 0", "name IS email",
    "active = 1", "active <> 1", "active IN (0, 1)", "coalesce(active, 0) = 0", "NOT active", "active IS NOT 1",
    "active OR n > 1", "active AND name = 'a' OR n = 3", "iif(active, n, 0) > 1", "active < 1", "active = (n = 1)",
    "day >= '2024-01-31'", "day < '2024-02-01' AND n > 0", "coalesce(day, '9999-12-31') > '2024-02-01'",
    "at >= '2024-01-31'", "at < '2024-01-31'", "at <= '2024-01-31 12:00:00'", "typeof(n) = 'integer'",
    "typeof(name) IN ('text', 'null')", "typeof(raw) = 'blob'", "raw = x'00'", "CASE n WHEN 1 THEN 'a' END = name",
    "CASE WHEN n > 1 THEN price ELSE 0 END > 0", "nullif(name, 'a') IS NULL", "round(price, 1) = price",
)  # fmt: skip
SAMPLE = """
CREATE TABLE item (id INTEGER PRIMARY KEY, n INTEGER, price NUMERIC(9,3), ratio REAL, name TEXT, email TEXT
    COLLATE NOCASE, active BOOLEAN, day DATE, at DATETIME, raw BLOB);
INSERT INTO item (n, price, ratio, name, email, active, day, at, raw) VALUES
    (1, 0.1, 0.1, 'a', 'A', 1, '2024-01-31', '2024-01-31 00:00:00', x'00'),
    (2, 3, 2.5, 'B', 'b', 0, '2024-02-01', '2024-01-31 12:00:00', x''),
    (3, 0.125, -1e9, 'É', 'é', NULL, NULL, '2024-01-30 23:59:59', NULL),
    (-1, -7.25, 0.0, 'a_%\\', 'a_', 1, '1999-12-31', '2024-02-01 00:00:00', x'00ff'),
    (0, 0, 1.0, '', '', 0, '2024-02-29', '2024-01-31 12:00:01', x'01'),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (1, 99.999, 0.3, ' a ', 'a1', 0, '9999-12-31', NULL, x'00'),
    (9, 2, 3.0, 'A', 'a', 1, NULL, '2024-12-31 00:00:00', x'00');
"""


def test_translated_conditions_judge_every_row_as_sqlite_does(make_move: MakeMove) -> None:
    move = make_move(SAMPLE)
    move.load()
    table = item(move)
    scope = {
        source.name: column_term(there.name, there.type, there.affinity, source.collation, not_null=False)
        for source, there in zip(table.source.columns, table.columns, strict=True)
    }
    for sqlite in CONDITIONS:
        translated = condition(sqlite, scope)
        ours = [row[0] for row in move.query(f"SELECT ({translated})::text FROM item ORDER BY id")]
        theirs = move.read(
            f"SELECT iif({sqlite}, 'true', iif(({sqlite}) IS NULL, NULL, 'false')) FROM item ORDER BY id"
        )
        assert ours == [row[0].decode() if row[0] else None for row in theirs], f"{sqlite}: {translated}"
