"""What is decided from the catalogues alone: order, names, keys, marks, constraints."""

from collections.abc import Mapping

import pytest

from syncd.config import Config
from syncd.errors import ConfigError
from syncd.model import Catalog, Column, ForeignKey, Skipped, Table
from syncd.plan import Facts, Plan, TargetColumn, TargetTable, by_declared_type, cut_name, make, parents_first


def table(
    name: str, *columns: str, key: str = "id", parents: tuple[str, ...] = (), rowid: str | None = "rowid"
) -> Table:
    """A table of text columns; `parents` are referenced by a column of their name."""
    return Table(
        name=name,
        columns=tuple(
            Column(c, "TEXT", key_position=int(c == key), not_null=c == "updated_at") for c in (key, *columns, *parents)
        ),
        foreign_keys=tuple(ForeignKey((parent,), parent, ()) for parent in parents),
        indexes=(),
        rowid=rowid,
        strict=False,
        sql=f"CREATE TABLE {name} (...)",
    )


def plan(
    *tables: Table, targets: Mapping[str, TargetTable] | None = None, usable: bool = True, **settings: object
) -> Plan:
    catalog = Catalog(tables, (Skipped("search", "a virtual table"),), (), "UTF-8", 1)
    facts = Facts(lambda _table, _column: usable, lambda *_: by_declared_type)
    return make(catalog, targets or {}, Config.model_validate(settings), facts)


class TestOrder:
    def test_parents_come_first(self) -> None:
        tables = plan(table("a", parents=("b",)), table("b", parents=("c",)), table("c")).tables
        assert [t.name for t in tables] == ["c", "b", "a"]

    def test_a_cycle_is_no_obstacle(self) -> None:
        assert set(parents_first({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]})) == {"a", "b", "c", "d"}

    def test_of_a_cycle_only_one_edge_is_given_up(self) -> None:
        order = parents_first({"a": ["b"], "b": ["c"], "c": ["a"]})
        kept = [order.index(parent) < order.index(child) for child, parent in (("a", "b"), ("b", "c"), ("c", "a"))]
        assert kept.count(True) == 2

    def test_parents_that_are_not_carried_do_not_count(self) -> None:
        assert parents_first({"a": ["gone", "a"]}) == ("a",)


class TestNames:
    def test_a_short_name_is_kept(self) -> None:
        assert cut_name("é" * 31) == "é" * 31

    @pytest.mark.parametrize("name", ["a" * 64, "é" * 32, "한" * 40])
    def test_a_long_name_fits_and_keeps_its_beginning(self, name: str) -> None:
        cut = cut_name(name)
        assert len(cut.encode()) <= 63
        assert cut[:10] == name[:10]

    def test_long_names_stay_different(self) -> None:
        assert cut_name("a" * 63 + "b") != cut_name("a" * 63 + "c")


class TestChoice:
    def test_only_the_named_tables_are_carried(self) -> None:
        chosen = plan(table("a"), table("b"), sync={"tables": "B"})
        assert [t.name for t in chosen.tables] == ["b"]
        assert Skipped("a", "left out by the configuration") in chosen.skipped

    def test_skipped_tables_are_not_carried(self) -> None:
        assert [t.name for t in plan(table("a"), table("b"), sync={"skip": "a"}).tables] == ["b"]

    @pytest.mark.parametrize("name", ["gone", "search"])
    def test_a_name_that_is_no_table_is_told(self, name: str) -> None:
        reason = {"gone": "no such table in the source", "search": "a virtual table"}[name]
        with pytest.raises(ConfigError, match=f"{name}: {reason}"):
            plan(table("a"), sync={"tables": name})

    def test_the_case_of_a_table_that_becomes_a_hypertable_is_let_go(self) -> None:
        (only,) = plan(
            table("Note", "at"),
            tables={"Note": {"types": {"at": "date"}}},
            hypertables={"note": {"time_column": "at"}},
        ).tables
        assert only.time_column == "at"


class TestMarks:
    def test_a_not_null_date_of_change_is_the_mark(self) -> None:
        (only,) = plan(table("a", "updated_at")).tables
        assert str(only.mark) == "date:updated_at"

    def test_a_date_that_is_slow_to_find_is_not(self) -> None:
        (only,) = plan(table("a", "updated_at"), usable=False).tables
        assert str(only.mark) == "rowid"

    def test_without_rowid_and_date_there_is_none(self) -> None:
        (only,) = plan(table("a", rowid=None)).tables
        assert str(only.mark) == "none"

    def test_the_configuration_decides(self) -> None:
        (only,) = plan(table("a", "updated_at"), tables={"a": {"watermark": "rowid"}}).tables
        assert str(only.mark) == "rowid"


def existing(*columns: str, keys: tuple[tuple[str, ...], ...] = (("id",),)) -> dict[str, TargetTable]:
    return {"a": TargetTable("a", tuple(TargetColumn(c, "text", False, False) for c in columns), keys, ())}


class TestExisting:
    def test_its_own_columns_need_not_be_the_sources(self) -> None:
        (only,) = plan(table("a", "name"), targets=existing("more", "name", "id")).tables
        assert ([c.name for c in only.columns], only.created) == (["id", "name"], False)

    def test_the_case_of_a_name_may_differ(self) -> None:
        (only,) = plan(table("a", "name"), targets=existing("ID", "Name", keys=(("ID",),))).tables
        assert [c.name for c in only.columns] == ["ID", "Name"]

    def test_names_that_differ_in_case_alone_are_not_guessed(self) -> None:
        refused = plan(table("a", "name"), targets=existing("id", "Name", "NAME")).refused
        assert [error.what for error in refused] == ["the target's table lacks the source's columns name"]

    def test_a_key_of_columns_that_the_source_lacks_is_not_usable(self) -> None:
        refused = plan(table("a"), targets=existing("id", "code", keys=(("code",),))).refused
        assert refused[0].what == "not every column of the target's key (code) gets a value"

    def test_another_unique_key_will_do(self) -> None:
        (only,) = plan(table("a"), targets=existing("id", "code", keys=(("code",), ("id",)))).tables
        assert only.key == ("id",)

    def test_a_refused_table_does_not_hinder_the_others(self) -> None:
        made = plan(table("a", "name"), table("b"), targets=existing("id"))
        assert [t.name for t in made.tables] == ["b"]


def test_the_types_of_an_existing_table_are_its_owners() -> None:
    def fingerprint(type_name: str) -> str:
        columns = (TargetColumn("id", type_name, True, False),)
        (only,) = plan(table("a"), targets={"a": TargetTable("a", columns, (("id",),), ())}).tables
        return only.fingerprint

    assert fingerprint("varchar(2)") == fingerprint("varchar(4)")
