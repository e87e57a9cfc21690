"""Rows and their parents: keys that the source violates, enforces or leaves to the target, chains and cycles."""

import pytest

from syncd.target import ddl
from tests.plugins.moving import TOLERANT, MakeMove, Move

ENFORCED = TOLERANT + "[target]\nforeign_keys = enforce\n"
KEYS = (
    "SELECT conname::text FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace ORDER BY 1"
)
EVENTS = "SELECT table_name, detail FROM syncd.event WHERE event = 'foreign_key_not_created'"
CHAIN = """
CREATE TABLE country (id INTEGER PRIMARY KEY);
CREATE TABLE city (id INTEGER PRIMARY KEY, country INTEGER REFERENCES country);
CREATE TABLE street (id INTEGER PRIMARY KEY, city INTEGER REFERENCES city (id));
"""


def test_a_key_that_the_source_keeps_is_created(make_move: MakeMove) -> None:
    move = make_move(CHAIN + "INSERT INTO country VALUES (1); INSERT INTO city VALUES (1, 1), (2, NULL)")
    move.load()
    assert move.query(KEYS) == [("city_country_fkey",), ("street_city_fkey",)]


def test_a_key_that_the_source_violates_is_left_out_with_the_count(make_move: MakeMove) -> None:
    move = make_move(CHAIN + "INSERT INTO city VALUES (1, 7), (2, 8), (3, NULL)")
    move.load()
    assert move.query("SELECT count(*) FROM city") == [(3,)]
    assert move.query(KEYS) == [("street_city_fkey",)]
    ((table, detail),) = move.query(EVENTS)
    assert table == "city"
    assert detail.startswith("city.city_country_fkey: 2 rows without a parent")


def test_a_key_that_was_left_out_is_created_by_the_next_load_once_its_rows_obey_it(make_move: MakeMove) -> None:
    move = make_move(CHAIN + "INSERT INTO city VALUES (1, 7), (2, 8), (3, NULL)")
    move.load()
    move.write("INSERT INTO country VALUES (7)")
    move.catch_up()
    move.load()
    assert move.query(KEYS) == [("street_city_fkey",)]
    with move.opened() as sides:
        there = sides.look_at_target()
        with sides.source.transaction() as connection:
            plan = sides.plan(connection, there)
        assert [ddl.lacking(sides.control, sides.schema, table) for table in plan.tables] == [
            (), ("city_country_fkey",), (),
        ]  # fmt: skip
    move.write("INSERT INTO country VALUES (8)")
    move.catch_up()
    move.load()
    assert move.query(KEYS) == [("city_country_fkey",), ("street_city_fkey",)]
    assert len(move.query(EVENTS)) == 1


class TestEnforced:
    @pytest.fixture
    def move(self, make_move: MakeMove) -> Move:
        """A chain whose first parent is missing, loaded."""
        move = make_move(CHAIN + "INSERT INTO city VALUES (1, 7), (2, NULL); INSERT INTO street VALUES (1, 1), (2, 2)")
        move.configure(ENFORCED)
        move.load()
        return move

    def test_orphans_are_refused_through_the_chain(self, move: Move) -> None:
        assert move.refused("city") == [("1", "orphan", "country")]
        assert move.refused("street") == [("1", "orphan", "city")]
        assert move.query("SELECT id FROM street") == [(2,)]

    def test_the_message_names_the_missing_parent(self, move: Move) -> None:
        (reject,) = move.rejects("city")
        assert '(country)=(7) is not present in table "country"' in reject.message

    def test_the_arriving_parent_lets_all_of_the_chain_land(self, move: Move) -> None:
        move.write("INSERT INTO country VALUES (7)")
        move.catch_up()
        assert move.query("SELECT id FROM street ORDER BY id") == [(1,), (2,)]
        assert move.rejects() == ()

    def test_a_new_orphan_waits_and_lands_later(self, move: Move) -> None:
        move.write("INSERT INTO street VALUES (3, 9)")
        move.catch_up()
        assert ("3", "orphan", "city") in move.refused("street")
        move.write("INSERT INTO country VALUES (9); INSERT INTO city VALUES (9, 9)")
        move.catch_up()
        assert move.query("SELECT id FROM street ORDER BY id") == [(2,), (3,)]


class TestExistingKey:
    TARGET = """
    CREATE TABLE ticker (name text PRIMARY KEY);
    CREATE TABLE detail (id bigint PRIMARY KEY, ticker text NOT NULL REFERENCES ticker);
    """
    SOURCE = """
    CREATE TABLE ticker (name TEXT PRIMARY KEY); CREATE TABLE detail (id INTEGER PRIMARY KEY, ticker TEXT);
    INSERT INTO ticker VALUES ('A'), ('B'); INSERT INTO detail VALUES (1, 'A'), (2, 'Z'), (3, 'B'), (4, NULL);
    """

    @pytest.fixture
    def move(self, make_move: MakeMove) -> Move:
        move = make_move(self.SOURCE, self.TARGET)
        move.load()
        return move

    def test_orphans_are_refused_and_the_others_land(self, move: Move) -> None:
        assert move.refused() == [("2", "orphan", "ticker"), ("4", "not null", "ticker")]
        assert move.query("SELECT id FROM detail ORDER BY id") == [(1,), (3,)]

    def test_an_orphan_lands_when_its_parent_arrives(self, move: Move) -> None:
        move.write("INSERT INTO ticker VALUES ('Z')")
        move.catch_up()
        assert move.refused() == [("4", "not null", "ticker")]
        assert move.query("SELECT id FROM detail ORDER BY id") == [(1,), (2,), (3,)]

    def test_an_orphan_lands_when_its_parent_is_added_on_the_targets_side(self, move: Move) -> None:
        move.execute("INSERT INTO ticker VALUES ('Z')")
        move.catch_up()
        assert move.query("SELECT id FROM detail ORDER BY id") == [(1,), (2,), (3,)]

    def test_parent_and_child_of_one_pass_land_together(self, move: Move) -> None:
        move.write("INSERT INTO detail VALUES (5, 'N'); INSERT INTO ticker VALUES ('N')")
        move.catch_up()
        assert move.query("SELECT ticker FROM detail WHERE id = 5") == [("N",)]


CYCLE = """
CREATE TABLE person (id INTEGER PRIMARY KEY, chief INTEGER REFERENCES person (id), team INTEGER REFERENCES team (id));
CREATE TABLE team (id INTEGER PRIMARY KEY, leader INTEGER REFERENCES person (id));
INSERT INTO person VALUES (1, 2, 1), (2, 2, 1), (3, NULL, 2);
INSERT INTO team VALUES (1, 2), (2, 3);
"""
CYCLE_KEYS = [("person_chief_fkey",), ("person_team_fkey",), ("team_leader_fkey",)]


def test_cycles_and_self_references_are_created_and_kept(make_move: MakeMove) -> None:
    move = make_move(CYCLE)
    move.load()
    assert move.query(KEYS) == CYCLE_KEYS
    move.write("INSERT INTO person VALUES (4, 5, 3), (5, 4, 3); INSERT INTO team VALUES (3, 4)")
    move.catch_up()
    assert move.query("SELECT id FROM person ORDER BY id") == [(1,), (2,), (3,), (4,), (5,)]
    assert move.rejects() == ()


def test_an_enforced_cycle_lands_whole(make_move: MakeMove) -> None:
    move = make_move(CYCLE)
    move.configure(ENFORCED)
    assert [t.error for t in move.load().tables if t.error] == []
    move.catch_up()
    move.catch_up()
    assert move.query("SELECT id FROM person ORDER BY id") == [(1,), (2,), (3,)]
    assert move.query("SELECT id FROM team ORDER BY id") == [(1,), (2,)]
    assert move.rejects() == ()


def test_a_self_reference_of_an_existing_table_lands(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE node (id INTEGER PRIMARY KEY, parent INTEGER); INSERT INTO node VALUES (1, 3), (2, 1), (3, NULL)",
        "CREATE TABLE node (id bigint PRIMARY KEY, parent bigint REFERENCES node)",
    )
    move.load()
    move.catch_up()
    assert move.query("SELECT id FROM node ORDER BY id") == [(1,), (2,), (3,)]
    assert move.rejects() == ()


def test_a_composite_key_is_one_key(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE p (a TEXT, b INTEGER, PRIMARY KEY (a, b));"
        "CREATE TABLE c (id INTEGER PRIMARY KEY, y INTEGER, x TEXT, FOREIGN KEY (x, y) REFERENCES p);"
        "INSERT INTO p VALUES ('a', 1); INSERT INTO c VALUES (1, 1, 'a'), (2, NULL, 'zzz')"
    )
    move.load()
    assert move.query("SELECT conkey, confkey FROM pg_constraint WHERE conname = 'c_x_y_fkey'") == [([3, 2], [1, 2])]


@pytest.mark.parametrize(
    "reference",
    ["REFERENCES nowhere (id)", "REFERENCES p (missing)", "REFERENCES p (name)", "REFERENCES keyless"],
)
def test_a_key_that_cannot_be_is_left_out_and_its_rows_land(make_move: MakeMove, reference: str) -> None:
    move = make_move(
        f"CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE keyless (id INTEGER);"
        f"CREATE TABLE c (id INTEGER PRIMARY KEY, parent {reference}); INSERT INTO c VALUES (1, 1)"
    )
    assert [t.error for t in move.load().tables if t.error] == []
    assert move.query("SELECT id FROM c") == [(1,)]
    assert move.query(KEYS) == []


def test_a_parent_named_in_another_case_is_found(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE Parent (ID INTEGER PRIMARY KEY);"
        "CREATE TABLE child (id INTEGER PRIMARY KEY, p INTEGER REFERENCES PARENT (id))"
    )
    move.load()
    assert move.query(KEYS) == [("child_p_fkey",)]
