"""Many rows may bear the date at which a mark stands; passes that leave them out lose none of them."""

from contextlib import closing

from syncd.engine.catchup import Catchup
from syncd.engine.reading import MANY_TIES
from syncd.engine.sweep import sweep
from tests.plugins.comparison import assert_every_row_is_equal
from tests.plugins.moving import MakeMove
from tests.plugins.source import OpenWriter

BARS = f"""
CREATE TABLE bar (id INTEGER PRIMARY KEY, close REAL, updated_at DATETIME NOT NULL);
WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n LIMIT {2 * MANY_TIES})
INSERT INTO bar SELECT id, 1.0, '2025-01-01 00:00:01' FROM n;
"""


def test_a_row_at_the_mark_is_read_before_the_mark_moves_on(make_move: MakeMove, open_writer: OpenWriter) -> None:
    move = make_move(BARS)
    move.load()
    writer = open_writer(move.source)
    with move.opened() as sides, closing(Catchup(sides)) as catchup:
        catchup.run(thorough=True)
        writer.execute("UPDATE bar SET close = 2 WHERE id = 1")
        catchup.run(thorough=False)
        writer.execute("UPDATE bar SET close = 3, updated_at = '2025-01-01 00:00:02' WHERE id = 2")
        catchup.run(thorough=False)
    assert_every_row_is_equal(move.source, move.dsn)


def test_rows_at_the_mark_that_did_not_change_are_left_alone_by_sweeps(
    make_move: MakeMove, open_writer: OpenWriter
) -> None:
    move = make_move(BARS)
    move.load()
    writer = open_writer(move.source)
    with move.opened() as sides, closing(Catchup(sides)) as catchup:
        writer.execute("UPDATE bar SET close = 2 WHERE id = 2")
        # The pass of this one brings all rows at the mark, and the next one reads those again.
        for _ in range(2):
            sweep(sides, catchup)
        assert sweep(sides, catchup).read_again == 0
        assert not catchup.run().tables
        writer.execute("UPDATE bar SET close = 1 WHERE id = 2")
        catchup.run()
        assert_every_row_is_equal(move.source, move.dsn)
