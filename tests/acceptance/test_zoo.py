"""The zoo: small sources, each a trap, and what becomes of them from the check to the last comparison.

A scenario is a folder of `zoo`:

    source.sql      SQLite: the source, as the application left it
    target.sql      PostgreSQL: what was there before syncd; may be missing
    syncd.ini       the mapping; may be missing
    change.sql      SQLite: what the application does after the load; may be missing
    expected.toml   what each command has to come to: `Scenario`
"""

import json
import sqlite3
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import BaseModel, ConfigDict

from tests.plugins.cli import RunSyncd
from tests.plugins.source import MakeSource, OpenWriter

ZOO = Path(__file__).parent / "zoo"


class Strict(BaseModel):
    """A misspelt key is an error: it would be an expectation that nobody asks."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Finding(Strict):
    """A finding of the check that has to be there; `what` is a part of its text."""

    table: str
    column: str = ""
    count: int | None = None
    what: str

    def is_told_by(self, told: dict[str, Any]) -> bool:
        same = (told["table"], told["column"], told["count"]) == (self.table, self.column, self.count)
        return same and self.what in told["what"]


class Check(Strict):
    """What the check says."""

    go: bool
    findings: tuple[Finding, ...] = ()


class Step(Strict):
    """What has to be so after a command.

    `says` are parts of its output. `rows` are queries of the target and what they yield: a text for each row, as
    PostgreSQL writes it, columns parted by ` | `. `rejects` are `table key: reason`.
    """

    exit: int = 0
    says: tuple[str, ...] = ()
    rows: dict[str, list[str]] = {}
    rejects: tuple[str, ...] = ()


class Scenario(Strict):
    """The commands in their order; one that is not named is not run, but for load and verify, which always are.

    The application's change comes after the load. `verify` is the exit code of the comparison of every row.
    """

    title: str
    check: Check | None = None
    load: Step = Step()
    sync: Step | None = None
    sweep: Step | None = None
    verify: int = 0


class Keeper:
    """One scenario at work."""

    def __init__(self, folder: Path, source: Path, database: str, run_syncd: RunSyncd) -> None:
        self._folder, self._source, self._database, self._run_syncd = folder, source, database, run_syncd

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        ini = self._folder / "syncd.ini"
        config = ("-c", ini) if ini.exists() else ()
        return self._run_syncd(*arguments, *config, "--source", self._source, "--target", self._database)

    def rows(self, query: str) -> list[str]:
        with closing(psycopg.connect(self._database, options="-c timezone=UTC")) as connection:
            result = connection.execute(query.encode()).pgresult
        assert result is not None
        places = range(result.nfields)
        return [" | ".join(_text(result.get_value(row, place)) for place in places) for row in range(result.ntuples)]

    def rejects(self) -> list[str]:
        listed = json.loads(self.run("rejects", "list", "--all", "--json").stdout)["rejects"]
        return sorted(f"{one['table']} {one['source_key']}: {one['reason']}" for one in listed)

    def check(self, expected: Check) -> None:
        ended = self.run("check", "--json")
        told = json.loads(ended.stdout)
        assert (told["go"], ended.returncode) == (expected.go, 0 if expected.go else 4), ended.stdout
        for finding in expected.findings:
            assert any(map(finding.is_told_by, told["findings"])), f"no {finding!r} among {told['findings']}"

    def do(self, command: str, expected: Step) -> None:
        ended = self.run(command)
        assert ended.returncode == expected.exit, ended.stdout + ended.stderr
        for said in expected.says:
            assert said in ended.stdout + ended.stderr
        assert {query: self.rows(query) for query in expected.rows} == expected.rows
        if expected.rejects:
            assert self.rejects() == sorted(expected.rejects)

    def verify(self, code: int, rejected: int) -> None:
        ended = self.run("verify", "--mode", "full", "--json")
        assert ended.returncode == code, ended.stdout + ended.stderr
        if code == 0:
            assert sum(table["rejected"] for table in json.loads(ended.stdout)["tables"]) == rejected


def _text(value: bytes | None) -> str:
    return "NULL" if value is None else value.decode()


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@pytest.mark.parametrize("name", sorted(folder.name for folder in ZOO.iterdir()))
def test_zoo(name: str, make_source: MakeSource, open_writer: OpenWriter, database: str, run_syncd: RunSyncd) -> None:
    folder = ZOO / name
    scenario = Scenario.model_validate(tomllib.loads((folder / "expected.toml").read_text()))
    # In WAL mode only at the end: a script may choose the encoding, which is fixed by then.
    source = make_source((folder / "source.sql").read_text() + "\nPRAGMA journal_mode = WAL;", wal=False)
    if (target := folder / "target.sql").exists():
        with closing(psycopg.connect(database, autocommit=True)) as connection:
            connection.execute(target.read_bytes())
    keeper = Keeper(folder, source, database, run_syncd)

    if scenario.check:
        keeper.check(scenario.check)
    keeper.do("load", scenario.load)
    if (change := folder / "change.sql").exists():
        writer = open_writer(source)
        for statement in _statements(change.read_text()):
            writer.execute(statement)
    if scenario.sync:
        keeper.do("sync", scenario.sync)
    if scenario.sweep:
        keeper.do("sweep", scenario.sweep)
    last = scenario.sweep or scenario.sync or scenario.load
    keeper.verify(scenario.verify, len(last.rejects))
