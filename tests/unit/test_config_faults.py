"""How each fault of a configuration reads: where it stands, what is wrong, and never a secret."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncd.config import (
    load,
)
from syncd.errors import ConfigError, RefusedError
from tests.plugins.settings import Write, faults

SECRET = "hunter2"
URL = f"postgresql://quant:{SECRET}@db.example/quant?sslmode=require"

NO_KEY = "is no `key = value`, no [section] and no comment"
NO_DURATION = "is no duration; the units are ms, s, m, h, d, as in 500ms or 1h30m"
NO_CRONTAB = "is no crontab line: minute hour day month weekday, as in */5 * * * *"
NO_LIST = 'is no list of names; a name in quotes is "a, b", and a quote inside it is doubled'
WEEKDAY = "has a number for a weekday; write mon, tue, wed, thu, fri, sat or sun, as in mon-fri"
GOES_ON = "goes on in an indented line; begin each key at the margin"


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        # sections and keys
        ("[snyc]\nx = 1", ["x.ini:1: [snyc]: unknown section; did you mean `sync`?"]),
        ("[DEFAULT]\nx = 1", ["x.ini:1: [DEFAULT]: unknown section"]),
        ("[tables:a]", ["x.ini:1: [tables:a]: unknown section; did you mean `table:a`?"]),
        ("[table]", ["x.ini:1: [table]: unknown section; did you mean `table:NAME`?"]),
        ("[index:]", ["x.ini:1: [index:]: unknown section; did you mean `index:NAME`?"]),
        ("[sync]\nintervall = 5s", ["x.ini:2: [sync] intervall: unknown key; did you mean `interval`?"]),
        ("[target]\nDSN = x", ["x.ini:2: [target] DSN: unknown key; did you mean `dsn`?"]),
        ("[target]\nschema_ = x", ["x.ini:2: [target] schema_: unknown key; did you mean `schema`?"]),
        ("[table:a]\nzzz =", ["x.ini:2: [table:a] zzz: unknown key"]),
        ("[sync]\n[log]\n[sync]", ["x.ini:3: [sync]: given twice, first on line 1"]),
        ("[table:a]\n[table: a]", ["x.ini:2: [table:a]: given twice, first on line 1"]),
        ("[sync]\nworkers = 1\n\nworkers = 2", ["x.ini:4: [sync] workers: given twice, first on line 2"]),
        (
            "[sync]\nworkers = 1\n[sync]\nworkers = 2\n[sync]\nworkers = 3",
            [
                "x.ini:3: [sync]: given twice, first on line 1",
                "x.ini:4: [sync] workers: given twice, first on line 2",
                "x.ini:5: [sync]: given twice, first on line 1",
                "x.ini:6: [sync] workers: given twice, first on line 2",
            ],
        ),
        # lines
        ("path = a\n[source]", ["x.ini:1: path: stands before the first [section]"]),
        ("[sync]\n# fine\n; fine\nnonsense\nworkers = 1", [f"x.ini:4: {NO_KEY}"]),
        ("[sync]\nworkers: 1", [f"x.ini:2: {NO_KEY}"]),
        ("[sync", [f"x.ini:1: {NO_KEY}"]),
        ("[sync]\n= 1", ["x.ini:2: [sync] =: unknown key"]),
        ("[sync]\ninterval = 5s\n  workers = 2", [f"x.ini:2: [sync] interval: the value {GOES_ON}"]),
        (b"\xef\xbb\xbf[log]\n", ["x.ini:1: begins with a byte order mark; save the file as UTF-8 without one"]),
        (b"[log]\n# caf\xe9\n", ["x.ini:2: is not UTF-8; save the file as UTF-8"]),
        ("[log]\n".encode("utf-16"), ["x.ini:1: is not UTF-8; save the file as UTF-8"]),
        # values
        ("[sync]\ninterval = 5 parsecs", [f"x.ini:2: [sync] interval: `5 parsecs` {NO_DURATION}"]),
        ("[sync]\ninterval = 5", [f"x.ini:2: [sync] interval: `5` {NO_DURATION}"]),
        ("[sync]\ninterval = -5s", [f"x.ini:2: [sync] interval: `-5s` {NO_DURATION}"]),
        ("[sync]\ninterval = 30m1h", [f"x.ini:2: [sync] interval: `30m1h` {NO_DURATION}"]),
        ("[sync]\ninterval = 0s", ["x.ini:2: [sync] interval: `0s` is too short"]),
        (
            "[hypertable:a]\ntime_column = at\nchunk_interval = 0 days\ncompress_after = 0 days",
            ["x.ini:3: [hypertable:a] chunk_interval: `0 days` is too short"],
        ),
        ("[sync]\ninterval = 9999999999d", ["x.ini:2: [sync] interval: `9999999999d` is too long"]),
        ("[sync]\ncron = * * *", [f"x.ini:2: [sync] cron: `* * *` {NO_CRONTAB}"]),
        ("[sync]\ncron = 60 * * * *", [f"x.ini:2: [sync] cron: `60 * * * *` {NO_CRONTAB}"]),
        ("[sync]\ncron = 0 3 * * 1-5", [f"x.ini:2: [sync] cron: `0 3 * * 1-5` {WEEKDAY}"]),
        (
            "[sync]\ninterval = 5s\ncron = * * * * *",
            ["x.ini:3: [sync] cron: interval is given too, at x.ini:2; keep one of them"],
        ),
        ("[sync]\nwatch = maybe", ["x.ini:2: [sync] watch: `maybe` is neither yes nor no"]),
        ("[sync]\nworkers = four", ["x.ini:2: [sync] workers: `four` is no whole number"]),
        ("[sync]\nworkers = 1.5", ["x.ini:2: [sync] workers: `1.5` is no whole number"]),
        ("[sync]\nworkers = 0", ["x.ini:2: [sync] workers: `0` is less than 1"]),
        ("[sync]\nworkers = 33", ["x.ini:2: [sync] workers: `33` is more than 32"]),
        ("[sync]\nbatch_rows = 1000001", ["x.ini:2: [sync] batch_rows: `1000001` is more than 1000000"]),
        ("[table:a]\nbatch_rows = 0", ["x.ini:2: [table:a] batch_rows: `0` is less than 1"]),
        ("[sync]\nmax_reject_ratio = 1 %", ["x.ini:2: [sync] max_reject_ratio: `1 %` is no number"]),
        ("[sync]\nmax_reject_ratio = nan", ["x.ini:2: [sync] max_reject_ratio: `nan` is no number"]),
        ("[table:a]\nmax_reject_ratio = 1.01", ["x.ini:2: [table:a] max_reject_ratio: `1.01` is more than 1.0"]),
        ('[sync]\nskip = "a" b', [f'x.ini:2: [sync] skip: `"a" b` {NO_LIST}']),
        (
            "[target]\non_conflict = udpate",
            [
                "x.ini:2: [target] on_conflict: `udpate` is none of update, skip, fail; did you mean `update`?",
            ],
        ),
        ("[target]\nforeign_keys = yes", ["x.ini:2: [target] foreign_keys: `yes` is none of auto, enforce"]),
        (
            "[target]\ntimezone = Asia/Seul",
            ["x.ini:2: [target] timezone: `Asia/Seul` is no time zone; did you mean `Asia/Seoul`?"],
        ),
        ("[target]\ntimezone = ../zone", ["x.ini:2: [target] timezone: `../zone` is no time zone"]),
        (
            "[table:a]\nwatermark = row_id",
            ["x.ini:2: [table:a] watermark: `row_id` is none of auto, rowid, date, none; did you mean `rowid`?"],
        ),
        (
            "[table:a]\nwatermark = date:",
            ["x.ini:2: [table:a] watermark: `date:` is none of auto, rowid, date:COLUMN, none"],
        ),
        (
            "[table:a]\nwatermark = rowid:id",
            ["x.ini:2: [table:a] watermark: `rowid:id` is none of auto, rowid, date:COLUMN, none"],
        ),
        (
            "[log]\nlevel = warn",
            ["x.ini:2: [log] level: `warn` is none of DEBUG, INFO, WARNING, ERROR; did you mean `WARNING`?"],
        ),
        (
            "[log]\nformat = jsn",
            ["x.ini:2: [log] format: `jsn` is none of text, json, journal; did you mean `json`?"],
        ),
        (
            "[sync]\nstate_dir = ~nobody-of-this-name/x",
            [
                "x.ini:2: [sync] state_dir: `~nobody-of-this-name/x` is in a home folder that does not exist",
            ],
        ),
        # all at once, by line
        (
            "nonsense\n[sync]\nworkers = many\nwokers = 2\n[log]\nlevel = loud\n[sync]\ncron = never",
            [
                f"x.ini:1: {NO_KEY}",
                "x.ini:3: [sync] workers: `many` is no whole number",
                "x.ini:4: [sync] wokers: unknown key; did you mean `workers`?",
                "x.ini:6: [log] level: `loud` is none of DEBUG, INFO, WARNING, ERROR",
                "x.ini:7: [sync]: given twice, first on line 2",
                f"x.ini:8: [sync] cron: `never` {NO_CRONTAB}",
            ],
        ),
    ],
)
def test_faults(write: Write, text: str | bytes, messages: list[str]) -> None:
    assert faults(write(text)) == messages


class TestFaultsOutsideTheFile:
    def test_a_fault_names_its_flag_or_variable(self, write: Write) -> None:
        flags = {("source", "path"): "", ("sync", "batch_rows"): "0", ("log", "format"): "xml"}
        assert faults(write("[sync]\nworkers = 0"), flags, {"SYNCD_LOG_LEVEL": "loud"}) == [
            "--source: [source] path: is empty",
            "--batch-rows: [sync] batch_rows: `0` is less than 1",
            "SYNCD_LOG_LEVEL: [log] level: `loud` is none of DEBUG, INFO, WARNING, ERROR",
            "--log-format: [log] format: `xml` is none of text, json, journal",
            "x.ini:2: [sync] workers: `0` is less than 1",
        ]

    def test_a_section_that_no_file_could_have(self) -> None:
        assert faults(None, {("tabel:a", "key"): "b"}) == [
            "--key: [tabel:a] key: unknown section; did you mean `table:a`?"
        ]

    def test_a_missing_file(self, tmp_path: Path) -> None:
        path = tmp_path / "none.ini"
        assert faults(path) == [f"{path}: the file cannot be read: No such file or directory"]

    def test_a_folder(self, tmp_path: Path) -> None:
        assert faults(tmp_path) == [f"{tmp_path}: the file cannot be read: Is a directory"]

    def test_a_file_that_may_not_be_read(self, write: Write) -> None:
        path = write("")
        path.chmod(0)
        with unprivileged(), pytest.raises(RefusedError) as raised:
            load(path)
        assert raised.value.exit_code == 77
        assert str(raised.value).splitlines() == [
            "x.ini: the file may not be read",
            "  give the user that runs syncd the right to read it",
        ]


@contextmanager
def unprivileged() -> Iterator[None]:
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


class TestSecrets:
    def test_a_dsn_is_plain_to_callers_and_hidden_in_print(self) -> None:
        config = load(None, {("target", "dsn"): URL})
        assert config.target.dsn == URL
        assert SECRET not in f"{config} {config!r} {config.target} {config.target!r}"

    @pytest.mark.parametrize(
        "text",
        [
            f"[target]\ndsn = {URL}\n  schema = x",
            f"[target]\ndsn = {URL}\ndsn = {URL}",
            f"[target]\ndns = {URL}",
            f"[target]\n{URL}",
            f"[target]\n{URL.partition('?')[0]}",
            f"[target]\ndsn: {URL}",
            f"[{URL}]\ndsn = x",
            f"[table:{URL}]\nx = 1",
            f"{URL}",
            f"[target]\ntimezone = {URL}",
            f"[target]\non_conflict = host=db password={SECRET}",
            f"[source]\npath = {URL}",
            f"[sync]\ninterval = 5s\n  dsn = {URL}",
            f"[sync]\nworkers = postgresql://quant:my {SECRET}@db",
            f"[sync]\ncron = {URL} * * * *",
            f'[sync]\ntables = "{URL}',
            f"[table:a]\nwatermark = {URL}",
            f"[target]\npassword = {SECRET}",
        ],
    )
    def test_no_message_holds_one(self, write: Write, text: str) -> None:
        with pytest.raises(ConfigError) as raised:
            load(write(text))
        assert SECRET not in str(raised.value)
        assert raised.value.__context__ is None

    def test_nor_one_of_a_flag_or_of_the_environment(self) -> None:
        messages = faults(None, {("source", "path"): URL, ("log", "format"): URL}, {"SYNCD_LOG_LEVEL": URL})
        assert len(messages) == 3
        assert SECRET not in " ".join(messages)
