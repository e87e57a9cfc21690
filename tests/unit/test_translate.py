"""What SQLite's expressions become in PostgreSQL, and what is refused rather than guessed."""

import pytest

from syncd.plan.translate import Scope, Untranslatable, check, column_term, default, member
from syncd.types import TargetType

COLUMNS = {
    "n": ("bigint", "INTEGER", "BINARY"),
    "price": ("numeric(10,2)", "NUMERIC", "BINARY"),
    "ratio": ("double precision", "REAL", "BINARY"),
    "name": ("text", "TEXT", "BINARY"),
    "email": ("text", "TEXT", "NOCASE"),
    "padded": ("text", "TEXT", "RTRIM"),
    "odd": ("text", "TEXT", "HANGUL"),
    "loose": ("text", "BLOB", "BINARY"),
    "active": ("boolean", "NUMERIC", "BINARY"),
    "day": ("date", "NUMERIC", "BINARY"),
    "at": ("timestamp without time zone", "NUMERIC", "BINARY"),
    "doc": ("jsonb", "NUMERIC", "BINARY"),
    "raw": ("bytea", "BLOB", "BINARY"),
    "digits": ("bigint", "TEXT", "BINARY"),
}
SCOPE: Scope = {
    **{
        name: column_term(name, TargetType(type_), affinity, collation, not_null=name == "raw")
        for name, (type_, affinity, collation) in COLUMNS.items()
    },
    'a"b': column_term('A"B', TargetType("text"), "TEXT", "BINARY", not_null=False),
    "left_out": None,
}


class TestConditions:
    @pytest.mark.parametrize(
        ("sqlite", "postgresql"),
        [
            ("n > 0", '"n" > 0'),
            ("N == -1 AND name <> ''", '"n" = -1 AND "name" <> \'\''),
            ("n > 0 AND (n < 5 OR price >= 1.5)", '"n" > 0 AND ("n" < 5 OR "price" >= 1.5)'),
            ("NOT (n = 1 OR n = 2)", 'NOT ("n" = 1 OR "n" = 2)'),
            ("n", '"n" <> 0'),
            ("n NOTNULL", '"n" IS NOT NULL'),
            ("n IS 1", '"n" IS NOT DISTINCT FROM 1'),
            ("n BETWEEN 1 AND 0x10", '"n" BETWEEN 1 AND 16'),
            ("name IN ('a', \"b\")", "\"name\" IN ('a', 'b')"),
            ("\"a\"\"b\" = 'it''s'", "\"A\"\"B\" = 'it''s'"),
            ("[name] = `email`", '"name" = "email"'),
            ("n -- the count\n > 1", '"n" > 1'),
            ("CASE WHEN n > 1 THEN name ELSE 'x' END = 'x'", "CASE WHEN \"n\" > 1 THEN \"name\" ELSE 'x' END = 'x'"),
            ("raw = x'00Ff'", "\"raw\" = '\\x00Ff'::bytea"),
            ("instr(name, '@') > 1", "strpos(\"name\", '@') > 1"),
            ("trim(name) <> ''", "btrim(\"name\") <> ''"),
            ("substr(name, 1, 2) = 'AB'", "substr(\"name\", 1, 2) = 'AB'"),
            ("name || n = 'a1'", '"name" || "n" = \'a1\''),
        ],
    )
    def test_what_means_the_same_is_translated(self, sqlite: str, postgresql: str) -> None:
        assert check(sqlite, SCOPE) == postgresql

    @pytest.mark.parametrize(
        ("sqlite", "postgresql"),
        [
            ("active = 1", '"active"'),
            ("active <> 1", 'NOT "active"'),
            ("active IS NOT 0", '"active" IS DISTINCT FROM FALSE'),
            ("coalesce(active, 0) = 1", 'coalesce("active", FALSE)'),
            ("(n IS NULL) + (name IS NULL) = 1", 'CAST("n" IS NULL AS integer) + CAST("name" IS NULL AS integer) = 1'),
            ("(n > 0) = 1", '"n" > 0'),
            ("n = TRUE", '"n" = 1'),
        ],
    )
    def test_numbers_and_booleans_are_told_apart(self, sqlite: str, postgresql: str) -> None:
        assert check(sqlite, SCOPE) == postgresql

    @pytest.mark.parametrize(
        ("sqlite", "postgresql"),
        [
            ("email = 'A@B.Ä'", 'lower("email" COLLATE "C") = \'a@b.Ä\''),
            ("name = 'A' COLLATE NOCASE", 'lower("name" COLLATE "C") = \'a\''),
            ("name = email", '"name" = "email"'),
            ("email = name", 'lower("email" COLLATE "C") = lower("name" COLLATE "C")'),
            ("padded = 'a '", "rtrim(\"padded\") = 'a'"),
            ("name < 'b'", '"name" COLLATE "C" < \'b\''),
            ("name LIKE 'a%'", '"name" COLLATE "C" ILIKE \'a%\''),
            ("name NOT LIKE 'a\\%'", "\"name\" COLLATE \"C\" NOT ILIKE 'a\\%' ESCAPE ''"),
            ("name LIKE 'a!%' ESCAPE '!'", "\"name\" COLLATE \"C\" ILIKE 'a!%' ESCAPE '!'"),
            ("lower(name) = name", 'lower("name" COLLATE "C") = "name"'),
        ],
    )
    def test_text_is_compared_as_sqlite_does(self, sqlite: str, postgresql: str) -> None:
        assert check(sqlite, SCOPE) == postgresql

    @pytest.mark.parametrize(
        ("sqlite", "postgresql"),
        [
            ("n / 2 = 1", '"n" / 2 = 1'),
            ("n % n = 0", '"n" % nullif("n", 0) = 0'),
            ("ratio / n > 1", '"ratio" / nullif("n", 0) > 1'),
            ("price * 1.1 > 2", 'CAST("price" AS double precision) * CAST(1.1 AS double precision) > 2'),
        ],
    )
    def test_arithmetic_keeps_its_results(self, sqlite: str, postgresql: str) -> None:
        assert check(sqlite, SCOPE) == postgresql

    @pytest.mark.parametrize("sqlite", ["day >= '2024-02-29'", "at < '2024-01-01'", "at > '2024-01-01 00:00:00'"])
    def test_moments_are_compared_with_moments(self, sqlite: str) -> None:
        column, operator, value = sqlite.split(" ", 2)
        assert check(sqlite, SCOPE) == f'"{column}" {operator} {value}'

    @pytest.mark.parametrize(
        "sqlite",
        [
            "active IN (0, 1)",
            "typeof(n) IN ('integer', 'null')",
            "typeof(raw) = 'blob'",
            "json_valid(doc)",
            "raw IS NOT NULL",
            "date(day) IS day",
            "n IS NULL OR active IN (1, 0)",
        ],
    )
    def test_what_the_types_fulfil_needs_no_check(self, sqlite: str) -> None:
        assert check(sqlite, SCOPE) is None
        assert check(f"({sqlite}) AND n > 0", SCOPE) == '"n" > 0'

    def test_a_storage_class_is_asked_for_as_null(self) -> None:
        assert check("typeof(n) = 'integer'", SCOPE) == '"n" IS NOT NULL'
        assert check("NOT (active IN (0, 1))", SCOPE) == 'NOT "active" IN (FALSE, TRUE)'

    @pytest.mark.parametrize(
        "sqlite",
        [
            "name GLOB 'a*'",
            "name REGEXP 'a'",
            "name = 5",
            "n = '5'",
            "digits > 5",
            "loose = '5'",
            "loose > 'a'",
            "odd = 'a'",
            "active = 2",
            "price / 2 = 1",
            "day > '2024-1-1'",
            "day > '2023-02-29'",
            "at > '2024-01-01'",
            "length(n) = 2",
            "substr(name, -1) = 'a'",
            "round(ratio) = 1",
            "min(n, 2) = 1",
            "n > 9223372036854775808",
            "typeof(price) = 'real'",
            "json_valid(name)",
            "random() > 0",
            "n IN (SELECT 1)",
            "n IN ()",
            "left_out > 1",
            "gone > 1",
            "iif(n, name, n) = 1",
            "(n, 1) = (1, 1)",
            "like > 1",
            "n > ?",
        ],
    )
    def test_what_is_not_surely_the_same_is_refused(self, sqlite: str) -> None:
        with pytest.raises(Untranslatable):
            check(sqlite, SCOPE)

    @pytest.mark.parametrize("sqlite", ["n < 1 IN (0)", "n = 1 < 2 IN (1)", "n > NOT n"])
    def test_what_sqlglot_and_sqlite_parse_differently_is_refused(self, sqlite: str) -> None:
        with pytest.raises(Untranslatable):
            check(sqlite, SCOPE)


class TestMembers:
    @pytest.mark.parametrize(
        ("sqlite", "collation", "postgresql"),
        [
            ("name", "BINARY", '"name"'),
            ("name", "NOCASE", 'lower("name" COLLATE "C")'),
            ("n", "NOCASE", '"n"'),
            ("lower(name)", "BINARY", 'lower("name" COLLATE "C")'),
            ("n + 1", "BINARY", '("n" + 1)'),
            ("coalesce(day, '9999-12-31')", "BINARY", "coalesce(\"day\", '9999-12-31')"),
            ("(n) IN (1)", "BINARY", '("n" IN (1))'),
        ],
    )
    def test_expressions_stand_in_brackets(self, sqlite: str, collation: str, postgresql: str) -> None:
        assert member(sqlite, SCOPE, collation) == postgresql


NOW = "CURRENT_TIMESTAMP AT TIME ZONE 'UTC'"
EPOCH = "(floor(extract(epoch FROM CURRENT_TIMESTAMP))::bigint)"


class TestDefaults:
    @pytest.mark.parametrize(
        ("sqlite", "type_name", "postgresql"),
        [
            ("'it''s'", "text", "'it''s'"),
            ("word", "text", "'word'"),
            ('"two words"', "text", "'two words'"),
            ("5", "text", "'5'"),
            ("1.50", "text", "'1.5'"),
            ("-1", "bigint", "-1"),
            ("'5'", "bigint", "5"),
            ("1.0", "bigint", "1"),
            ("1.5", "numeric(3,1)", "1.5"),
            ("0.5", "double precision", "0.5"),
            ("0", "boolean", "false"),
            ("TRUE", "boolean", "true"),
            ("x'00FF'", "bytea", "'\\x00ff'"),
            ("'2024-02-29'", "date", "'2024-02-29'"),
            ("'{\"a\": 1}'", "jsonb", "'{\"a\": 1}'"),
            ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"),
        ],
    )
    def test_constants_become_the_types_own(self, sqlite: str, type_name: str, postgresql: str) -> None:
        assert default(sqlite, TargetType(type_name)) == postgresql

    @pytest.mark.parametrize(
        ("sqlite", "type_name", "postgresql"),
        [
            ("CURRENT_TIMESTAMP", "timestamp without time zone", f"({NOW})"),
            ("current_timestamp", "timestamp with time zone", "CURRENT_TIMESTAMP"),
            ("datetime('now')", "text", f"to_char({NOW}, 'YYYY-MM-DD HH24:MI:SS')"),
            ("(CURRENT_DATE)", "date", f"(({NOW})::date)"),
            ("date('now')", "text", f"to_char({NOW}, 'YYYY-MM-DD')"),
            ("CURRENT_TIME", "time without time zone", f"(({NOW})::time)"),
            ("strftime('%s', 'now')", "bigint", EPOCH),
            ("CAST(strftime('%s', 'now') AS INTEGER)", "bigint", EPOCH),
            ("unixepoch()", "bigint", EPOCH),
            ("strftime('%Y-%m-%dT%H:%M:%fZ', 'now')", "text", f'to_char({NOW}, \'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\')'),
        ],
    )
    def test_the_present_moment_is_told_in_utc(self, sqlite: str, type_name: str, postgresql: str) -> None:
        assert default(sqlite, TargetType(type_name)) == postgresql

    def test_null_is_none(self) -> None:
        assert default("NULL", TargetType("bigint")) is None

    @pytest.mark.parametrize(
        ("sqlite", "type_name"),
        [
            ("''", "bigint"),
            ("9223372036854775808", "bigint"),
            ("1.5", "bigint"),
            ("2", "boolean"),
            ("1.55", "numeric(3,1)"),
            ("100", "numeric(3,1)"),
            ("'abc'", "character varying(2)"),
            ("'2023-02-29'", "date"),
            ("'now'", "date"),
            ("x'41'", "text"),
            ("'{'", "jsonb"),
            ("CURRENT_TIMESTAMP", "date"),
            ("CURRENT_TIMESTAMP", "bigint"),
            ("datetime('now', 'localtime')", "text"),
            ("lower(hex(randomblob(16)))", "text"),
            ("strftime('%W', 'now')", "text"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, sqlite: str, type_name: str) -> None:
        with pytest.raises(Untranslatable):
            default(sqlite, TargetType(type_name))
