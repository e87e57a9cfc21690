"""The second opinion on what landed, and the repair of what differs."""

from dataclasses import replace

import pytest

from syncd.engine.verify import Asked, verify
from syncd.errors import UsageError
from syncd.source import guard
from syncd.types import Rendering, TargetType, rendering
from tests.plugins.moving import MakeMove, Move
from tests.plugins.verifying import ITEMS, counts, full, only

EVERY_TYPE = """
CREATE TABLE item (id INTEGER PRIMARY KEY, i INTEGER, r REAL, n NUMERIC(10,2), t TEXT, b BLOB, f BOOLEAN, d DATE,
    m DATETIME, z TIMESTAMPTZ, c TIME, j JSON, u UUID, x);
INSERT INTO item VALUES
    (1, 9007199254740993, 0.1, 12.5, 'it''s', x'00ff', 1, '2024-02-29', '2024-01-01 23:59:59.123456',
     '2024-01-01T12:00:00+09:00', '23:59:59', '{"a": [1, 1.50, true, null]}',
     '6F9619FF-8B86-D011-B42D-00CF4FC964FF', 1),
    (2, -1, -1.7976931348623157e308, -0.01, '', x'', 0, '0001-01-01', '2024-01-01', '2024-01-01 12:00', '00:00', '[]',
     '6f9619ff-8b86-d011-b42d-00cf4fc964ff', 1.5),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
"""


def test_a_second_opinion_agrees_with_every_type(make_move: MakeMove) -> None:
    move = make_move(EVERY_TYPE)
    move.load()
    assert move.refused() == []

    table = only(full(move, paranoid=True))

    assert (table.found, table.compared) == (0, 3)


@pytest.mark.parametrize(
    ("spoilt", "agrees"),
    [("{0}", True), ("substr({0},1,10)", False), ("replace({0},'23:','22:')", False)],
    ids=["nothing", "time of day", "hour"],
)
def test_a_second_opinion_finds_what_rendering_spoils(
    make_move: MakeMove, monkeypatch: pytest.MonkeyPatch, spoilt: str, agrees: bool
) -> None:
    def spoil(value: str, affinity: str, target: TargetType) -> Rendering:
        return replace(rendering(value, affinity, target), field=f"ifnull({spoilt.format(value)},'NULL')")

    monkeypatch.setattr(guard, "rendering", spoil)
    move = make_move(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, m DATETIME); INSERT INTO item VALUES (1, '2024-01-01 23:59:59')"
    )
    move.load()

    assert full(move).found == 0
    report = full(move, paranoid=True)

    assert [d.kind for d in report.differences] == ([] if agrees else ["converted"])
    assert report.found == (0 if agrees else 1)
    with move.opened() as sides:
        sampled = verify(sides, Asked("sample"))
    assert sampled.found == report.found


@pytest.fixture
def items(make_move: MakeMove) -> Move:
    """A hundred items, loaded."""
    move = make_move(ITEMS)
    move.load()
    return move


def test_a_repair_mends_every_kind_of_difference(items: Move) -> None:
    items.execute(
        "UPDATE item SET name = 'other' WHERE id = 5; DELETE FROM item WHERE id = 6; INSERT INTO item VALUES (0, '')"
    )

    report = full(items, repair=True)

    assert (report.found, report.repaired) == (0, 3)
    assert full(items, sync=False).found == 0
    assert items.query("SELECT detail FROM syncd.event WHERE event = 'repaired'") == [("3 rows",)]


def test_a_repair_mends_the_case_of_a_key(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE item (k TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO item VALUES ('a', 1), ('b', 2)",
        "CREATE EXTENSION IF NOT EXISTS citext; CREATE TABLE item (k citext PRIMARY KEY, v text)",
    )
    move.load()
    move.execute("UPDATE item SET k = 'B' WHERE k = 'b'")

    report = full(move, repair=True)

    assert (report.found, report.repaired) == (0, 1)
    assert move.query("SELECT k::text FROM item ORDER BY 1") == [("a",), ("b",)]


def test_what_a_trigger_spoils_again_stays_a_difference(items: Move) -> None:
    items.execute(
        "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := 'spoilt'; RETURN NEW; END $$;"
        "UPDATE item SET name = 'spoilt' WHERE id = 3;"
        "CREATE TRIGGER spoil BEFORE INSERT OR UPDATE ON item FOR EACH ROW EXECUTE FUNCTION spoil()"
    )

    report = full(items, repair=True)

    assert (counts(only(report)), report.repaired) == ((0, 1, 0), 0)


def test_a_sample_repairs_what_it_finds(items: Move) -> None:
    items.execute("UPDATE item SET name = 'other' WHERE id = 5")
    with items.opened() as sides:
        report = verify(sides, Asked("sample", repair=True))

    assert (report.found, report.repaired) == (0, 1)


@pytest.mark.parametrize(
    "asked",
    [Asked("sample", paranoid=True), Asked("full", sync=False, repair=True), Asked("counts", repair=True)],
    ids=["paranoid sample", "repair without pass", "repair by counts"],
)
def test_what_does_not_go_together_is_refused(asked: Asked) -> None:
    with pytest.raises(UsageError):
        asked.check()
