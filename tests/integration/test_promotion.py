"""The form that tables keep after promotion, on real tables that were loaded."""

from collections.abc import Sequence
from contextlib import closing

import psycopg
import pytest

from syncd.engine.catchup import Catchup
from syncd.engine.cutover import ready
from syncd.engine.cutover.asked import Asked
from syncd.engine.sides import Sides
from syncd.engine.sweep import sweep
from syncd.plan import Plan
from syncd.target import promotion, replacing, sequences
from syncd.target.database import transaction
from syncd.target.sequences import Floors, SequenceSet
from tests.plugins.moving import MakeMove, Move
from tests.plugins.source import OpenWriter

FAMILY = """
CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT UNIQUE, email TEXT COLLATE NOCASE);
CREATE UNIQUE INDEX parent_email ON parent (email);
CREATE UNIQUE INDEX parent_short ON parent (code) WHERE length(code) < 3;
CREATE TABLE child (
    id INTEGER PRIMARY KEY,
    parent INTEGER REFERENCES parent ON UPDATE CASCADE ON DELETE CASCADE,
    other INTEGER REFERENCES parent ON DELETE SET NULL,
    plain INTEGER REFERENCES parent);
CREATE TABLE log (line TEXT);
INSERT INTO parent VALUES (1, 'a', 'A@x'), (2, 'b', 'b@x'), (3, 'c', 'c@x');
INSERT INTO child VALUES (10, 1, 2, 3);
INSERT INTO log VALUES ('one'), ('two');
"""


@pytest.fixture
def family(make_move: MakeMove) -> Move:
    move = make_move(FAMILY)
    move.load()
    return move


def nobody_is_in_the_way(said: str) -> None:
    raise AssertionError(said)


def planned(sides: Sides) -> Plan:
    there = sides.look_at_target()
    with sides.source.transaction() as connection:
        return sides.plan(connection, there)


def finalise(move: Move) -> Sequence[str]:
    with move.opened() as sides:
        return finalised(sides)


def finalised(sides: Sides) -> Sequence[str]:
    plan = planned(sides)
    with transaction(sides.control):
        return promotion.finalise(sides.control, sides.schema, plan.tables, nobody_is_in_the_way)


def build(sides: Sides) -> int:
    return replacing.build(sides.control, sides.schema, planned(sides).tables)


def unique_indexes(move: Move) -> dict[str, int]:
    """The file of each unique index of the table `parent` that checks at once, but for its key's."""
    return dict(
        move.query(
            "SELECT c.relname::text, c.relfilenode::bigint FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
            " WHERE i.indrelid = 'parent'::regclass AND i.indisunique AND i.indimmediate AND NOT i.indisprimary"
        )
    )


def set_sequences(move: Move, tables: Sequence[str], floors: Floors) -> tuple[SequenceSet, ...]:
    with move.opened() as sides:
        return sequences.set_all(sides.control, sides.schema, tables, floors)


def test_before_it_nothing_has_its_final_form(family: Move) -> None:
    forms = family.query(
        "SELECT DISTINCT condeferrable FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
        " AND contype IN ('f', 'u', 'x')"
    )

    assert forms == [(True,)]


def test_foreign_keys_get_the_actions_of_the_source(family: Move) -> None:
    finalise(family)

    assert family.query(
        "SELECT a.attname, confupdtype::text, confdeltype::text, condeferrable, convalidated FROM pg_constraint k"
        " JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1] WHERE contype = 'f'"
        " AND connamespace = 'public'::regnamespace ORDER BY 1"
    ) == [("other", "a", "n", False, True), ("parent", "c", "c", False, True), ("plain", "a", "a", False, True)]


def test_a_parent_takes_its_children_along_as_in_the_source(family: Move) -> None:
    finalise(family)
    family.execute("UPDATE child SET plain = NULL; DELETE FROM parent WHERE id = 2; DELETE FROM parent WHERE id = 1")

    assert family.query("SELECT count(*) FROM child") == [(0,)]


def test_unique_constraints_are_checked_at_once(family: Move) -> None:
    finalise(family)

    assert family.query(
        "SELECT count(*) FROM pg_constraint WHERE condeferrable AND connamespace = 'public'::regnamespace"
    ) == [(0,)]
    family.execute("INSERT INTO parent (code) VALUES ('a') ON CONFLICT (code) DO NOTHING")


@pytest.mark.parametrize("row", ["'zz', 'a@X'", "'a', 'new@x'"])
def test_a_unique_index_stands_where_an_exclusion_stood(family: Move, row: str) -> None:
    finalise(family)

    assert family.query("SELECT count(*) FROM pg_constraint WHERE contype = 'x'") == [(0,)]
    assert family.query(
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE i.indisunique AND i.indimmediate AND c.relname LIKE 'parent_%' ORDER BY 1"
    ) == [("parent_code_key",), ("parent_email",), ("parent_pkey",), ("parent_short",)]
    with pytest.raises(psycopg.errors.UniqueViolation):
        family.execute(f"INSERT INTO parent (code, email) VALUES ({row})")


def test_indexes_that_were_built_before_take_the_places(family: Move) -> None:
    with family.opened() as sides:
        assert build(sides) == 3
        before = unique_indexes(family)
        assert build(sides) == 3
        finalised(sides)

    after = unique_indexes(family)
    assert after.keys() == {"parent_code_key", "parent_email", "parent_short"}
    assert sorted(after.values()) == sorted(before.values())
    assert family.query("SELECT count(*) FROM pg_constraint WHERE condeferrable OR contype = 'x'") == [(0,)]
    with pytest.raises(psycopg.errors.UniqueViolation):
        family.execute("INSERT INTO parent (code, email) VALUES ('zz', 'a@X')")


def test_rows_that_swap_values_land_beside_them(family: Move, open_writer: OpenWriter) -> None:
    writer = open_writer(family.source)
    with family.opened() as sides, closing(Catchup(sides)) as catchup:
        build(sides)
        writer.execute("UPDATE parent SET code = 'x', email = 'x@x' WHERE id = 1")
        writer.execute("UPDATE parent SET code = 'a', email = 'a@X' WHERE id = 2")
        writer.execute("UPDATE parent SET code = 'b', email = 'B@x' WHERE id = 1")
        sweep(sides, catchup)
        assert len(unique_indexes(family)) == 3

    assert family.query("SELECT id, code, email FROM parent ORDER BY id") == [
        (1, "b", "B@x"), (2, "a", "a@X"), (3, "c", "c@x"),
    ]  # fmt: skip
    assert family.query("SELECT count(*) FROM syncd.reject") == [(0,)]


def test_none_is_built_where_rows_that_swap_values_could_not_be_moved(family: Move) -> None:
    family.execute("CREATE TABLE note (parent bigint REFERENCES parent ON DELETE CASCADE)")

    with family.opened() as sides:
        assert build(sides) == 0
        finalised(sides)

    assert unique_indexes(family).keys() == {"parent_code_key", "parent_email", "parent_short"}


def test_what_no_promotion_came_for_goes_with_the_next_start(family: Move) -> None:
    with family.opened() as sides, closing(psycopg.connect(family.dsn)) as reader:
        build(sides)
        reader.execute("SELECT count(*) FROM parent")
        replacing.discard(sides.control, sides.schema, {"parent"})
        assert len(unique_indexes(family)) == 3

    with family.opened():
        assert unique_indexes(family) == {}

    test_before_it_nothing_has_its_final_form(family)


def test_those_of_another_source_stay(family: Move) -> None:
    with family.opened() as sides:
        build(sides)
        replacing.discard(sides.control, sides.schema, {"child"})

        assert len(unique_indexes(family)) == 3
        assert sides.control.execute("SHOW lock_timeout").fetchall() == [("1min",)]


def test_one_that_a_crash_left_half_built_is_built_anew(family: Move) -> None:
    ((oid,),) = family.query("SELECT oid FROM pg_constraint WHERE conname = 'parent_code_key'")
    with family.opened() as sides:
        with pytest.raises(psycopg.errors.UniqueViolation):
            family.execute(f"CREATE UNIQUE INDEX CONCURRENTLY syncd_final_{oid} ON parent ((1))")
        assert build(sides) == 3
        finalised(sides)

    with pytest.raises(psycopg.errors.UniqueViolation, match="parent_code_key"):
        family.execute("INSERT INTO parent (id, code) VALUES (7, 'a')")


def test_those_for_which_a_reader_lets_us_wait_are_left_to_the_promotion(
    family: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replacing, "_PATIENCE", "100ms")
    with family.opened() as sides:
        with closing(psycopg.connect(family.dsn)) as reader:
            reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            reader.execute("SELECT count(*) FROM parent")
            assert build(sides) == 0
            assert len(unique_indexes(family)) <= 1
            (parent,) = (table for table in planned(sides).tables if table.target == "parent")
            assert replacing.left_to_promotion(sides.control, sides.schema, parent) == 3
        finalised(sides)

    assert unique_indexes(family).keys() == {"parent_code_key", "parent_email", "parent_short"}


def test_without_the_right_to_create_the_ready_check_says_so(family: Move) -> None:
    with family.opened() as sides, closing(Catchup(sides)) as catchup:
        sides.control.execute("CREATE ROLE poor")
        try:
            sides.control.execute(
                "GRANT USAGE ON SCHEMA public, syncd TO poor; GRANT ALL ON ALL TABLES IN SCHEMA syncd, public TO poor;"
                "REVOKE CREATE ON SCHEMA public FROM public"
            )
            last, plan = catchup.run(), planned(sides)
            sides.control.execute("SET ROLE poor")
            said = [one.said for one in ready.look(sides, plan, Asked(), last, ()).obstacles]
        finally:
            sides.control.execute("RESET ROLE; DROP OWNED BY poor; DROP ROLE poor")

    assert [one for one in said if one.startswith("no right to create in the schema public")]


def test_the_key_of_our_own_goes(family: Move) -> None:
    finalise(family)

    assert family.query("SELECT * FROM log ORDER BY 1") == [("one",), ("two",)]


def test_a_second_time_it_does_nothing(family: Move) -> None:
    assert finalise(family)

    assert finalise(family) == ()


def test_it_is_undone_with_its_transaction(family: Move) -> None:
    with family.opened() as sides:
        plan = planned(sides)
        sides.control.execute("BEGIN")
        promotion.finalise(sides.control, sides.schema, plan.tables, nobody_is_in_the_way)
        sides.control.execute("ROLLBACK")

    test_before_it_nothing_has_its_final_form(family)
    assert family.query("SELECT count(_syncd_rowid) FROM log") == [(2,)]


def test_a_table_that_was_there_is_left_as_it_is(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT UNIQUE)",
        "CREATE TABLE t (id bigint PRIMARY KEY, v text UNIQUE DEFERRABLE)",
    )
    move.load()

    assert finalise(move) == ()


def test_the_next_id_follows_the_largest(family: Move) -> None:
    done = set_sequences(family, ["parent", "child"], {})

    assert {one.table: one.value for one in done} == {"parent": 3, "child": 10}
    family.execute("INSERT INTO parent (code) VALUES ('d')")
    assert family.query("SELECT max(id) FROM parent") == [(4,)]


def test_the_next_id_follows_the_counter_of_the_source(family: Move) -> None:
    set_sequences(family, ["parent"], {("parent", "id"): 40})
    family.execute("INSERT INTO parent (code) VALUES ('d')")

    assert family.query("SELECT max(id) FROM parent") == [(41,)]


def test_a_sequence_is_never_set_back_and_none_of_its_values_is_used_up(family: Move) -> None:
    for _ in range(3):
        set_sequences(family, ["parent"], {("parent", "id"): 40})
    set_sequences(family, ["parent"], {})
    family.execute("INSERT INTO parent (code) VALUES ('d')")

    assert family.query("SELECT max(id) FROM parent") == [(41,)]


def test_an_empty_table_begins_at_one(make_move: MakeMove) -> None:
    move = make_move("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT)")
    move.load()
    set_sequences(move, ["t"], {})
    move.execute("INSERT INTO t (v) VALUES ('first')")

    assert move.query("SELECT id FROM t") == [(1,)]


def test_serials_and_shared_sequences_of_existing_tables_are_set(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (id INTEGER PRIMARY KEY);"
        "CREATE TABLE c (id INTEGER PRIMARY KEY); INSERT INTO a VALUES (5); INSERT INTO b VALUES (9);"
        "INSERT INTO c VALUES (7)",
        'CREATE SEQUENCE "the ids";'
        "CREATE TABLE a (id bigint PRIMARY KEY DEFAULT nextval('\"the ids\"'));"
        "CREATE TABLE b (id bigint PRIMARY KEY DEFAULT nextval('\"the ids\"'));"
        "CREATE TABLE c (id serial PRIMARY KEY)",
    )
    move.load()
    set_sequences(move, ["a", "b", "c"], {})
    move.execute("INSERT INTO a DEFAULT VALUES; INSERT INTO c DEFAULT VALUES")

    assert move.query("SELECT max(id) FROM a") == [(10,)]
    assert move.query("SELECT max(id) FROM c") == [(8,)]


def test_statistics_are_made_anew_where_the_rows_changed(family: Move) -> None:
    with family.opened() as sides:
        tables = ["parent", "child", "log"]
        promotion.analyze(sides.control, "public", tables)

        assert promotion.analyze(sides.control, "public", tables) == ()


def test_a_table_of_somebody_else_is_told(family: Move) -> None:
    family.execute("CREATE ROLE promotion_guest; CREATE ROLE promotion_owner")
    try:
        family.execute("ALTER TABLE log OWNER TO promotion_owner")
        with family.opened() as sides:
            sides.control.execute("SET ROLE promotion_guest")
            found = promotion.not_owned(sides.control, "public", ["log", "parent"])
        assert sorted(found) == ["log", "parent"]
    finally:
        family.execute("ALTER TABLE log OWNER TO CURRENT_USER; DROP ROLE promotion_guest, promotion_owner")
