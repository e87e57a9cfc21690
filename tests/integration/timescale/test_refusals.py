"""What cannot be had: each with the table, the cause and the line to change, and nothing half done."""

import pytest

from syncd.engine.timescale import refresh
from syncd.errors import ConfigError, NotReadyError, SchemaError
from tests.plugins.moving import MakeMove, Move
from tests.plugins.shaping import BARS, kinds, shaped, told

pytestmark = pytest.mark.usefixtures("timescale")

NOTE = """
CREATE TABLE note (id INTEGER PRIMARY KEY, at DATE, text TEXT);
INSERT INTO note VALUES (1, '2024-01-01', 'a'), (2, '2024-02-01', 'b');
"""
TIME = "[sync]\nmax_reject_ratio = 1\n[hypertable:note]\ntime_column = at\n"


@pytest.fixture
def bars(make_move: MakeMove) -> Move:
    move = make_move(BARS)
    move.configure("[hypertable:bar]\ntime_column = date\nchunk_interval = 6 months\n")
    move.load()
    return move


def hypertables(move: Move) -> list[tuple[str]]:
    return move.query("SELECT hypertable_name::text FROM timescaledb_information.hypertables")


def test_nothing_is_loaded(make_move: MakeMove) -> None:
    move = make_move(NOTE)
    move.configure(TIME)

    with pytest.raises(NotReadyError, match="nothing is loaded yet"):
        shaped(move)


def test_text_that_is_no_date(make_move: MakeMove) -> None:
    move = make_move(NOTE + "INSERT INTO note VALUES (3, 'one day', 'c'), (4, 'x', 'd')")
    move.configure(TIME)

    (table,) = move.load().tables

    assert "its time column at is text, which no hypertable can be cut by" in table.error
    assert "[table:note] type.at = date" in table.error
    assert move.query("SELECT to_regclass('note')") == [(None,)]


def test_a_time_column_that_is_not_there(make_move: MakeMove) -> None:
    move = make_move(NOTE)
    move.configure(TIME.replace("= at", "= when"))

    (table,) = move.load().tables

    assert "[hypertable:note] time_column names when" in table.error
    assert "Write one of: id, at, text" in table.error


def test_a_section_for_no_table(bars: Move) -> None:
    bars.configure("[hypertable:baz]\ntime_column = date\n")

    with pytest.raises(ConfigError, match=r"syncd\.ini:1: \[hypertable:baz\]: no table of the source lands in baz"):
        shaped(bars)


def test_a_section_for_a_table_that_is_not_the_sources(bars: Move) -> None:
    bars.execute("CREATE TABLE other (date date)")
    bars.configure("[hypertable:other]\ntime_column = date\n")

    with pytest.raises(ConfigError, match=r"syncd\.ini:1: \[hypertable:other\]: no table of the source lands in other"):
        shaped(bars)


def test_a_unique_key_without_the_time_column(make_move: MakeMove) -> None:
    move = make_move(NOTE, "CREATE TABLE note (id bigint PRIMARY KEY, at date NOT NULL, text text UNIQUE)")
    move.configure(TIME)
    move.load()

    said = told(shaped(move))

    assert "unique keys of a hypertable hold its time column, at" in said
    assert 'ALTER TABLE "public"."note" DROP CONSTRAINT "note_pkey", ADD PRIMARY KEY ("id", "at");' in said
    assert 'DROP CONSTRAINT "note_text_key", ADD UNIQUE ("text", "at");' in said
    assert hypertables(move) == []


def test_rows_without_a_time_in_a_table_that_was_there(make_move: MakeMove) -> None:
    move = make_move(
        NOTE + "INSERT INTO note VALUES (3, NULL, 'c')",
        "CREATE TABLE note (id bigint NOT NULL, at date, text text NOT NULL UNIQUE)",
    )
    move.configure(TIME)
    move.load()

    said = told(shaped(move))

    assert "note: 1 row without at" in said
    assert "[hypertable:note] time_column" in said
    assert hypertables(move) == []


def test_a_hypertable_that_is_cut_by_another_column(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE note (id INTEGER PRIMARY KEY, at DATE NOT NULL, made DATE NOT NULL);"
        "INSERT INTO note VALUES (1, '2024-01-01', '2023-01-01');"
    )
    move.execute(
        "CREATE EXTENSION timescaledb; CREATE TABLE note (id bigint, at date, made date, PRIMARY KEY (id, at, made));"
        "SELECT create_hypertable('note', by_range('made'));"
    )
    move.configure(TIME)
    move.load()

    said = told(shaped(move))

    assert "it is a hypertable already, cut by made, not by at" in said
    assert "Write [hypertable:note] time_column = made" in said


def test_chunks_that_are_compressed_otherwise(bars: Move) -> None:
    settings = "[hypertable:bar]\ntime_column = date\ncompress_after = 30 days\nsegment_by = "
    bars.configure(settings + "ticker\n")
    shaped(bars)
    bars.configure(settings + "volume\n")

    said = told(shaped(bars))

    assert "its chunks are compressed already, by segments of ticker, ordered by date DESC" in said
    assert "Write [hypertable:bar] segment_by = ticker and order_by = date DESC" in said


@pytest.mark.parametrize(
    ("query", "cause"),
    [
        ("SELECT time_bucket('1 month', date) AS month, max(closing) FROM bar GROUP BY 1", 'column "closing"'),
        ("SELECT ticker, max(close) FROM bar GROUP BY 1", "a valid time bucket function"),
        ("SELECT 1; DROP TABLE bar", ""),
        ("SELEC 1", "syntax error"),
    ],
)
def test_an_aggregate_whose_query_is_wrong(bars: Move, query: str, cause: str) -> None:
    bars.configure(
        "[hypertable:bar]\ntime_column = date\n"
        "[aggregate:good]\nquery = SELECT time_bucket('1 month', date) AS month, count(*) FROM bar GROUP BY 1\n"
        f"[aggregate:monthly]\nquery = {query}\n"
    )

    said = told(shaped(bars))

    assert said.startswith("aggregate:monthly: ")
    assert cause in said
    assert "syncd.ini:6" in said
    assert bars.query("SELECT count(*) FROM timescaledb_information.continuous_aggregates") == [(0,)]
    assert bars.query("SELECT count(*) FROM bar") == [(5840,)]


def test_an_aggregate_that_is_there_with_another_query(bars: Move) -> None:
    settings = (
        "[aggregate:monthly]\nquery = SELECT time_bucket('1 month', date) AS month, {}(close) FROM bar GROUP BY 1\n"
    )
    bars.configure(settings.format("max"))
    shaped(bars)
    assert kinds(shaped(bars)) == []
    bars.configure(settings.format("min"))

    said = told(shaped(bars))

    assert "an aggregate of this name is there, with another query" in said
    assert "DROP MATERIALIZED VIEW monthly" in said


def test_an_index_of_a_column_that_is_not_there(bars: Move) -> None:
    bars.configure("[index:one]\ntable = bar\ncolumns = date, closing DESC\n")

    assert "[index:one] columns names closing" in told(shaped(bars))


def test_foreign_keys_between_hypertables_are_left_out(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE note (id INTEGER PRIMARY KEY, at DATE NOT NULL, text TEXT);"
        "CREATE TABLE mark (id INTEGER PRIMARY KEY, at DATE NOT NULL, note INTEGER REFERENCES note);"
        "CREATE TABLE plain (id INTEGER PRIMARY KEY, note INTEGER REFERENCES note);"
    )
    move.configure(TIME + "[hypertable:mark]\ntime_column = at\n")

    move.load()

    with move.opened() as sides:
        there = sides.look_at_target()
        with sides.source.transaction() as connection:
            plan = sides.plan(connection, there)
    reasons = {t.name: [s.reason for s in t.not_carried if "FOREIGN KEY" in s.reason] for t in plan.tables}
    assert "no foreign keys between hypertables" in reasons["mark"][0]
    assert "this key of it lacks the time column" in reasons["plain"][0]
    assert sorted(hypertables(move)) == [("mark",), ("note",)]


def test_a_table_that_cannot_be_a_hypertable_gets_no_index_either(make_move: MakeMove) -> None:
    move = make_move(NOTE, "CREATE TABLE note (id bigint PRIMARY KEY, at date NOT NULL, text text)")
    move.load()
    aggregate = "[aggregate:monthly]\nquery = SELECT time_bucket('1 month', at) AS month FROM note GROUP BY 1\n"
    move.configure(TIME + "[index:note_text]\ntable = note\ncolumns = text\n" + aggregate)

    report = shaped(move)

    assert kinds(report) == []
    assert told(report).startswith("note: unique keys of a hypertable hold its time column, at")


MONTHLY = "[aggregate:{0}]\nquery = SELECT time_bucket('1 month', date) AS month, {1} FROM bar GROUP BY 1\n"


def test_an_aggregate_whose_query_fails_on_the_rows_leaves_nothing_behind(bars: Move) -> None:
    bars.configure(
        MONTHLY.format("good", "count(*)")
        + MONTHLY.format("inverse", "sum(1 / (volume - 50)) AS inverse")
        + "[aggregate:yearly]\nquery = SELECT time_bucket('1 year', month) AS year, count(*) FROM inverse GROUP BY 1"
    )

    report = shaped(bars)

    (refused,) = report.refused
    assert (refused.where, refused.what) == ("aggregate:inverse", "division by zero")
    assert refused.advice.startswith("Correct [aggregate:inverse] query, ")
    assert "syncd.ini:4" in refused.advice
    assert bars.query("SELECT view_name::text FROM timescaledb_information.continuous_aggregates") == [("good",)]

    bars.configure(MONTHLY.format("good", "count(*)") + MONTHLY.format("inverse", "sum(1 / (volume + 50))"))
    assert shaped(bars).refused == ()


def test_an_aggregate_that_fails_on_a_later_row_is_named_at_the_cutover(bars: Move) -> None:
    bars.configure(MONTHLY.format("inverse", "sum(1 / (volume - 55))"))
    assert shaped(bars).refused == ()
    bars.write("UPDATE bar SET volume = 55 WHERE date = '2023-05-05'")
    bars.sweep()

    with bars.opened() as sides, pytest.raises(SchemaError, match="division by zero") as raised:
        refresh(sides)

    assert raised.value.where == "aggregate:inverse"


def test_an_interval_that_no_table_can_have(make_move: MakeMove) -> None:
    move = make_move(NOTE)
    move.configure(TIME + "chunk_interval = 999999999999 years\ncompress_after = 999999999999 years\n")

    assert move.load().stopped == ()
    said = told(shaped(move))

    assert hypertables(move) == []
    assert said.startswith("note: ")
    assert "Correct [hypertable:note]" in said
