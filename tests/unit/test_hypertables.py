"""What is proposed for a hypertable, and how each release is told."""

import pytest

from syncd.plan import HypertablePlan
from syncd.plan.shape import chunk_interval, epoch_unit, layout, why_configured
from syncd.target.timescale import statements
from syncd.target.timescale.detection import Timescale
from syncd.target.timescale.statements import Shaping, epoch_length

GIB = 2**30
DAY = 86_400
OLD = Timescale((2, 13, 0), community=True, schema="public")
NEW = Timescale((2, 18, 0), community=True, schema="public")
BY_DATE = Shaping("public", "bar", HypertablePlan("date", "date"))
BY_NUMBER = Shaping("public", "bar", HypertablePlan("at", "bigint"), "ms")


@pytest.mark.parametrize(
    ("rows", "days", "memory", "interval"),
    [
        (926_325, 365, 4 * GIB, "1 month"),
        (926_325, 3650, 4 * GIB, "1 year"),
        (10_000_000, 30, 4 * GIB, "6 hours"),
        (1_000_000_000, 365, GIB, "1 hour"),
        (5_000, 365, 4 * GIB, "3 months"),
        (1, 0, 4 * GIB, "7 days"),
    ],
)
def test_a_chunk_is_worth_its_while_and_its_index_fits_in_memory(
    rows: int, days: int, memory: int, interval: str
) -> None:
    assert chunk_interval(rows, days * DAY, memory).value == interval


@pytest.mark.parametrize(
    ("greatest", "unit"), [(1_700_000_000, "s"), (1_700_000_000_000, "ms"), (1_700_000_000_000_000, "us"), (0, "s")]
)
def test_the_largest_number_tells_what_it_counts(greatest: int, unit: str) -> None:
    assert epoch_unit(greatest) == unit


def test_columns_with_enough_rows_each_are_segments() -> None:
    found = layout(("region", "ticker"), "date", 80_000, (3, 3_700))

    assert found.segment_by == ("region",)
    assert found.order_by == (("ticker", False), ("date", True))


def test_a_column_that_is_another_in_each_row_comes_after_the_time() -> None:
    found = layout(("id",), "date", 80_000, (80_000,))

    assert (found.segment_by, found.order_by) == ((), (("date", True), ("id", False)))


def test_few_tickers_are_segments_by_themselves() -> None:
    found = layout(("region", "ticker"), "date", 80_000, (3, 500))

    assert (found.segment_by, found.order_by) == (("region", "ticker"), (("date", True),))


@pytest.mark.parametrize(
    ("interval", "epoch", "length"),
    [
        ("1 month", "ms", 2_592_000_000),
        ("2 mons", "s", 5_184_000),
        ("7 days", "s", 604_800),
        ("90 min", "s", 5_400),
        ("1 h", "us", 3_600_000_000),
        ("1 year", "s", 31_536_000),
        ("3 weeks", "s", 1_814_400),
        ("15 seconds", "ms", 15_000),
    ],
)
def test_an_interval_counts_in_the_unit_of_the_column(interval: str, epoch: str, length: int) -> None:
    assert epoch_length(interval, epoch) == length


def test_each_release_is_told_by_the_names_that_it_has() -> None:
    assert statements.compress(OLD, "a.b") == 'SELECT "public"."compress_chunk"(\'a.b\', if_not_compressed => true)'
    assert statements.compress(NEW, "a.b") == 'CALL "public"."convert_to_columnstore"(\'a.b\')'
    order = (("date", True),)
    assert "timescaledb.compress_orderby" in statements.enable_compression(OLD, BY_DATE, (), order)
    assert "timescaledb.enable_columnstore" in statements.enable_compression(NEW, BY_DATE, ("ticker",), order)
    assert "compress_after => INTERVAL '30 days'" in statements.compression_policy(OLD, BY_DATE, "30 days")
    assert "after => 2592000000::bigint" in statements.compression_policy(NEW, BY_NUMBER, "30 days")


def test_a_hypertable_of_numbers_gets_its_clock() -> None:
    made, clock, told = statements.create_hypertable(NEW, BY_NUMBER, "1 day", migrate=True)

    assert "\"by_range\"('at', 86400000::bigint)" in made
    assert "migrate_data => true" in made
    assert "(extract(epoch FROM now()) * 1000)::bigint" in clock
    assert "set_integer_now_func" in told


def test_names_are_quoted() -> None:
    odd = Shaping('s"x', "t'y", HypertablePlan("at", "date"))

    (made,) = statements.create_hypertable(NEW, odd, "1 day", migrate=False)

    assert '\'"s""x"."t\'\'y"\'' in made


def test_configured_segments_of_few_rows_are_told() -> None:
    assert why_configured(1_000, 10) == "as configured"
    assert "84,000 rows of a chunk in 18,000 segments compress badly" in why_configured(84_000, 18_000)
