"""What verify shows: a line for each table, examples with both values, and the same for programs."""

import pytest

from syncd.console import Console
from syncd.console.found import status_page
from syncd.console.page import Paragraph, Table
from syncd.console.verified import verify_page
from syncd.engine.status import StatusReport
from syncd.model import Difference, LastVerify, Mark, Phase, TableStatus, TableVerdict, Unlike, VerifyReport

DIFFERENT = Difference("t", "different", "7", "price, name", (Unlike("price", "1", None), Unlike("name", "a ", "a")))
EXTRA = Difference("t", "extra", "'8'", "")


def report() -> VerifyReport:
    verdict = TableVerdict(
        "t", 10, 10, 0, 10, extra=1, different=4, columns=(("price", 4), ("name", 1)), differences=(DIFFERENT, EXTRA)
    )
    return VerifyReport("full", (verdict,), 1.0)


def test_a_row_for_each_value_that_differs() -> None:
    *_, examples, _ = verify_page(report()).blocks

    assert isinstance(examples, Table)
    assert examples.rows == (
        ("t", "different", "7", "price", "1", "NULL"),
        ("t", "different", "7", "name", "'a '", "a"),
        ("t", "extra", "'8'", "", "", ""),
    )


def test_every_difference_is_counted_though_few_are_shown() -> None:
    page = verify_page(report())

    assert isinstance(page.blocks[0], Table)
    assert page.blocks[0].rows == (("t", 10, 10, 0, 10, 0, 4, 1, 5),)
    assert page.document["found"] == 5
    last = page.blocks[-1]
    assert isinstance(last, Paragraph)
    assert last.values[0] == 5


def test_a_program_gets_values_and_columns() -> None:
    document = verify_page(report()).document

    assert isinstance(document["tables"], list)
    assert document["tables"][0]["columns"] == {"price": 4, "name": 1}
    assert document["differences"] == [
        {
            "table": "t",
            "kind": "different",
            "key": "7",
            "detail": "price, name",
            "values": (
                {"column": "price", "source": "1", "target": None},
                {"column": "name", "source": "a ", "target": "a"},
            ),
        },
        {"table": "t", "kind": "extra", "key": "'8'", "detail": "", "values": ()},
    ]


def test_no_difference_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    Console().show(verify_page(VerifyReport("counts", (TableVerdict("t", 10, 10, 0, 0),), 1.0)))

    assert capsys.readouterr().out.endswith("\nno difference, verified by counts in 1.00 s\n")


def test_what_was_repaired_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Console().show(verify_page(VerifyReport("full", (TableVerdict("t", 10, 10, 0, 10, repaired=3),), 1.0)))

    assert "\n3 rows repaired\nno difference" in capsys.readouterr().out


def test_the_status_shows_the_last_verify(capsys: pytest.CaptureFixture[str]) -> None:
    table = TableStatus("t", Phase.CATCHUP, 1, Mark(1), 0)
    last = LastVerify("2024-01-01T00:00:00Z", "full", 2, 1.5, differing={"t": 2})

    page = status_page(StatusReport("app.db", "db/app", "none", (table,), last))
    Console().show(page)

    assert "verify  full: 2 differences, 2024-01-01T00:00:00+00:00" in capsys.readouterr().out
    assert page.document["last_verify"] == {
        "at": "2024-01-01T00:00:00Z",
        "mode": "full",
        "differences": 2,
        "seconds": 1.5,
        "compared_seconds": 0.0,
        "differing": {"t": 2},
    }
