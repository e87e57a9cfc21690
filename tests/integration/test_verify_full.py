"""The full comparison is itself checked: whatever differs between the two sides is found, named and counted."""

from contextlib import closing

import psycopg
import pytest

from syncd.console.page import Paragraph
from syncd.console.verified import verify_page
from syncd.engine.verify import Asked, scan, verify
from syncd.model import Difference, Unlike
from tests.plugins.moving import TOLERANT, MakeMove, Move
from tests.plugins.verifying import ITEMS, counts, full, only


@pytest.fixture
def items(make_move: MakeMove) -> Move:
    """A hundred items, loaded."""
    move = make_move(ITEMS)
    move.load()
    return move


@pytest.mark.parametrize("sync", [True, False])
def test_equal_sides_have_no_difference(items: Move, sync: bool) -> None:
    table = only(full(items, sync=sync))

    assert counts(table) == (0, 0, 0)
    assert (table.source_rows, table.target_rows, table.compared, table.found) == (100, 100, 100, 0)
    assert table.differences == ()


@pytest.mark.parametrize("key", [1, 50, 100])
@pytest.mark.parametrize("sync", [True, False])
def test_a_changed_cell_is_found_with_both_values(items: Move, key: int, sync: bool) -> None:
    items.execute(f"UPDATE item SET name = 'other' WHERE id = {key}")

    table = only(full(items, sync=sync))

    assert counts(table) == (0, 1, 0)
    assert table.columns == (("name", 1),)
    values = (Unlike("name", f"item {key}", "other"),)
    assert table.differences == (Difference("item", "different", str(key), "name", values),)


@pytest.mark.parametrize("key", [1, 50, 100])
def test_a_missing_row_is_found(items: Move, key: int) -> None:
    items.execute(f"DELETE FROM item WHERE id = {key}")

    table = only(full(items))

    assert counts(table) == (1, 0, 0)
    assert table.differences == (Difference("item", "missing", str(key), ""),)


@pytest.mark.parametrize("key", [-7, 101])
@pytest.mark.parametrize("sync", [True, False])
def test_an_extra_row_is_found(items: Move, key: int, sync: bool) -> None:
    items.execute(f"INSERT INTO item VALUES ({key}, 'more')")

    table = only(full(items, sync=sync))

    assert counts(table) == (0, 0, 1)
    assert table.differences == (Difference("item", "extra", f"'{key}'", ""),)


def test_a_missing_row_does_not_hide_an_extra_one(items: Move) -> None:
    items.execute("UPDATE item SET id = 1000 WHERE id = 10")

    assert counts(only(full(items))) == (1, 0, 1)


def has_xml(dsn: str) -> bool:
    with closing(psycopg.connect(dsn)) as connection:
        try:
            connection.execute("SELECT xml '<a/>'")
        except psycopg.errors.FeatureNotSupported:
            return False
    return True


@pytest.mark.parametrize(
    ("source", "target", "change", "shown"),
    [
        ("TEXT DEFAULT ''", "", "NULL", ("", None)),
        ("TEXT", "", "''", (None, "")),
        ("TEXT COLLATE NOCASE DEFAULT 'a'", "", "'A'", ("a", "A")),
        ("TEXT DEFAULT 'a'", "citext", "'A'", ("a", "A")),
        ("TEXT DEFAULT 'a'", "", "'a '", ("a", "a ")),
        ("REAL DEFAULT 0.1", "", "0.10000000000000002", ("0.1", "0.10000000000000002")),
        ("REAL DEFAULT 0.0", "", "'-0'", ("0", "-0")),
        ("DATETIME DEFAULT '2024-01-01 23:59:59'", "", "'2024-01-01'", ("2024-01-01 23:59:59", "2024-01-01 00:00:00")),
        ("TEXT DEFAULT '{\"a\": 1}'", "json", "'{\"a\":1}'", ('{"a": 1}', '{"a":1}')),
        ("TEXT DEFAULT '{\"a\": 1}'", "jsonb", "'{\"a\": 1.0}'", ('{"a": 1}', '{"a": 1.0}')),
        ("TEXT DEFAULT '<a/>'", "xml", "'<a></a>'", ("<a/>", "<a></a>")),
        ("TEXT DEFAULT '(1,2)'", "point", "'(1,3)'", ("(1,2)", "(1,3)")),
        ("TEXT DEFAULT '(2,2),(0,0)'", "box", "'(4,1),(0,0)'", ("(2,2),(0,0)", "(4,1),(0,0)")),
        ("BLOB DEFAULT x'00ff'", "", "'\\x00fe'", ("\\x00ff", "\\x00fe")),
        ("TEXT DEFAULT '1.0'", "numeric", "1.00", ("1.0", "1.00")),
    ],
    ids=[
        "null", "empty", "nocase", "citext", "blank", "last bit", "minus zero", "time of day", "json", "jsonb", "xml",
        "point", "box", "bytes", "scale",
    ],
)  # fmt: skip
def test_what_looks_alike_is_told_apart(
    make_move: MakeMove, database: str, source: str, target: str, change: str, shown: tuple[str | None, str | None]
) -> None:
    if target == "xml" and not has_xml(database):
        pytest.skip("this server was built without libxml")
    existing = f"CREATE EXTENSION IF NOT EXISTS citext; CREATE TABLE item (id bigint PRIMARY KEY, v {target})"
    move = make_move(
        f"CREATE TABLE item (id INTEGER PRIMARY KEY, v {source}); INSERT INTO item (id) VALUES (1), (2)",
        existing if target else "",
    )
    move.load()
    assert full(move).found == 0

    move.execute(f"UPDATE item SET v = {change} WHERE id = 2")

    (difference,) = full(move).differences
    assert (difference.kind, difference.key, difference.values) == ("different", "2", (Unlike("v", *shown),))


def test_the_case_of_a_key_is_compared(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE item (k TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO item VALUES ('a', 1), ('b', 2)",
        "CREATE EXTENSION IF NOT EXISTS citext; CREATE TABLE item (k citext PRIMARY KEY, v text)",
    )
    move.load()
    move.execute("UPDATE item SET k = 'B' WHERE k = 'b'")

    table = only(full(move))

    assert (counts(table), table.columns) == ((0, 1, 0), (("k", 1),))


@pytest.mark.parametrize("rowid", ["", " WITHOUT ROWID"])
def test_composite_keys_are_compared_both_ways(make_move: MakeMove, rowid: str) -> None:
    move = make_move(
        f"CREATE TABLE bar (ticker TEXT, day DATE, close REAL, PRIMARY KEY (ticker, day)){rowid};"
        "INSERT INTO bar VALUES ('a', '2024-01-01', 1), ('a', '2024-01-02', 2), ('it''s', '2024-01-01', 3)"
    )
    move.load()
    assert full(move).found == 0
    move.execute(
        "UPDATE bar SET close = 5 WHERE ticker = 'it''s'; DELETE FROM bar WHERE day = '2024-01-02';"
        "INSERT INTO bar VALUES ('it''s', '2024-01-03', 9)"
    )

    table = only(full(move))

    assert counts(table) == (1, 1, 1)
    assert [d.key for d in table.differences if d.kind == "extra"] == ["'it''s','2024-01-03'"]


def test_a_mapped_table_is_compared_with_its_expressions_and_its_where(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, region TEXT, cents INTEGER, at INTEGER);"
        "INSERT INTO item VALUES (1, NULL, 150, 1704067200), (2, 'KR', 299, 1704067260), (3, 'XX', 1, 0)"
    )
    move.configure(
        f"{TOLERANT}[table:item]\ntarget = article\nwhere = region IS NOT 'XX'\nexclude = cents\n"
        "column.region = coalesce(region, 'US')\ncolumn.price = cents / 100.0\ntype.at = timestamptz from epoch_s\n"
    )
    move.load()
    assert full(move, paranoid=True).found == 0

    move.execute("UPDATE article SET price = 1.51 WHERE id = 1; INSERT INTO article (id, region) VALUES (3, 'XX')")

    table = only(full(move, paranoid=True))
    assert (counts(table), table.columns) == ((0, 1, 1), (("price", 1),))


@pytest.mark.parametrize("key", ["1", "60", "61", "120", "121", "400"])
def test_every_range_is_compared(make_move: MakeMove, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setattr(scan, "ROWS_AT_ONCE", 60)
    move = make_move(ITEMS.replace("i < 100", "i < 400"))
    move.configure(TOLERANT + "batch_rows = 20\nworkers = 3\n")
    move.load()
    move.execute(f"UPDATE item SET price = 0 WHERE id = {key}")

    table = only(full(move))

    assert (counts(table), table.differences[0].key, table.compared) == ((0, 1, 0), key, 400)


def test_many_differences_are_counted_whole_and_shown_in_part(items: Move) -> None:
    items.execute("UPDATE item SET name = upper(name), price = 0 WHERE id <= 60; DELETE FROM item WHERE id > 60")

    table = only(full(items))

    assert counts(table) == (40, 60, 0)
    assert dict(table.columns) == {"name": 60, "price": 60}
    assert 0 < len(table.differences) < 30


def test_rejected_rows_are_counted_apart(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT);"
        "INSERT INTO item VALUES (1, 'a'), (2, 'too long'), (3, 'c')",
        "CREATE TABLE item (id bigint PRIMARY KEY, v varchar(3)); INSERT INTO item VALUES (2, 'old')",
    )
    move.load()
    assert move.refused() == [("2", "value", "v")]

    table = only(full(move))

    assert (counts(table), table.rejected, table.older, table.found) == ((0, 0, 0), 1, 1, 0)
    move.execute("INSERT INTO item VALUES (4, 'y')")
    assert counts(only(full(move))) == (0, 0, 1)


def test_a_rejected_row_that_the_target_lacks_stands_there_in_no_version(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO item VALUES (1, ''), (2, 'long'), (3, 'long')",
        "CREATE TABLE item (id bigint PRIMARY KEY, v varchar(3)); INSERT INTO item VALUES (3, 'old')",
    )
    move.load()

    report = full(move)

    assert (only(report).rejected, only(report).older) == (2, 1)
    said = [block for block in verify_page(report).blocks if isinstance(block, Paragraph)]
    assert [block.values for block in said if "older version" in block.template] == [(1, "rejected row", "stands")]


def test_a_row_that_cannot_land_and_is_no_reject_is_missing(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO item VALUES (1, '1999-01-01'), (2, 'once')",
        "CREATE TABLE item (id bigint PRIMARY KEY, v inet)",
    )
    move.configure("[sync]\nmax_reject_ratio = 1\n")
    move.load()
    move.execute("DELETE FROM syncd.reject")

    table = only(full(move))

    assert counts(table) == (2, 0, 0)
    assert "cannot land" in table.differences[0].detail


def test_rows_that_give_way_to_another_are_no_match_of_an_extra_row(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE item (k TEXT, v TEXT); INSERT INTO item VALUES ('a', 'old'), ('a', 'new'), ('b', '')"
    )
    move.configure(TOLERANT + "[table:item]\nkey = k\n")
    move.load()
    assert full(move).found == 0
    move.execute("INSERT INTO item VALUES ('c', 'extra')")

    assert counts(only(full(move))) == (0, 0, 1)


def test_an_empty_source_leaves_extra_rows(items: Move) -> None:
    items.write("DELETE FROM item WHERE id > 1")

    assert counts(only(full(items, sync=False))) == (0, 0, 99)


def test_a_table_without_a_primary_key_is_compared(make_move: MakeMove) -> None:
    move = make_move("CREATE TABLE note (v TEXT); INSERT INTO note VALUES ('a'), ('b'), ('b')")
    move.load()
    move.execute("UPDATE note SET v = 'c' WHERE _syncd_rowid = 3")

    assert counts(only(full(move))) == (0, 1, 0)


def test_a_missing_target_table_is_a_difference(items: Move) -> None:
    items.write("CREATE TABLE later (id INTEGER PRIMARY KEY); INSERT INTO later VALUES (1)")

    (later,) = [table for table in full(items).tables if table.table == "later"]

    assert (later.found, later.differences[0].kind) == (1, "not loaded")


@pytest.mark.parametrize("sync", [True, False])
def test_a_table_that_a_load_refused_is_not_loaded(make_move: MakeMove, sync: bool) -> None:
    move = make_move(ITEMS + "CREATE TABLE odd (id INTEGER PRIMARY KEY, xmin TEXT); INSERT INTO odd VALUES (1, 'a');")
    assert [table.table for table in move.load().stopped] == ["odd"]
    move.configure("[table:odd]\ncolumn.low = xmin\n")

    odd = next(table for table in full(move, sync=sync).tables if table.table == "odd")

    assert (odd.source_rows, odd.target_rows, odd.found) == (1, 0, 1)
    assert odd.differences == (Difference("odd", "not loaded", "", "a load refused it; syncd load tries again"),)
    move.load()
    assert [table.found for table in full(move, sync=sync).tables] == [0, 0]


def test_without_a_pass_new_rows_are_missing(items: Move) -> None:
    items.write("INSERT INTO item (id) VALUES (101)")

    assert counts(only(full(items, sync=False))) == (1, 0, 0)
    assert full(items).found == 0


def test_no_private_copy_is_left_but_the_base(items: Move) -> None:
    with items.opened() as sides:
        verify(sides, Asked("full"))
        left = {path.stem for path in sides.state_dir.glob("*.snapshot")}
        assert left == {checkpoint.base_snapshot for checkpoint in sides.checkpoints().values()}


def test_the_live_file_is_read_where_there_is_no_room(items: Move, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncd.source.snapshot.has_room", lambda *_: False)
    items.execute("UPDATE item SET price = 0 WHERE id = 7; INSERT INTO item VALUES (0, '')")

    assert counts(only(full(items))) == (0, 1, 1)


def test_the_result_is_kept_for_the_status(items: Move) -> None:
    items.execute("DELETE FROM item WHERE id = 1")
    full(items)

    with items.opened() as sides:
        last = sides.state.last_verify(sides.control)
    assert last is not None
    assert (last.mode, last.differences) == ("full", 1)


def test_deletes_and_updates_that_no_mark_shows_are_brought_first(items: Move) -> None:
    items.write("DELETE FROM item WHERE id IN (1, 50); UPDATE item SET name = 'new' WHERE id = 7")

    assert full(items).found == 0
    assert items.query("SELECT count(*), count(*) FILTER (WHERE name = 'new') FROM item") == [(98, 1)]


def test_rows_that_stay_by_configuration_are_no_difference(items: Move) -> None:
    items.configure(f"{TOLERANT}[table:item]\ndeletes = no\n")
    items.write("DELETE FROM item WHERE id IN (1, 50)")

    report = full(items)
    assert report.found == 0
    assert [table.kept for table in report.tables] == [2]
    assert items.query("SELECT count(*) FROM item") == [(100,)]
