"""A sweep beside somebody who holds tables back: what is not applied now is not taken for done."""

from contextlib import closing

import pytest

from syncd.engine import sweep as sweeping
from syncd.engine.catchup import Catchup
from syncd.engine.pace import Pace
from syncd.target.control import Control
from tests.plugins.comparison import assert_every_row_is_equal
from tests.plugins.moving import MakeMove

KEYS = 3000


@pytest.mark.parametrize("asked", [Control("item", paused=True), Control("item", rows_per_second=2000)])
def test_a_table_that_is_held_back_keeps_its_base(
    make_move: MakeMove, monkeypatch: pytest.MonkeyPatch, asked: Control
) -> None:
    move = make_move(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, v); CREATE TABLE other (id INTEGER PRIMARY KEY, v);"
        " WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3000) INSERT INTO item SELECT x, x"
        " FROM n; INSERT INTO other SELECT * FROM item"
    )
    move.load()
    monkeypatch.setattr(sweeping, "KEYS_AT_ONCE", KEYS // 3)
    pace = Pace()
    with move.opened() as sides, closing(Catchup(sides, pace)) as catchup:
        catchup.run()
        move.write("UPDATE item SET v = -v WHERE id % 2; UPDATE other SET v = -v; DELETE FROM item WHERE id % 5 = 0")
        pace.ask([asked])
        sweeping.sweep(sides, catchup)
        pace.ask([])
        sweeping.sweep(sides, catchup)
    assert_every_row_is_equal(move.source, move.dsn)
