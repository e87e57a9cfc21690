"""The rehearsal of a cutover beside tables that were there before."""

from syncd.console.cutover import Lines
from syncd.console.output import Console
from syncd.engine.cutover import Asked
from syncd.engine.cutover.rehearsal import rehearse
from tests.plugins.moving import MakeMove


def test_the_sequences_of_the_real_tables_stand_where_they_stood(make_move: MakeMove) -> None:
    tables = "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (id INTEGER PRIMARY KEY, v TEXT);"
    move = make_move(
        f"{tables} INSERT INTO a VALUES (5), (6); INSERT INTO b VALUES (9, 'nine')",
        'CREATE SEQUENCE "the id\'s";'
        "CREATE TABLE a (id serial PRIMARY KEY, number bigint GENERATED ALWAYS AS IDENTITY);"
        "CREATE TABLE b (id bigint PRIMARY KEY DEFAULT nextval('\"the id''s\"'), v text, w bigint NOT NULL"
        " DEFAULT 1000 + nextval('\"the id''s\"'), x bigint DEFAULT nextval('a_id_seq'))",
    )
    move.load()
    where = 'SELECT last_value, is_called FROM a_id_seq UNION ALL SELECT last_value, is_called FROM "the id\'s"'
    before = move.query(where)

    with move.opened() as sides:
        measured = rehearse(sides, Asked(), Lines(Console(quiet=True))).measured

    assert measured["finish"] > 0
    assert move.query(where) == before
