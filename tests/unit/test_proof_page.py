"""The report of a cutover as a page: whole by itself, and nothing in it but what it was given."""

import re
from typing import Any

import pytest

from syncd.console.page import Paragraph, Table
from syncd.console.proof import html, report_page

STEP = {"step": "verify", "began": "2026-01-01T00:00:01.000Z", "seconds": 2.0, "outcome": "done", "detail": "all"}
FIRST = {"step": "drain", "began": "2026-01-01T00:00:00.000Z", "seconds": 1.0, "outcome": "done", "detail": ""}
TABLE = {
    "table": "t", "target": "t", "key": "id", "mark": "rowid", "created": True, "source_rows": 1234,
    "target_rows": 1234, "compared": 1234, "rejected": 1, "differences": 0, "size": 2_500_000, "checksum": "abc",
}  # fmt: skip
DOCUMENT: dict[str, Any] = {
    "source": "/srv/app/app.db", "target": "db/app", "outcome": "promoted", "why": "", "attempt": 2, "who": "me",
    "began": "2026-01-01T00:00:00.000Z", "ended": "2026-01-01T00:00:03.000Z", "verified": "full",
    "stopped_seconds": 2.5, "predicted_seconds": 2.0,
    "predicted": [{"step": "verify", "seconds": 1.9, "why": ""}], "steps": [FIRST, STEP], "tables": [TABLE],
    "differences": [{"table": "t", "kind": "different", "key": "7", "detail": "v",
                     "values": [{"column": "v", "source": "<script>x</script>", "target": None}]}],
    "rejects": [{"table": "t", "reason": "text", "column": "v", "rows": 1, "examples": ["9"]}],
    "sequences": [{"sequence": "public.t_id_seq", "table": "t", "column": "id", "value": 99}],
    "statements": ["ALTER TABLE t"], "hooks": [{"name": "on_fence", "command": "stop", "status": None, "seconds": 1.0,
                                               "output": "", "failed": True}],
    "warnings": ["something"], "versions": {"syncd": "1"}, "configuration": "c0ffee", "fence": "lock", "seal": "none",
    "source_bytes": 243_000_000, "image_checksum": "def",
    "shape": {"version": "2.29.2", "aggregates": ["monthly"],
              "hypertables": [{"table": "bar", "time_column": "date", "interval": "6 mons", "chunks": 14,
                               "compressed_chunks": 13, "bytes": 900, "bytes_before": 4000, "bytes_after": 800,
                               "ratio": 5.0}],
              "policies": [{"id": 1000, "relation": "bar", "kind": "compression", "after": "30 days",
                            "every": "12:00:00", "scheduled": True, "last_status": "Success",
                            "last_run": "2026-01-01T00:00:00+00:00", "last_error": ""}]},
}  # fmt: skip


def test_it_needs_no_network() -> None:
    page = html(DOCUMENT)

    assert re.findall(r"(?:src|href)=|url\(|https?://|@import|<script", page) == []


@pytest.mark.parametrize(
    "said",
    [
        "PostgreSQL has taken over",
        "2.50 s",
        "1,234",
        "243.0 MB",
        "99",
        "c0ffee",
        "abc",
        "ended after the timeout",
        "6 mons",
        "12:00:00",
    ],
)
def test_it_tells(said: str) -> None:
    assert said in html(DOCUMENT)


def test_values_are_escaped() -> None:
    assert "&lt;script&gt;x" in html(DOCUMENT)


def test_steps_lie_on_one_line_of_time() -> None:
    places = re.findall(r'class="(stopped)?" style="left:([\d.]+)%;width:([\d.]+)%', html(DOCUMENT))

    assert places == [("", "0.0", "33.33"), ("stopped", "33.33", "66.67")]


def test_writers_wait_from_the_moment_of_the_fence() -> None:
    fence = STEP | {"step": "fence", "seconds": 3.0}
    page = html(DOCUMENT | {"steps": [FIRST, fence], "fenced": "2026-01-01T00:00:02.000Z"})
    bars = re.findall(r'class="(stopped)?" style="left:([\d.]+)%;width:([\d.]+)%', page)

    assert bars[1:] == [("", "25.0", "25.0"), ("stopped", "50.0", "50.0")]


def test_what_was_not_counted_is_no_zero() -> None:
    names = ("source_rows", "target_rows", "compared", "rejected", "differences")
    page = html(DOCUMENT | {"tables": [TABLE | dict.fromkeys(names)], "verified": ""})

    assert len(re.findall(r'<td class="n ?">-</td>', page)) == 2 * len(names)


def test_an_abort_says_why() -> None:
    aborted = DOCUMENT | {"outcome": "aborted", "why": "2 differences", "stopped_seconds": None, "steps": []}
    page = html(aborted)

    assert "is still the truth" in page
    assert "2 differences" in page


def test_the_document_is_the_whole_on_a_terminal_too() -> None:
    assert report_page(DOCUMENT).document == DOCUMENT


def test_a_terminal_lists_the_hypertables_and_the_policies() -> None:
    tables = [block for block in report_page(DOCUMENT).blocks if isinstance(block, Table)]
    rows = [row for table in tables for row in table.rows]

    assert ("bar", "6 mons", 14, 13, 900, 4000, 800, "5.0") in rows
    assert ("compression", "bar", "30 days", "12:00:00") in [row[:4] for row in rows]


def test_a_report_of_an_older_syncd_says_what_it_has_no_record_of() -> None:
    older = {name: value for name, value in DOCUMENT.items() if name != "shape"}
    said = "not recorded by the syncd that made this report"

    assert said in html(older) and "PostgreSQL has taken over" in html(older)
    assert said in [
        value for block in report_page(older).blocks if isinstance(block, Paragraph) for value in block.values
    ]
    assert said not in html(DOCUMENT)
