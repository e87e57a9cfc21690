"""The lag: 0 when all is applied, and growing while anything is stuck."""

import os
from pathlib import Path

import pytest

from syncd.engine.lag import FileTimes, Lag
from syncd.engine.pace import Pace
from syncd.target.control import Control


@pytest.fixture
def lag() -> Lag:
    """A lag of a daemon that has caught up."""
    started = Lag()
    started.settled(started.began())
    return started


def test_it_counts_from_the_start_until_the_first_pass() -> None:
    lag = Lag(now=100.0)

    assert lag.seconds(130.0) == 30.0
    lag.settled(lag.began())
    assert lag.seconds(1e12) == 0.0


def test_it_grows_until_a_pass_settles_it_whoever_noticed(lag: Lag) -> None:
    moment = lag.began()
    lag.changed(moment + 1)

    assert lag.seconds(moment + 61) == 60.0
    lag.changed(moment + 50)
    assert lag.seconds(moment + 61) == 60.0


def test_a_change_during_a_pass_waits_for_the_next(lag: Lag) -> None:
    lag.changed()
    moment = lag.began()
    lag.changed(moment + 5)
    lag.settled(moment)

    assert lag.seconds(moment + 7) == 2.0


def test_times_of_the_file_that_a_pass_has_covered_are_no_news(lag: Lag) -> None:
    moment = lag.began()
    lag.settled(moment)
    lag.changed(moment - 1)

    assert lag.seconds(moment + 100) == 0.0


def test_a_table_that_is_left_out_goes_on_waiting(lag: Lag) -> None:
    lag.changed()
    moment = lag.began()
    lag.settled(moment, {"orders"})

    assert lag.of_table("orders", moment + 60) >= 60.0
    assert lag.of_table("others", moment + 60) == 0.0
    assert lag.seconds(moment + 60) >= 60.0
    lag.settled(lag.began())
    assert lag.of_table("orders", moment + 60) == 0.0


def test_without_changes_a_table_that_is_left_out_does_not_lag(lag: Lag) -> None:
    moment = lag.began()
    lag.settled(moment, {"orders"})

    assert lag.seconds(moment + 60) == 0.0


def test_the_file_and_its_journals_tell_of_changes(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    path.touch()
    times = FileTimes(path)

    assert times.changed_at() is None
    wal = tmp_path / "app.db-wal"
    wal.write_bytes(b"frames")
    assert times.changed_at() is not None
    assert times.wal_bytes == 6
    os.utime(wal, (1000, 1000))
    assert times.changed_at() == 1000.0
    assert times.changed_at() is None


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    path.touch()
    times = FileTimes(path)
    path.unlink()

    with pytest.raises(FileNotFoundError):
        times.changed_at()


def test_a_pause_holds_one_table_or_all() -> None:
    pace = Pace()
    pace.ask([Control("orders", paused=True)])

    assert pace.holds("orders") and not pace.holds("others") and not pace.is_paused()
    pace.ask([Control(paused=True)])
    assert pace.holds("orders") and pace.holds("others") and pace.is_paused()


def test_it_tells_that_something_may_go_on() -> None:
    pace = Pace()

    assert not pace.ask([Control("orders", paused=True)])
    assert pace.ask([])
    assert pace.is_free and not pace.holds("orders")


def test_rows_that_were_spent_hold_the_table_for_their_time() -> None:
    pace = Pace()
    pace.ask([Control("orders", rows_per_second=10)])
    pace.spend("orders", 100)
    pace.spend("others", 100)

    assert pace.limits("orders") and not pace.limits("others")
    assert pace.holds("orders") and not pace.holds("others")


def test_a_limit_of_all_counts_every_table() -> None:
    pace = Pace()
    pace.ask([Control(rows_per_second=10)])
    pace.spend("others", 100)

    assert pace.holds("orders")


def test_a_wait_ends_with_the_daemon() -> None:
    asked = iter([False, False, True])
    alive: list[bool] = []
    pace = Pace(lambda: alive.append(True), lambda: next(asked))
    pace.ask([Control("orders", paused=True)])

    pace.wait("orders", out=True)

    assert alive == [True, True]
