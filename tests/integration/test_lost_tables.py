"""A table whose rows cannot be named is never left behind unasked."""

import json

from tests.plugins.cli import RunSyncd
from tests.plugins.source import MakeSource

_SOURCE = """
CREATE TABLE odd (rowid TEXT, oid TEXT, _rowid_ TEXT);
CREATE TABLE item (id INTEGER PRIMARY KEY);
CREATE VIRTUAL TABLE search USING fts5(body);
"""


def test_it_is_a_blocker_until_it_is_named_in_skip(make_source: MakeSource, database: str, run_syncd: RunSyncd) -> None:
    source = make_source(_SOURCE)
    sides = ("--source", source, "--target", database)
    checked = run_syncd("check", "--json", *sides)
    found = {finding["table"]: finding for finding in json.loads(checked.stdout)["findings"]}
    assert (checked.returncode, found["odd"]["gravity"], found["search"]["gravity"]) == (4, "blocker", "note")
    assert found["odd"]["ini"] == "[sync]\nskip = odd"
    assert run_syncd("load", *sides).returncode == 4

    config = source.parent / "skipping.ini"
    config.write_text(found["odd"]["ini"])
    checked = run_syncd("check", "--json", "-c", config, *sides)
    assert checked.returncode == 0, checked.stdout
    assert run_syncd("load", "-c", config, *sides).returncode == 0
    assert run_syncd("load", "--tables", "item", *sides).returncode == 0
