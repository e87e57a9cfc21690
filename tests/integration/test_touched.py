"""Looking up what passes and sweeps remember of many keys."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from syncd.target import touched
from syncd.target.database import Connection, Target, connect
from syncd.target.touched import Touch
from tests.plugins.moving import MakeMove

MANY = 60_000
_REMEMBERED = """
INSERT INTO syncd.touched SELECT source_name, 'item', x::text, 'new ' || x, 1
  FROM syncd.checkpoint, generate_series(1, {many}) AS x;
INSERT INTO syncd.settled SELECT source_name, 'item', 1, array_agg(x::text), array_agg('old ' || x)
  FROM syncd.checkpoint, generate_series(1, {many}) AS x GROUP BY source_name, x / 5000;
"""


@pytest.fixture
def connection(make_move: MakeMove) -> Iterator[Connection]:
    """A target that remembers many keys, of which the planner knows nothing or all but those of a killed sweep."""
    move = make_move("CREATE TABLE item (id INTEGER PRIMARY KEY)")
    move.load()
    move.execute(_REMEMBERED.format(many=MANY))
    with closing(connect(Target(move.dsn))) as connection:
        # Looked up one by one they would take minutes.
        connection.execute("SET statement_timeout = '60s'")
        yield connection


@pytest.mark.parametrize("analyzed", [False, True])
def test_many_keys_are_found_beside_those_of_a_killed_sweep(connection: Connection, analyzed: bool) -> None:
    name = connection.execute("SELECT name FROM syncd.source").fetchall()[0][0]
    if analyzed:
        connection.execute("ANALYZE syncd.touched")
    wanted = [str(x) for x in range(2, MANY + 2)]
    for _ in range(2):
        found = touched.target_keys(connection, name, "item", wanted)
        assert len(found) == MANY - 1
        assert found["2"] == {"new 2", "old 2"}
    touched.keep(connection, Touch(name, 3), "item", wanted)
    query = "SELECT round, count(*) FROM syncd.touched GROUP BY round ORDER BY round"
    assert connection.execute(query).fetchall() == [(1, 1), (3, 2 * (MANY - 1))]
