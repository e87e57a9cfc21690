"""The rules of the second opinion, each by values that pass and values that look alike and do not."""

import pytest

from syncd.engine.verify.independent import Value, holds
from syncd.types import TargetType


@pytest.mark.parametrize(
    ("type_name", "value", "shown"),
    [
        ("bigint", 9007199254740993, "9007199254740993"),
        ("integer", 5.0, "5"),
        ("smallint", "-7", "-7"),
        ("double precision", 0.1, "0.1"),
        ("double precision", -0.0, "-0"),
        ("double precision", float("inf"), "Infinity"),
        ("real", 0.1, "0.1"),
        ("numeric", 0.1, "0.1"),
        ("numeric(10,2)", 12.5, "12.50"),
        ("numeric", "1.00", "1.00"),
        ("text", "it's", "it's"),
        ("text", 7, "7"),
        ("text", 1e20, "1.0e+20"),
        ("character(3)", "a ", "a"),
        ("bytea", b"\x00\xff", "\\x00ff"),
        ("boolean", 1, "true"),
        ("boolean", "F", "false"),
        ("date", "2024-02-29", "2024-02-29"),
        ("date", "2024-02-29 00:00:00", "2024-02-29"),
        ("timestamp without time zone", "2024-01-01T23:59", "2024-01-01 23:59:00"),
        ("timestamp without time zone", "2024-01-01 00:00:00.5", "2024-01-01 00:00:00.5"),
        ("timestamp with time zone", "2024-01-01T12:00:00+09:00", "2024-01-01 03:00:00+00"),
        ("timestamp with time zone", "2024-01-01 12:00:00Z", "2024-01-01 12:00:00+00"),
        ("time without time zone", "23:59", "23:59:00"),
        ("jsonb", '{"b": [1, null], "a": 1.50}', '{"a": 1.50, "b": [1, null]}'),
        ("uuid", "6F9619FF-8B86-D011-B42D-00CF4FC964FF", "6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
        ("point", "(1,2)", "( 1 , 2 )"),
        ("text", None, None),
    ],
)
def test_a_value_is_held(type_name: str, value: Value, shown: str | None) -> None:
    assert holds(value, shown, TargetType(type_name))


@pytest.mark.parametrize(
    ("type_name", "value", "shown"),
    [
        ("bigint", 9007199254740993, "9007199254740992"),
        ("integer", 5.5, "5"),
        ("double precision", 0.1, "0.10000000000000002"),
        ("double precision", -0.0, "0"),
        ("numeric(10,2)", 12.5, "12.51"),
        ("numeric", 0.1, "0.10000000000000002"),
        ("text", "a", "A"),
        ("text", "a ", "a"),
        ("text", "", None),
        ("text", None, ""),
        ("bytea", b"\x00", "\\x01"),
        ("bytea", "00", "\\x00"),
        ("boolean", 1, "false"),
        ("boolean", 2, "true"),
        ("date", "2024-01-01 23:59:59", "2024-01-01"),
        ("timestamp without time zone", "2024-01-01 23:59:59", "2024-01-01 00:00:00"),
        ("timestamp without time zone", "now", "2024-01-01 00:00:00"),
        ("timestamp with time zone", "2024-01-01T12:00:00+09:00", "2024-01-01 12:00:00+00"),
        ("time without time zone", "23:59", "23:58:00"),
        ("jsonb", "true", "1"),
        ("jsonb", '{"a": 1}', '{"a": 2}'),
        ("uuid", "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "6f9619ff-8b86-d011-b42d-00cf4fc964fe"),
    ],
)
def test_a_value_that_looks_alike_is_not_held(type_name: str, value: Value, shown: str | None) -> None:
    assert not holds(value, shown, TargetType(type_name))


@pytest.mark.parametrize(
    ("origin", "value", "shown"),
    [
        ("epoch_s", 1704153599, "2024-01-01 23:59:59+00"),
        ("epoch_s", -0.0, "1970-01-01 00:00:00+00"),
        ("epoch_ms", 1704153599123, "2024-01-01 23:59:59.123+00"),
        ("epoch_us", -1, "1969-12-31 23:59:59.999999+00"),
        ("julian", 2460311.5, "2024-01-02 00:00:00+00"),
        ("epoch_s", "1704153599", "2024-01-01 23:59:59+00"),
    ],
)
def test_a_moment_kept_as_a_number_is_held(origin: str, value: Value, shown: str) -> None:
    target = TargetType("timestamp with time zone", origin=origin)

    assert holds(value, shown, target)
    assert not holds(value, shown.replace("+00", "+01"), target)


def test_the_scale_of_an_existing_column_rounds_and_no_other_does() -> None:
    assert holds(0.125, "0.13", TargetType("numeric(10,2)", scale_rounds=True))
    assert not holds(0.125, "0.13", TargetType("numeric(10,2)"))


def test_text_without_a_zone_is_read_in_the_configured_one() -> None:
    target = TargetType("timestamp with time zone")

    assert holds("2024-07-01 12:00:00", "2024-07-01 12:00:00+02", target, "Europe/Berlin")
    assert not holds("2024-07-01 12:00:00", "2024-07-01 12:00:00+01", target, "Europe/Berlin")
