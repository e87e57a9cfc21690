"""What the dashboard says of a report, and in which mood."""

import re
from dataclasses import replace

import pytest

from syncd.engine.report import Report, TableNow, judged
from syncd.model import LastVerify, Phase
from syncd.service.web.pages import Pages
from syncd.target.control import Control
from syncd.target.observe import Happening
from tests.plugins.reports import MOMENT, ready_report

CALM = ready_report()
(TABLE,) = CALM.tables


def shown(report: Report) -> str:
    return Pages().page(judged(replace(report, checks=())))


def rows(*tables: TableNow) -> list[str]:
    """The rows of these tables."""
    return re.findall(r"<tr .*?</tr>", shown(replace(CALM, tables=tables)), re.DOTALL)[1:]


@pytest.mark.parametrize(("lag", "mood"), [(2.0, "good"), (19.0, "warn"), (70.0, "bad")])
def test_the_whole_page_is_of_one_mood_about_a_lag(lag: float, mood: str) -> None:
    page = shown(replace(CALM, lag=lag))

    assert f'<header id="banner" class="{mood}">' in page
    assert f'<div class="{mood}"><dt>Lag</dt>' in page


def test_a_table_that_is_behind_is_not_green() -> None:
    little, much = rows(replace(TABLE, lag=2.0), replace(TABLE, lag=17.0))

    assert 'class="catchup behind good"' in little and ">behind<" in little
    assert 'class="catchup behind warn"' in much and 'class="n warn">17 s<' in much


def test_a_throttle_is_no_pause() -> None:
    throttled, paused = rows(
        replace(TABLE, control=Control("orders", rows_per_second=5, who="ada@desk", since=MOMENT)),
        replace(TABLE, control=Control("orders", paused=True, who="ada@desk", since=MOMENT)),
    )

    assert 'class="catchup"' in throttled and "at most 5 rows/s by ada@desk at 22:13:20 UTC" in throttled
    assert 'class="catchup paused"' in paused


def test_rows_that_nobody_knows_of_are_not_none() -> None:
    assert "rows that wait: not known" in shown(replace(CALM, tables=(replace(TABLE, pending=None),)))
    assert "rows that wait: 7" in shown(replace(CALM, tables=(replace(TABLE, pending=7), TABLE)))


def test_counts_alone_prove_no_table_and_make_nothing_ready() -> None:
    counted = replace(CALM, tables=(replace(TABLE, proven=""),), last_verify=LastVerify(MOMENT, "counts", 0, 0.1))
    page = shown(counted)

    assert "<dd>partly</dd>" in page and "the counts alone, 14 Nov 22:13 UTC" in page
    assert "not every row was compared: orders: syncd verify" in page
    assert not judged(replace(counted, checks=())).is_ready


def test_each_table_tells_of_its_own_proof() -> None:
    cells = [
        re.sub("<.*?>", "", row).strip().splitlines()[-1]
        for row in rows(TABLE, replace(TABLE, proven=""), replace(TABLE, differing=3))
    ]

    assert cells == ["equal", "not yet", "differs"]


def test_source_rows_are_told_where_they_matter() -> None:
    step, behind = rows(replace(TABLE, source_rows=11), replace(TABLE, source_rows=11, lag=3.0))

    assert "of 11" not in step and "of 11" in behind


def test_what_happened_on_another_day_says_on_which() -> None:
    page = shown(
        replace(
            CALM,
            events=(
                Happening(1, "2023-11-13T10:00:00Z", "INFO", "swept", "", ""),
                Happening(2, MOMENT, "INFO", "verified", "", '{"mode": "full", "differing": {"orders": 3}}'),
            ),
        )
    )

    assert "What happened <small>in UTC</small>" in page
    assert '10:00:00<span class="day">13 Nov</span></time>' in page
    assert "22:13:20</time>" in page and "mode full, differing orders: 3" in page


def test_a_promotion_is_the_end_of_the_line() -> None:
    page = shown(replace(CALM, cutover="promoted"))

    assert "promoted: PostgreSQL leads" in page
    assert page.count('<li class="done"') == 5 and 'aria-current="step"' in page


def test_a_stopped_table_is_bad() -> None:
    page = shown(replace(CALM, tables=(replace(TABLE, phase=Phase.STOPPED),)))

    assert '<header id="banner" class="bad">' in page
