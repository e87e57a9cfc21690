"""What a file got since a copy of it was taken, whatever hides it: collations, kinds of numbers, equal rows."""

import shutil
from pathlib import Path

import pytest

from syncd.source.written import Written, since
from tests.plugins.source import MakeSource, OpenWriter

_SOURCE = """
CREATE TABLE named (id TEXT PRIMARY KEY COLLATE NOCASE, v) WITHOUT ROWID;
CREATE TABLE heap (v);
CREATE TABLE lost (id INTEGER PRIMARY KEY);
CREATE TABLE calm (id INTEGER PRIMARY KEY, v);
CREATE VIRTUAL TABLE search USING fts5(body);
INSERT INTO named VALUES ('a', 1), ('b', NULL);
INSERT INTO heap VALUES (x'00'), (x'00');
INSERT INTO lost VALUES (1);
INSERT INTO calm VALUES (1, NULL);
"""


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE calm SET v = NULL", None),
        ("UPDATE named SET id = 'A' WHERE id = 'a'", Written("named", 1, 1, ("'A'",))),
        ("UPDATE named SET v = 1.0 WHERE id = 'a'", Written("named", 1, 1, ("'a'",))),
        ("INSERT INTO heap VALUES (x'00')", Written("heap", 1, 0, ())),
        ("DELETE FROM heap WHERE rowid = 1", Written("heap", 0, 1, ())),
        ("DROP TABLE lost", Written("lost", 0, 1, ())),
        ("CREATE TABLE late AS SELECT 1 AS v", Written("late", 1, 0, ())),
        ("ALTER TABLE calm ADD COLUMN w", Written("calm", 1, 0, ())),
    ],
)
def test_it_is_found(
    statement: str, found: Written | None, make_source: MakeSource, open_writer: OpenWriter, tmp_path: Path
) -> None:
    source = make_source(_SOURCE)
    copied = Path(shutil.copy(source, tmp_path / "copy.db"))

    open_writer(source).execute(statement)

    assert since(source, copied) == ((found,) if found else ())
