"""Names of the configuration that nothing has: told with their lines, and what they may mean, before a load."""

import json

import pytest

from tests.plugins.cli import RunSyncd
from tests.plugins.source import MakeSource

SHOP = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customer (id), due DATE);
INSERT INTO customer VALUES (1, 'Ada');
INSERT INTO orders VALUES (1, 1, '2024-02-29');
"""

MISSPELLED = """[sync]
skip = custmer
[table:oders]
lookback = 1m
[hypertable:order]
time_column = due
[index:of_orders]
table = ordres
columns = due
[index:by_name]
table = customer
columns = name
"""


@pytest.mark.parametrize("command", ["check", "load", "run", "plan", "sync"])
def test_every_table_that_is_not_there_is_told_with_its_line(
    make_source: MakeSource, database: str, run_syncd: RunSyncd, command: str
) -> None:
    source = make_source(SHOP)
    config = source.parent / "syncd.ini"
    config.write_text(MISSPELLED)

    refused = run_syncd(command, "-c", config, "--source", source, "--target", database)

    assert refused.returncode == 78
    for said in (
        f"{config}:2: [sync] skip: custmer: no such table in the source, did you mean customer\n",
        f"{config}:3: [table:oders]: no such table in the source, did you mean [table:orders]\n",
        f"{config}:5: [hypertable:order]: no table of the source lands in order, did you mean [hypertable:orders]\n",
        f"{config}:8: [index:of_orders] table: ordres: no such table in the target, did you mean orders\n",
    ):
        assert said in refused.stderr
    assert "by_name" not in refused.stderr


@pytest.mark.parametrize("words", [(), ("--quick",)])
def test_a_column_of_an_index_that_is_not_there_is_found_before_a_row_moves(
    make_source: MakeSource, database: str, run_syncd: RunSyncd, words: tuple[str, ...]
) -> None:
    source = make_source(SHOP)
    config = source.parent / "syncd.ini"
    config.write_text("[index:one]\ntable = orders\ncolumns = customer, dew DESC\n")
    sides = ("-c", config, "--source", source, "--target", database)

    checked = run_syncd("check", "--json", *words, *sides)
    said = f"{config}:3: [index:one] columns names dew, which orders does not have, did you mean due"
    blockers = [f for f in json.loads(checked.stdout)["findings"] if f["gravity"] == "blocker"]
    assert (checked.returncode, [f["what"] for f in blockers]) == (4, [said])
    assert blockers[0]["advice"] == "It has: customer, due, id"

    refused = run_syncd("load", *sides)
    assert refused.returncode == 4 and said in refused.stderr
    assert run_syncd("load", "--tables", "customer", *sides).returncode == 0
    config.write_text("[index:one]\ntable = orders\ncolumns = customer, due DESC\n")
    assert run_syncd("check", *words, *sides).returncode == 0
