"""What the commands show at their end: tables, reasons and advice."""

import json
import sys
from datetime import UTC, datetime, timedelta

import pytest

from syncd.console import Table
from syncd.console.found import (
    reject_groups_page,
    reject_page,
    rejects_page,
    status_page,
    typed_key,
)
from syncd.console.moved import dry_run_page, load_page, pass_page
from syncd.console.page import plain_lines
from syncd.engine.dryrun import DryRunReport, DryRunTable
from syncd.engine.status import StatusReport
from syncd.engine.trying import Cause
from syncd.model import (
    Applied,
    Mark,
    PassReport,
    Phase,
    Refusal,
    Reject,
    TableReport,
    TableStatus,
)
from tests.plugins.consoles import MakeConsole, written

pytestmark = pytest.mark.usefixtures("clean_log")


def test_a_load_shows_each_table_and_why_one_stopped(piped: MakeConsole) -> None:
    error = "bad: 50 of 50 rows were rejected\n  See why"
    report = PassReport(
        (
            TableReport("good", Applied(read=10, inserted=8, updated=1, rejected=1), 2.0),
            TableReport("bad", Applied(read=50, rejected=50), 1.0, error),
        ),
        4.0,
    )
    page = load_page(report)
    piped().show(page)
    assert written(sys.stdout).splitlines() == [
        "table  rows read  written  rejected  seconds  rows/s",
        "good          10        9         1     2.00       5",
        "bad           50        0        50     1.00      50",
        "total         60        9        51     4.00      15",
        "",
        "51 rows rejected and kept: syncd rejects list",
        "bad stopped: 50 of 50 rows were rejected",
        "  See why",
    ]
    assert page.document["stopped"] == [{"table": "bad", "error": error}]


def test_a_load_without_work_names_what_stands_still(piped: MakeConsole) -> None:
    piped().show(load_page(PassReport((), 0.1)))
    assert (written(sys.stdout), written(sys.stderr)) == ("", "nothing to load: every table is loaded\n")
    piped().show(load_page(PassReport((), 0.1), [TableReport("bad", Applied(), 0.0, "too many")]))
    assert written(sys.stdout) == "bad stopped: too many\n"
    assert "tried again by syncd sync" in written(sys.stderr)


def test_a_pass_shows_tables_with_activity_alone(piped: MakeConsole) -> None:
    idle = TableReport("idle", Applied(read=20), 0.1)
    piped().show(pass_page(PassReport((idle, TableReport("busy", Applied(read=3, updated=2, deleted=1), 0.1)), 0.2)))
    assert "busy" in written(sys.stdout) and "idle" not in written(sys.stdout)
    assert written(sys.stderr) == ""


def test_a_pass_without_news_says_so_unless_tables_are_not_loaded(piped: MakeConsole) -> None:
    piped().show(pass_page(PassReport((), 0.1)))
    assert (written(sys.stdout), written(sys.stderr)) == ("", "nothing to do: the source has nothing new\n")
    piped().show(pass_page(PassReport((), 0.1), ("a", "b")))
    assert "not loaded yet, so left alone: a, b" in written(sys.stderr)


def test_a_dry_run_shows_what_cannot_land_and_the_estimate(piped: MakeConsole) -> None:
    refusal = Refusal("7", "value", "date cannot hold it", "d")
    cause = Cause("value", "d", 1, (refusal,))
    page = dry_run_page(DryRunReport((DryRunTable("t", 1000, 50_000, 0.5, (cause,)),), 0.5, 85.0))
    piped().show(page)
    shown = written(sys.stdout)
    assert "7: date cannot hold it" in shown and "1 min 25 s" in shown
    assert page.document["estimated_load_seconds"] == 85.0


def _status(phase: Phase = Phase.CATCHUP, error: str = "") -> TableStatus:
    at = (datetime.now(UTC) - timedelta(minutes=5)).isoformat(timespec="seconds")
    return TableStatus("t", phase, 1234, Mark(9, "'2025-10-31 18:30:00'"), 2, error, at)


def test_status_tells_a_person_the_age_and_a_file_the_moment(watched: MakeConsole) -> None:
    status = _status()
    watched().show(status_page(StatusReport("/app.db", "db/app", "running", (status,))))
    assert "5 min ago" in written(sys.stdout) and "1,234" in written(sys.stdout)
    table = status_page(StatusReport("/app.db", "db/app", "running", (status,))).blocks[-1]
    assert isinstance(table, Table)
    assert status.updated_at in plain_lines(table)[1]


def test_status_counts_the_phases_and_shows_errors_in_full(piped: MakeConsole) -> None:
    page = status_page(StatusReport("/app.db", "db/app", "none", (_status(), _status(Phase.STOPPED, "t: why\n  how"))))
    piped().show(page)
    shown = written(sys.stdout)
    assert "syncd   not running" in shown and "tables  2: 1 in catchup, 1 stopped" in shown
    assert shown.endswith("\nt stopped: why\n  how\n")
    assert json.loads(json.dumps(page.document))["tables"][0]["rows_applied"] == 1234


def test_status_does_not_call_a_table_stopped_that_was_not_swept(piped: MakeConsole) -> None:
    page = status_page(StatusReport("/app.db", "db/app", "none", (_status(error="9 of 10 rows would be deleted"),)))
    piped().show(page)
    assert written(sys.stdout).endswith("\nt is kept current but was not swept: 9 of 10 rows would be deleted\n")


def test_status_of_an_untouched_target_says_how_to_begin(piped: MakeConsole) -> None:
    piped().show(status_page(StatusReport("/app.db", "db/app", "none", ())))
    assert "syncd load" in written(sys.stderr) and "/app.db" in written(sys.stdout)


def _reject(key: str, reason: str = "value") -> Reject:
    return Reject("orders", key, reason, "cannot hold it", "qty", "22P02", 2, "then", "now", '{"id": 1, "qty": "[b]x"}')


def test_rejects_are_grouped_by_cause_the_largest_first() -> None:
    page = reject_groups_page([_reject("1", "orphan"), *(_reject(str(n)) for n in range(2, 7))])
    assert isinstance(page.blocks[0], Table)
    assert page.blocks[0].rows == (("orders", "value", "qty", 5, "2  3  4"), ("orders", "orphan", "qty", 1, "1"))


def test_rejects_are_listed_each(piped: MakeConsole) -> None:
    piped().show(rejects_page([_reject("1"), _reject("'o''clock'")]))
    assert "orders  o'clock  value" in written(sys.stdout)


def test_a_reject_is_shown_whole(piped: MakeConsole) -> None:
    page = reject_page(_reject("7"))
    piped().show(page)
    assert '  qty "[b]x"\n' in written(sys.stdout)
    assert page.document["row_data"] == {"id": 1, "qty": "[b]x"}


@pytest.mark.parametrize(
    ("source_key", "typed"), [("7", "7"), ("'a'", "a"), ("'o''clock'", "o'clock"), ("'a','b'", "'a','b'"), ("''", "")]
)
def test_a_key_is_typed_without_the_quotes_of_sql(source_key: str, typed: str) -> None:
    assert typed_key(source_key) == typed
