"""The check of tables that stand in the target: what they refuse is told before the load, with what settles it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.cli import RunSyncd
from tests.plugins.moving import MakeMove, Move

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def check(run_syncd: RunSyncd, tmp_path: Path) -> Run:
    """Check a move under an INI text; the report."""

    def run(move: Move, ini: str = "", *words: str) -> dict[str, Any]:
        (tmp_path / "app.ini").write_text(ini)
        ended = run_syncd("check", "--json", *words, "-c", "app.ini", "--source", move.source, "--target", move.dsn)
        report: dict[str, Any] = json.loads(ended.stdout)
        assert ended.returncode == (0 if report["go"] else 4), ended.stderr
        return report

    return run


@pytest.fixture
def load_all(run_syncd: RunSyncd) -> Callable[[Move], None]:
    """Load under the INI text of the last check, and compare every row; none may be left behind."""

    def run(move: Move) -> None:
        sides = ("-c", "app.ini", "--source", move.source, "--target", move.dsn)
        loaded = run_syncd("load", "--json", *sides)
        assert loaded.returncode == 0, loaded.stdout + loaded.stderr
        assert json.loads(loaded.stdout)["total"]["rejected"] == 0
        assert run_syncd("verify", *sides).returncode == 0

    return run


def about(report: dict[str, Any], what: str) -> dict[str, Any]:
    """The only finding that says so."""
    found = [finding for finding in report["findings"] if what in finding["what"]]
    assert len(found) == 1, "\n".join(finding["what"] for finding in report["findings"])
    told: dict[str, Any] = found[0]
    return told


def settle(move: Move, advice: str) -> None:
    """Run the statements of an advice as they stand there."""
    for statement in re.findall(r"(?:ALTER|DROP) [^;:]*", advice):
        move.execute(statement.partition(", or ")[0])


MOODS = """
CREATE TABLE item (id INTEGER PRIMARY KEY, mood TEXT, mark TEXT);
INSERT INTO item VALUES (1, 'glad', 'sad'), (2, 'Glad', 'sad'), (3, NULL, 'it''s'), (4, 'angry', NULL),
    (5, 'angry', NULL);
"""
MOODY = """
CREATE TYPE mood AS ENUM ('glad', 'sad'); CREATE DOMAIN feeling AS mood;
CREATE TABLE item (id bigint PRIMARY KEY, mood mood, mark feeling)
"""


class TestLabels:
    def test_values_that_are_no_label_are_counted(self, make_move: MakeMove, check: Run) -> None:
        report = check(make_move(MOODS, MOODY))
        assert report["go"] is False
        told = about(report, "no label of public.mood: 'Glad', 'angry'")
        assert (told["gravity"], told["column"], told["count"]) == ("blocker", "mood", 3)
        assert told["examples"] == ["2: 'Glad'", "4: 'angry'", "5: 'angry'"]
        assert about(report, "no label of public.mood: 'it''s'")["examples"] == ["3: 'it''s'"]

    @pytest.mark.parametrize("words", [(), ("--quick",)])
    def test_what_it_advises_settles_it(
        self, make_move: MakeMove, check: Run, load_all: Callable[[Move], None], words: tuple[str, ...]
    ) -> None:
        move = make_move(MOODS, MOODY)
        for finding in check(move, "", *words)["findings"]:
            settle(move, finding["advice"])
        assert check(move)["go"] is True
        load_all(move)

    def test_an_expression_settles_it(self, make_move: MakeMove, check: Run, load_all: Callable[[Move], None]) -> None:
        move = make_move(MOODS, MOODY)
        mood, mark = "iif(mood = 'angry', 'sad', lower(mood))", "iif(mark = 'sad', mark, NULL)"
        ini = f"[table:item]\ncolumn.mood = {mood}\ncolumn.mark = {mark}\n"
        assert check(move, ini)["go"] is True
        load_all(move)


RULED = """
CREATE TABLE item (id INTEGER PRIMARY KEY, code TEXT, price REAL, low INTEGER, high INTEGER, address TEXT);
INSERT INTO item VALUES (1, 'a', 1, 1, 2, '10.0.0.1'), (2, 'A', -1, 1, 2, '10.0.0.2'), (3, 'c', 1, 3, 2, 'nowhere'),
    (4, 'a', 1, 1, 2, NULL), (5, 'e', 1, NULL, 2, '::1');
WITH RECURSIVE n (i) AS (SELECT 6 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
INSERT INTO item SELECT i, i, i, 1, 2, NULL FROM n;
"""


@pytest.mark.parametrize(
    ("columns", "further", "what", "column", "examples"),
    [
        (
            "price float8 CHECK (price > 0)",
            "",
            "item_price_check: CHECK ((price > (0)::double precision))",
            "price",
            ["2"],
        ),
        ("CONSTRAINT span CHECK (low <= high)", "", "span: CHECK ((low <= high))", "low, high", ["3"]),
        ("code text UNIQUE", "", "refuses by item_code_key: UNIQUE (code)", "code", ["4: (code)=(a)"]),
        (
            "code text",
            "CREATE UNIQUE INDEX one ON item (lower(code))",
            "one: CREATE UNIQUE INDEX one ON public.item USING btree (lower(code))",
            "",
            ["2: (lower(code))=(a)", "4: (lower(code))=(a)"],
        ),
        ("price positive", "", "positive_check: public.positive CHECK", "price", ["2"]),
        ("low given", "", "public.given NOT NULL", "low", ["5"]),
        ("address inet", "", "values that inet refuses", "address", ["3"]),
    ],
)
def test_rows_that_a_rule_of_the_target_refuses_are_counted(  # noqa: PLR0917 - of a parametrized test
    make_move: MakeMove,
    check: Run,
    load_all: Callable[[Move], None],
    columns: str,
    further: str,
    what: str,
    column: str,
    examples: list[str],
) -> None:
    plain = "code text, price float8, low int, high int, address text"
    own = columns.split(maxsplit=1)[0]
    others = ", ".join(part for part in plain.split(", ") if part.split()[0] != own)
    move = make_move(
        RULED,
        "CREATE DOMAIN positive AS float8 CHECK (VALUE > 0); CREATE DOMAIN given AS int NOT NULL;"
        f"CREATE TABLE item (id bigint PRIMARY KEY, {others}, {columns}); {further}",
    )
    report = check(move)
    told = about(report, what)
    assert (told["column"], told["count"], told["examples"]) == (column, len(examples), examples)
    assert move.query("SELECT count(*) FROM item") == [(0,)]

    settle(move, told["advice"])
    assert not [finding for finding in check(move)["findings"] if finding["gravity"] != "note" and finding["table"]]
    load_all(move)


def test_the_quick_check_tries_the_first_and_the_last_rows(make_move: MakeMove, check: Run) -> None:
    move = make_move(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, v INTEGER);"
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)"
        " INSERT INTO item SELECT i * 10, iif(i IN (1, 2000, 2001, 7000, 7001, 9000), -1, 1) FROM n",
        "CREATE TABLE item (id bigint PRIMARY KEY, v int CHECK (v > 0))",
    )
    assert about(check(move, "", "--quick"), "item_v_check")["count"] == 4
    assert about(check(move), "item_v_check")["count"] == 6
    assert move.query("SELECT count(*) FROM item") == [(0,)]


PRICES = """
CREATE TABLE px (id INTEGER PRIMARY KEY, ticker TEXT, day TEXT, area TEXT, close REAL, ma5 REAL);
INSERT INTO px VALUES (1, 'A', '2024-01-01', 'US', 1, 1), (2, 'B', '2024-01-01', 'US', 1, 1), (3, 'C', '2024-01-02',
    'US', 1, 1), (4, 'D', '2024-01-01', NULL, 1, 1), (5, 'B', '2024-01-01', NULL, 1, 1);
"""
PRICED = """
CREATE TABLE prices (ticker text, date date, region text, close float8, PRIMARY KEY (ticker, date, region))
"""
RENAMED = "[table:px]\ntarget = prices\ncolumn.date = day\ncolumn.region = area\nwhere = id <> {left_out}\n"
NO_VALUE = "NULL, where the target wants a value"


class TestFilling:
    def test_a_renamed_column_of_the_key_is_filled_and_not_carried_twice(
        self, make_move: MakeMove, check: Run, load_all: Callable[[Move], None]
    ) -> None:
        move, ini = make_move(PRICES, PRICED), RENAMED.format(left_out=5)
        report = check(move, ini)
        assert about(report, NO_VALUE)["ini"] == ("[table:px]\ncolumn.region = coalesce(area, 'US')\nexclude = area")
        assert "exclude = id, ma5, area" in report["ini"]
        advised = dict.fromkeys([*ini.splitlines(), *report["ini"].splitlines()])
        assert check(move, "\n".join(line for line in advised if line != "column.region = area"))["go"] is True
        load_all(move)
        assert move.query("SELECT region FROM prices WHERE ticker = 'D'") == [("US",)]

    @pytest.mark.parametrize(
        ("source", "left_out"),
        [
            pytest.param(PRICES, 4, id="it would take the place of another row"),
            pytest.param(f"{PRICES} UPDATE px SET day = NULL, area = 'US' WHERE id = 4", 5, id="a moment"),
        ],
    )
    def test_no_value_is_invented(self, make_move: MakeMove, check: Run, source: str, left_out: int) -> None:
        report = check(make_move(source, PRICED), RENAMED.format(left_out=left_out))
        told = about(report, NO_VALUE)
        assert "coalesce" not in report["ini"]
        assert "where = " in told["advice"]


def test_a_column_of_the_name_that_syncd_uses_gets_another(
    make_move: MakeMove, check: Run, load_all: Callable[[Move], None]
) -> None:
    move = make_move("CREATE TABLE note (_syncd_rowid INTEGER, v TEXT); INSERT INTO note VALUES (7, 'a'), (7, 'b')")
    told = about(check(move), "under the name _syncd_rowid")
    assert told["gravity"] == "blocker"
    assert check(move, told["ini"])["go"] is True
    load_all(move)
    assert move.query("SELECT rowid_of_the_source, v FROM note ORDER BY _syncd_rowid") == [(7, "a"), (7, "b")]


def test_columns_that_postgresql_has_in_every_table_get_other_names(
    make_move: MakeMove, check: Run, load_all: Callable[[Move], None]
) -> None:
    move = make_move(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, xmin INT, XMAX INT, ctid TEXT); INSERT INTO t VALUES (1, 2, 3, 'c')"
    )
    told = about(check(move), "of its own in every table under the names xmin, ctid")
    assert check(move, told["ini"])["go"] is True
    load_all(move)
    assert move.query('SELECT xmin_of_the_source, "XMAX", ctid_of_the_source FROM t') == [(2, 3, "c")]


def test_a_type_that_holds_every_value_is_proposed(
    make_move: MakeMove, check: Run, load_all: Callable[[Move], None]
) -> None:
    move = make_move("""
        CREATE TABLE t (id INTEGER PRIMARY KEY, i INT, at TEXT, price NUMERIC, odd INT);
        INSERT INTO t VALUES (1, 16777217, '2024-01-01 23:59:59.9', 1.005, 'x'), (2, 2, NULL, 2, 1)
    """)
    ini = "[table:t]\ntype.i = real\ntype.at = timestamp(0)\ntype.price = numeric(10,2)\ntype.odd = bigint\n"
    advised = check(move, ini)["ini"]
    for line in ("i = bigint", "at = timestamp without time zone", "price = numeric", "odd = text"):
        assert f"type.{line}" in advised.splitlines()
    assert check(move, advised)["go"] is True
    load_all(move)


def test_more_of_them_than_may_be_rejected_is_no_go(make_move: MakeMove, check: Run) -> None:
    move = make_move(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, v INTEGER); INSERT INTO item VALUES (1, 1), (2, -1), (3, 3)",
        "CREATE TABLE item (id bigint PRIMARY KEY, v int CHECK (v > 0))",
    )
    report = check(move)
    assert report["go"] is False
    told = about(report, "1 of 3 rows will be rejected")
    assert (told["ini"], "left behind" in told["advice"]) == ("", True)


def test_rows_that_cannot_be_tried_are_said_to_be_undecided(make_move: MakeMove, check: Run) -> None:
    move = make_move(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, v INTEGER); INSERT INTO item VALUES (1, 1)",
        "CREATE FUNCTION fails(int) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE undefined_function USING MESSAGE = 'no such luck'; END $$;"
        "CREATE TABLE item (id bigint PRIMARY KEY, v int CHECK (fails(v)))",
    )
    told = about(check(move), "what item_v_check will refuse is not known")
    assert told["gravity"] == "warning" and "no such luck" in told["what"]


STAMPED = """
CREATE TABLE item (id bigint PRIMARY KEY, v text);
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := 'stamped'; RETURN NEW; END $$;
CREATE TRIGGER "the stamp" BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE TRIGGER off BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION stamp();
ALTER TABLE item DISABLE TRIGGER off;
"""


def test_a_trigger_is_named_and_what_is_advised_keeps_it_from_the_rows(
    make_move: MakeMove, check: Run, load_all: Callable[[Move], None]
) -> None:
    move = make_move("CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO item VALUES (1, 'own')", STAMPED)
    told = about(check(move), "trigger")
    assert told["gravity"] == "warning" and "the trigger the stamp may change or refuse rows" in told["what"]
    settle(move, told["advice"])
    assert not [finding for finding in check(move)["findings"] if "trigger" in finding["what"]]
    load_all(move)


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("view", "CREATE VIEW item AS SELECT 1 AS id"),
        ("materialized view", "CREATE MATERIALIZED VIEW item AS SELECT 1 AS id"),
        (
            "foreign table",
            "CREATE FOREIGN DATA WRAPPER far; CREATE SERVER away FOREIGN DATA WRAPPER far;"
            "CREATE FOREIGN TABLE item (id int) SERVER away",
        ),
        ("sequence", "CREATE SEQUENCE item"),
    ],
)
@pytest.mark.parametrize("by_name", [False, True])
def test_what_has_the_name_of_a_table_has_to_move_away(
    make_move: MakeMove, check: Run, load_all: Callable[[Move], None], kind: str, made: str, *, by_name: bool
) -> None:
    move = make_move("CREATE TABLE item (id INTEGER PRIMARY KEY); INSERT INTO item VALUES (1)", made)
    report = check(move)
    told = about(report, f"the target has a {kind} of the name item")
    assert (told["gravity"], told["table"]) == ("blocker", "item")
    ini = told["ini"] if by_name else ""
    if not by_name:
        settle(move, told["advice"])
    assert check(move, ini)["go"] is True
    load_all(move)
    assert move.query(f"SELECT * FROM {'item_table' if by_name else 'item'}") == [(1,)]


def test_rows_whose_keys_are_one_to_postgresql_alone_are_counted(make_move: MakeMove, check: Run) -> None:
    move = make_move(
        "CREATE TABLE item (code TEXT PRIMARY KEY); INSERT INTO item VALUES ('k1'), ('k2'), ('K1')",
        "CREATE EXTENSION citext; CREATE TABLE item (code citext PRIMARY KEY)",
    )
    found = about(check(move), "share the target's key")
    assert (found["count"], found["examples"]) == (1, ["1 gives way to 3"])


def test_a_key_is_judged_as_it_is_rendered(make_move: MakeMove, check: Run) -> None:
    move = make_move(
        "CREATE TABLE item (at TEXT PRIMARY KEY); INSERT INTO item VALUES ('2024-01-01 00:00:05.5+00:00')",
        "CREATE TABLE item (at timestamptz PRIMARY KEY)",
    )
    assert check(move)["go"]
