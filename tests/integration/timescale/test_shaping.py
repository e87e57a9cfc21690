"""The whole shape of a table: made before its rows, completed after them, found complete the second time."""

import pytest

from syncd.engine.progress import Silent
from syncd.engine.timescale import policies, shape
from syncd.target.state import State
from tests.plugins.moving import MakeMove, Move
from tests.plugins.shaping import BARS, SHAPED, kinds, previewed, shaped, shaped_for
from tests.plugins.verifying import full

pytestmark = pytest.mark.usefixtures("timescale")

ALL = [
    ("index", "bar"),
    ("index", "bar"),
    ("compression", "bar"),
    ("chunks", "bar"),
    ("aggregate", "bar_monthly"),
    ("aggregate", "bar_yearly"),
    ("refresh", "bar_monthly"),
    ("refresh", "bar_yearly"),
    ("policy", "bar"),
    ("policy", "bar_monthly"),
    ("policy", "bar_yearly"),
]


@pytest.fixture
def move(make_move: MakeMove) -> Move:
    moving = make_move(BARS)
    moving.configure(SHAPED)
    moving.load()
    return moving


def chunks(move: Move, *, compressed: bool) -> int:
    query = "SELECT count(*) FROM timescaledb_information.chunks WHERE hypertable_name = 'bar' AND is_compressed = "
    return int(move.query(query + str(compressed))[0][0])


def assert_aggregates_are_equal(move: Move) -> None:
    monthly = "SELECT ticker, date_trunc('month', date)::date, max(close), sum(volume) FROM bar GROUP BY 1, 2"
    yearly = "SELECT ticker, date_trunc('year', date)::date, max(close), sum(volume) FROM bar GROUP BY 1, 2"
    for name, query in (("bar_monthly", monthly), ("bar_yearly", yearly)):
        assert sorted(move.query(f"SELECT * FROM {name}")) == sorted(move.query(query))


def test_a_load_makes_the_empty_table_a_hypertable(move: Move) -> None:
    assert chunks(move, compressed=False) >= 4
    assert move.query("SELECT count(*) FROM ONLY bar") == [(0,)]
    assert move.query("SELECT count(*) FROM bar") == [(5840,)]


def test_a_preview_shows_every_step_and_changes_nothing(move: Move) -> None:
    report = previewed(move)

    assert kinds(report) == ALL
    assert all(step.statements and step.why for step in report.steps)
    assert kinds(previewed(move)) == ALL
    assert move.query("SELECT count(*) FROM timescaledb_information.jobs WHERE hypertable_name = 'bar'") == [(0,)]


def test_everything_gets_its_shape_and_the_second_run_finds_nothing_to_do(move: Move) -> None:
    report = shaped(move)

    assert (kinds(report), report.refused) == (ALL, ())
    assert [step.relation for step in report.waiting] == ["bar"]
    assert chunks(move, compressed=False) == 0
    assert_aggregates_are_equal(move)
    assert full(move).found == 0
    assert kinds(shaped(move)) == []


@pytest.mark.parametrize("statements", [0, 1, 4, 8, 11, 15])
def test_shaping_that_is_stopped_anywhere_goes_on(move: Move, statements: int) -> None:
    first = shaped_for(move, statements)
    second = shaped(move)

    assert not first.finished
    assert set(kinds(first)) | set(kinds(second)) == set(ALL)
    assert_aggregates_are_equal(move)
    assert kinds(shaped(move)) == []


def test_a_table_that_has_rows_is_made_a_hypertable_by_moving_them(make_move: MakeMove) -> None:
    moving = make_move(BARS)
    moving.load()
    moving.configure(SHAPED)
    assert previewed(moving).refused == ()

    report = shaped(moving)

    assert kinds(report)[0] == ("hypertable", "bar")
    assert "locked" in report.steps[0].why
    assert move_rows(moving) == 5840
    assert kinds(shaped(moving)) == []
    assert full(moving).found == 0


class KilledBefore(Silent):
    """A session of a run that was killed ends its work when the next run has planned already."""

    def __init__(self, move: Move) -> None:
        self._move = move

    def table_started(self, table: str, rows: int) -> None:
        super().table_started(table, rows)
        if table == "bar: hypertable":
            self._move.execute("SELECT create_hypertable('bar', by_range('date'), migrate_data => true)")


def test_a_table_that_a_killed_run_makes_a_hypertable_at_last(make_move: MakeMove) -> None:
    moving = make_move(BARS)
    moving.load()
    moving.configure("[hypertable:bar]\ntime_column = date\n")

    with moving.opened() as sides:
        report = shape(sides, KilledBefore(moving))

    assert report.refused == ()
    assert move_rows(moving) == 5840


def test_an_index_gets_another_name_where_its_own_is_taken(make_move: MakeMove) -> None:
    moving = make_move(BARS + "CREATE TABLE other (id INTEGER PRIMARY KEY); CREATE INDEX bar_date_idx ON other (id);")
    moving.configure("[hypertable:bar]\ntime_column = date\n")
    moving.load()

    report = shaped(moving)

    assert report.refused == ()
    assert ("bar_date_idx1",) in moving.query("SELECT indexname::text FROM pg_indexes WHERE tablename = 'bar'")
    moving.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'bar_date_idx1'::regclass")
    assert kinds(shaped(moving)) == [("index", "bar")]
    assert kinds(shaped(moving)) == []


def move_rows(move: Move) -> int:
    return int(move.query("SELECT count(*) FROM bar")[0][0])


def test_an_index_that_was_interrupted_is_made_anew(move: Move) -> None:
    shaped(move)
    move.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'bar_close'::regclass")

    assert kinds(shaped(move)) == [("index", "bar")]
    assert move.query("SELECT indisvalid FROM pg_index WHERE indexrelid = 'bar_close'::regclass") == [(True,)]


def test_policies_stand_still_during_a_load_and_after_a_crash_go_on(move: Move) -> None:
    shaped(move)
    move.write("CREATE TABLE other (id INTEGER PRIMARY KEY); INSERT INTO other VALUES (1);")
    move.execute("CREATE TABLE seen (scheduled boolean)")
    watch = "INSERT INTO seen SELECT j.scheduled FROM timescaledb_information.jobs j WHERE j.job_id >= 1000;"
    move.execute(
        f"CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {watch} RETURN NULL; END $$;"
        "CREATE TRIGGER look AFTER INSERT ON syncd.checkpoint FOR EACH STATEMENT EXECUTE FUNCTION look();"
    )

    move.load()

    assert (False,) in move.query("SELECT DISTINCT scheduled FROM seen")
    assert move.query("SELECT DISTINCT scheduled FROM timescaledb_information.jobs WHERE job_id >= 1000") == [(True,)]
    with move.opened() as sides:
        state = State(str(sides.source.path))
        last = state.last_detail(sides.control, ("policies_paused", "policies_resumed"))
    assert last and last[0] == "policies_resumed"


def paused_and_resumed(move: Move) -> list[str]:
    return [name for (name,) in move.query("SELECT event FROM syncd.event WHERE event LIKE 'policies%' ORDER BY id")]


def test_policies_stand_still_while_much_is_repaired(move: Move, monkeypatch: pytest.MonkeyPatch) -> None:
    shaped(move)
    damage = "UPDATE bar SET close = 1 WHERE ticker = 'T3' AND date < '2023-01-11'"
    move.execute(damage)
    before = paused_and_resumed(move)
    assert full(move, repair=True).found == 0
    assert paused_and_resumed(move) == before

    move.execute(damage)
    monkeypatch.setattr(policies, "MANY_ROWS", 10)
    assert full(move, repair=True).found == 0
    # What was repaired is swept again, and may be many rows as well.
    since = paused_and_resumed(move)[len(before) :]
    assert since == ["policies_paused", "policies_resumed"] * (len(since) // 2)
    assert since


def test_policies_stand_still_while_much_is_swept(move: Move, monkeypatch: pytest.MonkeyPatch) -> None:
    shaped(move)
    move.sweep()
    before = paused_and_resumed(move)
    monkeypatch.setattr(policies, "MANY_ROWS", 10)
    move.write("UPDATE bar SET close = close + 1 WHERE ticker = 'T3' AND date < '2023-01-11'")
    move.sweep()
    assert paused_and_resumed(move) == [*before, "policies_paused", "policies_resumed"]


def test_other_intervals_are_taken_up(move: Move) -> None:
    shaped(move)
    move.configure(
        SHAPED.replace("30 days", "60 days").replace("chunk_interval = 6 months", "chunk_interval = 7 days")
        + "[aggregate:bar_weekly]\nquery = SELECT time_bucket('7 days', date) AS week, count(*) FROM bar GROUP BY 1\n"
    )

    assert kinds(shaped(move)) == [
        ("hypertable", "bar"),
        ("aggregate", "bar_weekly"),
        ("refresh", "bar_weekly"),
        ("policy", "bar"),
        ("policy", "bar_weekly"),
    ]
    assert kinds(shaped(move)) == []
    assert sum(n for _, n in move.query("SELECT * FROM bar_weekly")) == 5840


def test_rows_at_the_ends_of_time_are_aggregated(make_move: MakeMove) -> None:
    move = make_move(
        "CREATE TABLE note (id INTEGER PRIMARY KEY, at DATE NOT NULL);"
        "INSERT INTO note VALUES (1, '0001-01-01'), (2, '2024-01-05'), (3, '2024-01-06'), (4, '9999-12-31');"
    )
    aggregate = "query = SELECT time_bucket('1 month', at) AS month, count(*) FROM note GROUP BY 1"
    move.configure(f"[hypertable:note]\ntime_column = at\n[aggregate:monthly]\n{aggregate}\n")
    move.load()

    report = shaped(move)

    assert report.refused == ()
    (refreshed,) = [step for step in report.steps if str(step.kind) == "refresh"]
    assert len(refreshed.statements) <= 8
    assert move.query("SELECT month::text, count FROM monthly ORDER BY month") == [
        ("0001-01-01", 1),
        ("2024-01-01", 2),
        ("9999-12-01", 1),
    ]
