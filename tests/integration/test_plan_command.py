"""The plan as users see it: the order, the reasons, the SQL; and that nothing is written."""

import json
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.plugins.cli import RunSyncd
from tests.plugins.postgres import OwnServer
from tests.plugins.source import MakeSource

ODD = """
CREATE TABLE "a ""b]:=주문" (id INTEGER PRIMARY KEY, "col;%(1)s" TEXT NOT NULL DEFAULT 'x	y;\\', "two
lines" NUMERIC(10,2), CHECK ("two
lines" > 0));
CREATE TABLE child (of INTEGER NOT NULL REFERENCES "a ""b]:=주문" (id), at DATETIME NOT NULL, twice AS (of * 2),
    PRIMARY KEY (of, at)) WITHOUT ROWID;
CREATE TABLE keyless (n, updated_at TIMESTAMP NOT NULL);
CREATE INDEX some ON keyless (updated_at DESC) WHERE n IS NOT NULL;
CREATE VIEW seen AS SELECT 1;
CREATE TRIGGER t AFTER INSERT ON keyless BEGIN SELECT 1; END;
INSERT INTO keyless VALUES (1, '2024-02-29 12:00:00');
"""


@pytest.fixture
def odd(make_source: MakeSource) -> Path:
    return make_source(ODD)


def planned(run_syncd: RunSyncd, *arguments: str | Path) -> tuple[int, dict[str, Any]]:
    done = run_syncd("plan", "--json", *arguments)
    document = json.loads(done.stdout)
    assert isinstance(document, dict)
    return done.returncode, document


def query(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    with closing(psycopg.connect(dsn, autocommit=True)) as connection:
        return connection.execute(statement.encode()).fetchall()


def test_it_tells_order_keys_marks_types_and_reasons(run_syncd: RunSyncd, odd: Path, database: str) -> None:
    code, document = planned(run_syncd, "--source", odd, "--target", database)

    assert code == 0
    parent, child, keyless = sorted(document["tables"], key=lambda table: ("a", "c", "k").index(table["table"][0]))
    assert document["tables"].index(parent) < document["tables"].index(child)
    assert (parent["key"], parent["key_why"], parent["mark"]) == (["id"], "the source's primary key", "rowid")
    assert (child["key"], child["mark"]) == (["of", "at"], "none")
    assert keyless["key"] == ["_syncd_rowid"]
    assert (keyless["mark"], keyless["mark_why"]) == (
        "date:updated_at",
        "a NOT NULL date that tells when a row changed",
    )
    price = next(column for column in parent["columns"] if column["type"] == "numeric(10,2)")
    assert (price["name"], price["not_null"]) == ("two\nlines", False)
    assert "declared NUMERIC(10,2)" in price["why"]
    assert {column["name"] for column in child["columns"] if column["not_null"]} == {"of", "at"}
    assert any("seen" in left["name"] for left in document["not_carried"])
    assert any("TRIGGER" in left["reason"].upper() for left in keyless["not_carried"])


def test_people_see_expressions_and_what_is_not_carried(
    run_syncd: RunSyncd, odd: Path, database: str, tmp_path: Path
) -> None:
    ini = tmp_path / "p.ini"
    ini.write_text("[table:keyless]\ncolumn.n = n * 2\nwhere = n > 0\ncheck.small = n < 9\n")

    shown = run_syncd("plan", "-c", ini, "--source", odd, "--target", database).stdout

    for told in ("keyless to public.keyless, to be created", "(n * 2)", "where: (n > 0)", "check.small: (n < 9)"):
        assert told in shown
    assert "view seen: a view" in shown and "3 tables in this order, 0 refused" in shown


def test_the_sql_is_a_script_that_psql_runs_and_a_load_finds_its_tables(
    run_syncd: RunSyncd, odd: Path, own_server: OwnServer, tmp_path: Path
) -> None:
    sides = ("--source", odd, "--target", own_server.dsn())
    script = tmp_path / "schema.sql"
    script.write_text(run_syncd("plan", "--sql", *sides).stdout)

    ran = psql(own_server, script)

    assert ran.returncode == 0, ran.stderr
    there = {name for (name,) in query(own_server.dsn(), "SELECT relname FROM pg_class WHERE relkind = 'r'")}
    assert {'a "b]:=주문', "child", "keyless"} <= there
    defaults = query(own_server.dsn(), "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef")
    assert any("x\ty;\\" in text for (text,) in defaults)
    assert run_syncd("plan", "--sql", *sides).stdout == ""


def test_a_load_fills_the_tables_of_the_script(run_syncd: RunSyncd, make_source: MakeSource, database: str) -> None:
    source = make_source("""
        CREATE TABLE keyless (v TEXT); INSERT INTO keyless VALUES ('a'), ('a');
        CREATE TABLE parent (code TEXT PRIMARY KEY); INSERT INTO parent VALUES ('1'), ('x');
        CREATE TABLE child (id INTEGER PRIMARY KEY, number INTEGER REFERENCES parent, code TEXT REFERENCES parent);
        INSERT INTO child VALUES (1, 1, 'x'), (2, 1, 'nowhere');
        CREATE TABLE grandchild (id INTEGER PRIMARY KEY, child INTEGER REFERENCES child);
        INSERT INTO grandchild VALUES (1, 2)
    """)
    sides = ("--source", source, "--target", database)
    assert "compares no bigint with a text" in run_syncd("check", *sides).stdout
    scripted = run_syncd("plan", "--sql", *sides)
    with closing(psycopg.connect(database, autocommit=True)) as connection:
        connection.execute(scripted.stdout)

    assert "child.child_code_fkey: 1 row without a parent" in scripted.stderr
    assert run_syncd("load", *sides).returncode == 0
    assert run_syncd("verify", *sides).returncode == 0
    keys = "SELECT conname FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace"
    assert query(database, keys) == [("grandchild_child_fkey",)]


def psql(server: OwnServer, script: Path) -> subprocess.CompletedProcess[str]:
    program = server.bin / "psql"
    if not program.exists():
        pytest.skip(f"no psql in {server.bin}")
    words = [str(program), "--no-psqlrc", "--set=ON_ERROR_STOP=1", f"--file={script}", server.dsn()]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_nothing_is_written_on_either_side(run_syncd: RunSyncd, odd: Path, database: str, tmp_path: Path) -> None:
    everything = "SELECT oid, relname FROM pg_class UNION ALL SELECT oid, nspname FROM pg_namespace ORDER BY 1"
    before = query(database, everything)

    for words in ((), ("--sql",)):
        assert run_syncd("plan", *words, "--source", odd, "--target", database).returncode == 0
        assert run_syncd("plan", *words, "--source", odd).returncode == 0

    assert query(database, everything) == before
    assert not (tmp_path / "state").exists()


def test_a_table_that_does_not_fit_is_told_with_what_to_write(run_syncd: RunSyncd, odd: Path, database: str) -> None:
    with closing(psycopg.connect(database, autocommit=True)) as connection:
        connection.execute("CREATE TABLE keyless (id bigint PRIMARY KEY, n int)")

    code, document = planned(run_syncd, "--source", odd, "--target", database)

    (refused,) = document["refused"]
    assert (code, refused["table"]) == (1, "keyless")
    assert refused["lines"].keys() == {"exclude", "column.id"}
    only_sql = run_syncd("plan", "--sql", "--source", odd, "--target", database)
    assert only_sql.returncode == 1
    assert "keyless" in only_sql.stderr and "keyless" not in only_sql.stdout


def test_without_a_target_it_plans_for_an_empty_one_and_says_so(run_syncd: RunSyncd, odd: Path) -> None:
    done = run_syncd("plan", "--sql", "--source", odd, "--target", "host=/nowhere")

    assert done.returncode == 0
    assert "the target cannot be used" in done.stderr
    assert 'CREATE TABLE IF NOT EXISTS "public"."child"' in done.stdout


def test_a_mistyped_source_is_told(run_syncd: RunSyncd, database: str) -> None:
    done = run_syncd("plan", "--source", "nowhere.db", "--target", database)

    assert done.returncode == 1 and "there is no such file" in done.stderr
