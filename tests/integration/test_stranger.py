"""What a stranger meets first: a mistyped word, a command before its time; each is told what to do."""

import json
from pathlib import Path

import pytest

from tests.plugins.cli import RunSyncd
from tests.plugins.source import MakeSource, OpenWriter

ITEMS = "CREATE TABLE item (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO item VALUES (1, 'a')"


@pytest.fixture
def source(make_source: MakeSource) -> Path:
    return make_source(ITEMS)


def test_a_configuration_in_a_folder_that_is_missing(run_syncd: RunSyncd, source: Path) -> None:
    ended = run_syncd("init", source, "-o", "nowhere/app.ini")
    assert ended.returncode == 2 and "nowhere: there is no such folder" in ended.stderr


def test_a_source_that_is_a_directory(run_syncd: RunSyncd, tmp_path: Path, database: str) -> None:
    for command in ("check", "load"):
        ended = run_syncd(command, "--source", tmp_path, "--target", database)
        assert ended.returncode == 1 and f"{tmp_path}: this is a directory" in ended.stderr


def test_a_check_while_the_target_is_away(run_syncd: RunSyncd, source: Path) -> None:
    sides = ("--source", source, "--target", "postgresql://me@127.0.0.1:1/app")
    checked = run_syncd("check", *sides)
    assert (checked.returncode, run_syncd("load", *sides).returncode) == (75, 75)
    assert "the target cannot be used: connection failed" in checked.stdout
    assert "This may pass by itself: check again" in checked.stdout and "Trying" not in checked.stdout
    assert "1 table, every row of them" in checked.stdout


def test_a_check_whose_target_wants_another_password(run_syncd: RunSyncd, source: Path, database: str) -> None:
    checked = run_syncd("check", "--source", source, "--target", f"{database} user=nobody")
    assert checked.returncode == 4
    assert "Check user and password of the target" in checked.stdout


@pytest.mark.parametrize("how", ["flag", "environment", "file"])
def test_a_misspelled_target(run_syncd: RunSyncd, source: Path, tmp_path: Path, how: str) -> None:
    (tmp_path / "app.ini").write_text("[target]\ndsn = embeded\n" if how == "file" else "")
    flag = ("--target", "embeded") if how == "flag" else ()
    environment = {"SYNCD_TARGET": "embeded"} if how == "environment" else {}
    ended = run_syncd("check", "-c", "app.ini", "--source", source, *flag, env=environment)
    assert ended.returncode == 78 and "did you mean `embedded`?" in ended.stderr


def test_rejects_before_a_load_and_without_any(run_syncd: RunSyncd, source: Path, database: str) -> None:
    sides = ("--source", source, "--target", database)
    for words in (("show", "item", "1"), ("discard", "item", "1", "--yes")):
        early = run_syncd("rejects", *words, *sides)
        assert early.returncode == 4 and "Load first: syncd load" in early.stderr
    run_syncd("load", *sides)
    assert "no rejects" in run_syncd("rejects", "list", *sides).stderr
    assert "no rejects" in run_syncd("rejects", "list", "--all", *sides).stderr


def test_a_pause_that_nobody_asked_for(run_syncd: RunSyncd, source: Path, database: str) -> None:
    sides = ("--source", source, "--target", database)
    for word in ("resume", "pause"):
        early = run_syncd(word, *sides)
        assert (early.returncode, early.stdout) == (4, "")
    run_syncd("load", *sides)
    assert run_syncd("resume", *sides).stdout == "nothing was paused\n"
    assert run_syncd("resume", "item", *sides).stdout == "item was not paused\n"
    run_syncd("pause", "item", *sides)
    assert run_syncd("resume", "ITEM", *sides).stdout == "item resumed\n"


def test_a_pass_names_a_table_that_is_wholly_new(
    run_syncd: RunSyncd, source: Path, database: str, open_writer: OpenWriter
) -> None:
    sides = ("--source", source, "--target", database)
    run_syncd("load", *sides)
    open_writer(source).execute("CREATE TABLE later (id INTEGER PRIMARY KEY)")
    ended = run_syncd("sync", *sides)
    assert ended.returncode == 0
    assert "not loaded yet, so left alone: later. syncd load or syncd run loads them" in ended.stderr
    assert json.loads(run_syncd("sync", "--json", *sides).stdout)["not_loaded"] == ["later"]
