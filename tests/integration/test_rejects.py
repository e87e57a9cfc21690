"""Rows that cannot land are kept, tried again in every pass, and forgotten when their cause is gone."""

import json

import pytest

from tests.plugins.moving import TOLERANT, MakeMove, Move
from tests.plugins.verifying import full

ITEMS = """
CREATE TABLE item (id INTEGER PRIMARY KEY, amount INTEGER);
INSERT INTO item VALUES (1, 10), (2, 'many'), (3, 30);
"""
LANDED = "SELECT id, amount FROM item ORDER BY id"


@pytest.fixture
def items(make_move: MakeMove) -> Move:
    """Three items of which the second is refused, loaded."""
    move = make_move(ITEMS, as_declared=True)
    move.load()
    return move


def test_the_good_rows_of_a_batch_land(items: Move) -> None:
    assert items.query(LANDED) == [(1, 10), (3, 30)]


def test_a_reject_tells_table_key_column_reason_and_row(items: Move) -> None:
    (reject,) = items.rejects()
    assert (reject.table, reject.source_key, reject.column, reject.reason) == ("item", "2", "amount", "value")
    assert "bigint cannot hold this text value" in reject.message
    assert json.loads(reject.row_data or "") == {"id": 2, "amount": "many"}


def test_a_pass_tries_a_reject_again(items: Move) -> None:
    items.catch_up()
    assert [r.attempts for r in items.rejects()] == [2]


def test_a_corrected_row_lands_and_its_reject_is_gone(items: Move) -> None:
    items.write("UPDATE item SET amount = 20 WHERE id = 2")
    items.catch_up()
    assert items.query(LANDED) == [(1, 10), (2, 20), (3, 30)]
    assert items.rejects() == ()


def test_a_row_that_is_still_wrong_is_kept_as_it_is_now(items: Move) -> None:
    items.write("UPDATE item SET amount = 'few' WHERE id = 2")
    items.catch_up()
    (reject,) = items.rejects()
    assert json.loads(reject.row_data or "") == {"id": 2, "amount": "few"}


def test_the_reject_of_a_deleted_row_is_gone(items: Move) -> None:
    items.write("DELETE FROM item WHERE id = 2")
    items.catch_up()
    assert items.rejects() == ()
    assert items.query(LANDED) == [(1, 10), (3, 30)]


def test_a_new_row_that_is_refused_does_not_hold_up_its_pass(items: Move) -> None:
    items.write("INSERT INTO item VALUES (4, 40), (5, x'00'), (6, 60)")
    items.catch_up()
    assert items.query(LANDED) == [(1, 10), (3, 30), (4, 40), (6, 60)]
    assert items.refused() == [("2", "value", "amount"), ("5", "value", "amount")]


def test_a_row_that_landed_and_then_turned_bad_stays_as_it_was(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, amount INTEGER, updated_at TEXT NOT NULL);"
        "INSERT INTO item VALUES (1, 10, '2024-01-01')",
        as_declared=True,
    )
    move.load()
    move.write("UPDATE item SET amount = 'many', updated_at = '2024-01-02'")
    move.catch_up()
    assert move.query(LANDED) == [(1, 10)]
    assert move.refused() == [("1", "value", "amount")]


def test_a_rejected_row_that_a_pass_had_brought_is_deleted_with_its_source(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, amount INTEGER, updated_at TEXT NOT NULL)", as_declared=True
    )
    move.load()
    move.write("INSERT INTO item VALUES (1, 10, '2024-01-01')")
    move.catch_up()
    move.write("UPDATE item SET amount = 'many', updated_at = '2024-01-02'")
    move.catch_up()
    move.write("DELETE FROM item")
    move.catch_up()
    assert (move.query(LANDED), move.refused()) == ([], [])


def test_a_target_that_was_widened_takes_the_row(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE place (id INTEGER PRIMARY KEY, region TEXT); INSERT INTO place VALUES (1, 'ASIA'), (2, 'US')",
        "CREATE TABLE place (id bigint PRIMARY KEY, region varchar(2))",
    )
    move.load()
    assert move.refused() == [("1", "value", "region")]
    move.execute("ALTER TABLE place ALTER region TYPE varchar(4)")
    move.catch_up()
    assert move.query("SELECT region FROM place ORDER BY id") == [("ASIA",), ("US",)]
    assert move.rejects() == ()


def test_each_constraint_of_the_target_names_itself(make_move: MakeMove) -> None:
    move = make_move(
        """
        CREATE TABLE item (id INTEGER PRIMARY KEY, code TEXT, price REAL, name TEXT);
        INSERT INTO item
        VALUES (1, 'a', 1, 'x'), (2, 'a', 1, 'x'), (3, 'c', -1, 'x'), (4, 'd', 1, NULL), (5, 'e', 1, 'x');
        """,
        """
        CREATE TABLE item (id bigint PRIMARY KEY, code text UNIQUE, price float8 CHECK (price > 0), name text NOT NULL)
        """,
        as_declared=True,
    )
    move.load()
    assert move.refused() == [("2", "unique", "code"), ("3", "check", "price"), ("4", "not null", "name")]
    assert move.query("SELECT id FROM item ORDER BY id") == [(1,), (5,)]


def test_columns_may_be_called_as_the_variables_of_the_slow_way(make_move: MakeMove) -> None:
    names = ("new", "r", "said", "state", "col", "bound", "tried", "inserted", "updated", "v0", "c0", "more")
    columns = ", ".join(f'"{name}" TEXT' for name in names)
    key = ", ".join(f'"{name}"' for name in names)
    marks = ", ".join("'a'" for _ in names)
    move = make_move(
        f"CREATE TABLE item ({columns}, amount INTEGER, PRIMARY KEY ({key}));"
        f"INSERT INTO item VALUES ({marks}, 1); INSERT INTO item VALUES ({marks.replace('a', 'b')}, x'')",
        f"CREATE TABLE item ({columns}, amount smallint, PRIMARY KEY ({key}))",
    )
    move.write(f"INSERT INTO item VALUES ({marks.replace('a', 'c')}, 40000)")
    move.load()
    assert move.query("SELECT amount FROM item") == [(1,)]
    assert move.refused() == [("2", "value", "amount"), ("3", "value", "amount")]


class TestWhatTheTargetRefusesByItself:
    """Reasons that elsewhere would speak of the schema, or of a fault of the server."""

    TWO = """
    CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT);
    INSERT INTO a VALUES (1, 'good'), (2, 'bad'), (3, 'fine');
    CREATE TABLE b (id INTEGER PRIMARY KEY, v TEXT);
    INSERT INTO b VALUES (1, 'x');
    """
    TRIGGER = """
    CREATE TABLE a (id bigint PRIMARY KEY, v text);
    CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} END $$;
    CREATE TRIGGER look BEFORE {} ON a FOR EACH ROW EXECUTE FUNCTION look();
    """

    @pytest.mark.parametrize(
        ("raised", "state"),
        [
            ("RAISE EXCEPTION 'no bad'", "P0001"),
            ("RAISE EXCEPTION 'no bad' USING ERRCODE = 'MY001'", "MY001"),
            ("ASSERT false, 'no bad'", "P0004"),
        ],
    )
    def test_a_trigger_refuses_its_rows_alone(self, make_move: MakeMove, raised: str, state: str) -> None:
        body = f"IF new.v = 'bad' THEN {raised}; END IF; RETURN new;"
        move = make_move(self.TWO, self.TRIGGER.format(body, "INSERT OR UPDATE"))
        assert not move.load().stopped
        assert move.query("SELECT id FROM a ORDER BY id") == [(1,), (3,)]
        move.write("INSERT INTO a VALUES (4, 'bad'), (5, 'good'); INSERT INTO b VALUES (2, 'y')")
        assert not move.catch_up().stopped
        assert move.query("SELECT id FROM a ORDER BY id") == [(1,), (3,), (5,)]
        assert move.query("SELECT id FROM b ORDER BY id") == [(1,), (2,)]
        found = [(r.source_key, r.reason, r.sqlstate, r.message) for r in move.rejects()]
        assert found == [("2", "trigger", state, "no bad"), ("4", "trigger", state, "no bad")]
        (a, b) = full(move).tables
        assert (a.found, a.rejected, b.found) == (0, 2, 0)

    def test_a_constraint_trigger_that_waits_for_the_end_refuses_its_rows_alone(self, make_move: MakeMove) -> None:
        made = self.TRIGGER.format("IF new.v = 'bad' THEN RAISE EXCEPTION 'no bad'; END IF; RETURN new;", "DELETE")
        late = "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON a DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
        move = make_move(self.TWO, f"{made} {late} EXECUTE FUNCTION look();")
        assert not move.load().stopped
        move.write("INSERT INTO a VALUES (4, 'bad'), (5, 'good')")
        assert not move.catch_up().stopped
        assert move.query("SELECT id FROM a ORDER BY id") == [(1,), (3,), (5,)]
        assert move.refused() == [("2", "trigger", ""), ("4", "trigger", "")]

    @pytest.mark.parametrize(
        ("type_", "good", "bad", "state"),
        [
            ("tsvector", "'cat'", "'cat", "42601"),
            ("regclass", "pg_class", "a b", "42602"),
            ("regclass", "pg_class", "nowhere", "42P01"),
            ("regrole", "postgres", "nobody", "42704"),
            ("pg_node_tree", None, "x", "0A000"),
        ],
    )
    def test_a_value_that_the_type_does_not_read(
        self, make_move: MakeMove, type_: str, good: str | None, bad: str, state: str
    ) -> None:
        move = make_move(self.TWO, f"CREATE TABLE a (id bigint PRIMARY KEY, v {type_})")
        move.write("DELETE FROM a")
        move.insert("INSERT INTO a VALUES (?, ?)", [(1, good), (2, bad)])
        assert not move.load().stopped
        move.insert("INSERT INTO a VALUES (?, ?)", [(3, bad), (4, good)])
        move.write("INSERT INTO b VALUES (2, 'y')")
        assert not move.catch_up().stopped
        assert move.query("SELECT id FROM a ORDER BY id") == [(1,), (4,)]
        assert move.query("SELECT id FROM b ORDER BY id") == [(1,), (2,)]
        found = [(r.source_key, r.reason, r.column, r.sqlstate) for r in move.rejects()]
        assert found == [("2", "value", "v", state), ("3", "value", "v", state)]
        (a, b) = full(move).tables
        assert (a.found, a.rejected, b.found) == (0, 2, 0)

    @pytest.mark.parametrize(
        ("body", "event", "script"),
        [
            ("INSERT INTO nowhere VALUES (1); RETURN new;", "INSERT", "INSERT INTO a VALUES (4, 'x')"),
            ("new.nothing := 1; RETURN new;", "INSERT", "INSERT INTO a VALUES (4, 'x'), (5, x'00')"),
            ("RAISE EXCEPTION 'for ever'; RETURN old;", "DELETE", "DELETE FROM a WHERE id = 3"),
        ],
    )
    def test_a_fault_that_is_no_rows_own_stops_its_table_alone(
        self, make_move: MakeMove, body: str, event: str, script: str
    ) -> None:
        move = make_move(self.TWO, "CREATE TABLE a (id bigint PRIMARY KEY, v text)")
        move.load()
        made = self.TRIGGER.format(body, event)
        move.execute(made[made.index("CREATE FUNCTION") :])
        move.write(f"{script}; INSERT INTO b VALUES (2, 'y')")
        assert [table.table for table in move.sweep().as_pass.stopped] == ["a"]
        assert move.query("SELECT id FROM b ORDER BY id") == [(1,), (2,)]
        assert move.rejects() == ()


class TestTooManyRejects:
    SOURCE = """
    CREATE TABLE bad (id INTEGER PRIMARY KEY, v INTEGER);
    INSERT INTO bad VALUES (1, 'x'), (2, 2), (3, 3);
    CREATE TABLE good (id INTEGER PRIMARY KEY);
    INSERT INTO good VALUES (1);
    """

    @pytest.fixture
    def stopped(self, make_move: MakeMove) -> Move:
        """Two tables of which the first stopped in its load."""
        move = make_move(self.SOURCE, as_declared=True)
        move.configure("[sync]\nmax_reject_ratio = 0.1\n")
        move.load()
        return move

    def test_the_table_stops_and_the_others_go_on(self, make_move: MakeMove) -> None:
        move = make_move(self.SOURCE, as_declared=True)
        move.configure("[sync]\nmax_reject_ratio = 0.1\n")
        reports = {t.table: t.error for t in move.load().tables}
        assert "1 of 3 rows were rejected" in reports["bad"]
        assert reports["good"] == ""
        assert move.query("SELECT id FROM good") == [(1,)]

    def test_what_landed_stays(self, stopped: Move) -> None:
        assert stopped.query("SELECT id FROM bad ORDER BY id") == [(2,), (3,)]

    def test_a_raised_ratio_lets_the_table_go_on(self, stopped: Move) -> None:
        stopped.configure(TOLERANT)
        assert [t.error for t in stopped.load().tables] == []
        stopped.write("INSERT INTO bad VALUES (4, 4)")
        assert [t.error for t in stopped.catch_up().tables if t.error] == []
        assert stopped.query("SELECT id FROM bad ORDER BY id") == [(2,), (3,), (4,)]

    def test_corrected_rows_let_the_table_go_on(self, stopped: Move) -> None:
        stopped.write("UPDATE bad SET v = 1 WHERE id = 1; INSERT INTO bad VALUES (4, 4)")
        assert [t.error for t in stopped.catch_up().tables if t.error] == []
        assert stopped.query("SELECT id FROM bad ORDER BY id") == [(1,), (2,), (3,), (4,)]

    def test_a_table_stops_in_a_pass_and_the_others_go_on(self, make_move: MakeMove) -> None:
        move = make_move(self.SOURCE, as_declared=True)
        move.configure("[sync]\nmax_reject_ratio = 0.4\n")
        move.load()
        move.write("INSERT INTO bad VALUES (4, 'x'), (5, 'x'), (6, 6); INSERT INTO good VALUES (2)")
        stopped = {t.table: t.error for t in move.catch_up().tables}
        assert "3 of 6 rows were rejected" in stopped["bad"]
        assert move.query("SELECT id FROM good ORDER BY id") == [(1,), (2,)]
        move.write("INSERT INTO good VALUES (3)")
        move.catch_up()
        assert move.query("SELECT id FROM good ORDER BY id") == [(1,), (2,), (3,)]

    def test_a_rejected_row_that_stands_there_in_an_older_version_is_counted_once(self, make_move: MakeMove) -> None:
        move = make_move(
            "CREATE TABLE item (id INTEGER PRIMARY KEY, v INTEGER); INSERT INTO item VALUES (1, 1), (2, 2), (3, 3);",
            as_declared=True,
        )
        move.configure("[sync]\nmax_reject_ratio = 0.5\n")
        move.load()
        move.write("UPDATE item SET v = 'x' WHERE id < 3")
        assert ["2 of 3 rows were rejected" in table.error for table in move.sweep().tables] == [True]


class TestDuplicateKeys:
    SOURCE = """
    CREATE TABLE price (id INTEGER PRIMARY KEY, ticker TEXT, day TEXT, close REAL);
    INSERT INTO price VALUES (1, 'A', 'd', 1), (2, 'B', 'd', 2), (3, 'A', 'd', 3), (4, 'A', 'e', 4);
    """

    @pytest.fixture
    def prices(self, make_move: MakeMove) -> Move:
        move = make_move(self.SOURCE, as_declared=True)
        move.configure(TOLERANT + "[table:price]\nkey = ticker, day\n")
        assert [t.error for t in move.load().tables] == [""]
        return move

    def test_the_highest_rowid_wins(self, prices: Move) -> None:
        assert prices.query("SELECT id FROM price ORDER BY id") == [(2,), (3,), (4,)]
        assert [(r.source_key, r.reason) for r in prices.rejects()] == [("1", "duplicate key")]

    def test_the_loser_stays_a_reject_in_passes(self, prices: Move) -> None:
        prices.catch_up()
        assert prices.query("SELECT id FROM price ORDER BY id") == [(2,), (3,), (4,)]
        assert [(r.source_key, r.reason) for r in prices.rejects()] == [("1", "duplicate key")]

    def test_the_loser_lands_when_the_winner_is_gone(self, prices: Move) -> None:
        prices.write("DELETE FROM price WHERE id = 3")
        prices.catch_up()
        assert (1,) in prices.query("SELECT id FROM price")
        assert prices.rejects() == ()

    def test_a_newer_row_takes_the_key_over(self, prices: Move) -> None:
        prices.write("INSERT INTO price VALUES (5, 'B', 'd', 5)")
        prices.catch_up()
        assert prices.query("SELECT id FROM price ORDER BY id") == [(3,), (4,), (5,)]
        assert [r.source_key for r in prices.rejects() if r.reason == "duplicate key"] == ["1", "2"]
