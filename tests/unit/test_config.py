"""What the configuration accepts, what beats what, and how each fault reads."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from syncd.config import (
    AggregateConfig,
    BenchmarkConfig,
    Config,
    CutoverConfig,
    ForeignKeys,
    HooksConfig,
    HypertableConfig,
    IndexConfig,
    LogConfig,
    NotifyConfig,
    OnConflict,
    SourceConfig,
    SyncConfig,
    TableConfig,
    TargetConfig,
    Watermark,
    WatermarkKind,
    WebConfig,
    load,
)
from syncd.errors import ConfigError, RefusedError

EXAMPLE = Path(__file__).parents[2] / "config.example.ini"
SECRET = "hunter2"
URL = f"postgresql://quant:{SECRET}@db.example/quant?sslmode=require"

Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write `x.ini` in the working folder, so that messages begin with `x.ini:`."""
    monkeypatch.chdir(tmp_path)

    def write(text: str | bytes) -> Path:
        path = Path("x.ini")
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def faults(
    path: Path | None, overrides: Mapping[tuple[str, str], str] = {}, environ: Mapping[str, str] = {}
) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load(path, overrides, environ)
    return str(raised.value).splitlines()


def without_origins(config: Config) -> Config:
    """The settings alone, wherever they were given."""
    return config.model_copy(update={"origins": {}})


class TestDefaults:
    def test_no_file_gives_the_defaults(self) -> None:
        assert load(None) == Config()

    def test_an_empty_file_gives_the_defaults(self, write: Write) -> None:
        assert without_origins(load(write(""))) == Config()

    def test_the_defaults(self) -> None:
        config = Config()
        assert config.source == SourceConfig(path=None)
        assert config.target == TargetConfig(
            dsn=None,
            password_file=None,
            schema_="public",
            create_tables=True,
            on_conflict=OnConflict.UPDATE,
            foreign_keys=ForeignKeys.AUTO,
            timezone="UTC",
        )
        assert config.sync == SyncConfig(
            interval=timedelta(seconds=5),
            cron=None,
            watch=True,
            batch_rows=20_000,
            workers=max(2, min(8, os.cpu_count() or 2)),
            max_reject_ratio=0.01,
            state_dir=None,
            tables=(),
            skip=(),
        )
        assert config.table("any") == TableConfig(
            key=(),
            watermark=Watermark(kind=WatermarkKind.AUTO, column=None),
            lookback=timedelta(),
            batch_rows=None,
            max_reject_ratio=None,
        )
        assert config.log == LogConfig(level="INFO", format="text")

    def test_what_is_loaded_cannot_be_changed(self) -> None:
        with pytest.raises(ValidationError, match="frozen"):
            Config().sync.workers = 5


class TestValues:
    @pytest.mark.parametrize(
        ("text", "duration"),
        [
            ("500ms", timedelta(milliseconds=500)),
            ("5s", timedelta(seconds=5)),
            ("0.5 s", timedelta(milliseconds=500)),
            ("10m", timedelta(minutes=10)),
            ("1h30m", timedelta(minutes=90)),
            ("1d 2h 3m 4s 5ms", timedelta(days=1, hours=2, minutes=3, seconds=4, milliseconds=5)),
        ],
    )
    def test_durations(self, write: Write, text: str, duration: timedelta) -> None:
        assert load(write(f"[sync]\ninterval = {text}")).sync.interval == duration

    @pytest.mark.parametrize("text", ["*/5 * * * *", "0 3 * * mon-fri", "0,30 8-18 1 jan *"])
    def test_cron(self, write: Write, text: str) -> None:
        assert load(write(f"[sync]\ncron = {text}")).sync.cron == text

    @pytest.mark.parametrize(
        ("text", "watermark"),
        [
            ("auto", Watermark(kind=WatermarkKind.AUTO)),
            ("rowid", Watermark(kind=WatermarkKind.ROWID)),
            ("none", Watermark(kind=WatermarkKind.NONE)),
            ("date:last_updated", Watermark(kind=WatermarkKind.DATE, column="last_updated")),
            ("date: Last: Update", Watermark(kind=WatermarkKind.DATE, column="Last: Update")),
        ],
    )
    def test_watermarks(self, write: Write, text: str, watermark: Watermark) -> None:
        assert load(write(f"[table:t]\nwatermark = {text}")).table("t").watermark == watermark

    @pytest.mark.parametrize(("text", "truth"), [("yes", True), ("no", False), ("true", True), ("off", False)])
    def test_yes_and_no(self, write: Write, text: str, truth: bool) -> None:
        assert load(write(f"[sync]\nwatch = {text}")).sync.watch is truth

    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ("a", ("a",)),
            ("a, b,c ", ("a", "b", "c")),
            ("\n  a,\n  # b,\n  c", ("a", "c")),
            ("\n  a\n\n  b", ("a", "b")),
            ('"a, b", c', ("a, b", "c")),
            ('My "odd" table, """quoted"""', ('My "odd" table', '"quoted"')),
            ("시세, 종목", ("시세", "종목")),
            ('a, "", b', ("a", "", "b")),
            ('""', ("",)),
            ("a,, b,", ("a", "b")),
        ],
    )
    def test_lists(self, write: Write, text: str, names: tuple[str, ...]) -> None:
        assert load(write(f"[sync]\ntables = {text}\nskip =")).sync.tables == names

    def test_a_value_keeps_semicolons_hashes_and_percent_signs(self, write: Write) -> None:
        dsn = "host=db password='a;b #c %d %(e)s = f' user=u"
        assert load(write(f"[target]\ndsn = {dsn}")).target.dsn == dsn

    def test_a_value_may_stand_on_the_next_line(self, write: Write) -> None:
        assert load(write("[target]\ndsn =\n    embedded\nschema = app")).target == TargetConfig(
            dsn="embedded", schema_="app"
        )

    def test_keys_below_a_header_may_be_indented(self, write: Write) -> None:
        assert load(write("[sync]\n  interval = 1s\n  workers = 2")).sync.workers == 2

    def test_a_value_left_empty_is_not_given(self, write: Write) -> None:
        text = "[target]\npassword_file =\ndsn =\nschema =\n[sync]\ninterval =\ncron = 0 3 * * *\ntables =\n"
        assert without_origins(load(write(text))) == Config(sync=SyncConfig(cron="0 3 * * *"))

    def test_an_expression_left_empty_is_refused(self, write: Write) -> None:
        text = "[table:a]\nwhere =\ncheck.positive =\ncolumn.b =\ntype.c =\n"
        assert faults(write(text)) == [
            "x.ini:3: [table:a] check.positive: is empty",
            "x.ini:4: [table:a] column.b: is empty",
            "x.ini:5: [table:a] type.c: is empty",
        ]

    def test_windows_line_ends(self, write: Write) -> None:
        assert load(write("[sync]\r\nworkers = 2\r\ntables = a,\r\n  b\r\n")).sync == SyncConfig(
            workers=2, tables=("a", "b")
        )

    def test_log_level_in_any_case(self, write: Write) -> None:
        assert load(write("[log]\nlevel = debug")).log.level == "DEBUG"


class TestPaths:
    def test_a_relative_path_starts_at_the_folder_of_the_file(self, tmp_path: Path) -> None:
        file = tmp_path / "x.ini"
        file.write_text("[source]\npath = data/q.db\n[target]\npassword_file = ../pw\n[sync]\nstate_dir = /var/x\n")
        config = load(file)
        assert config.source.path == tmp_path / "data/q.db"
        assert config.target.password_file == tmp_path / "../pw"
        assert config.sync.state_dir == Path("/var/x")

    def test_a_path_of_a_flag_or_of_the_environment_starts_at_the_working_folder(self, write: Write) -> None:
        config = load(write(""), {("source", "path"): "q.db"}, {"SYNCD_STATE_DIR": "state"})
        assert (config.source.path, config.sync.state_dir) == (Path("q.db"), Path("state"))

    def test_tilde_is_home(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/home/quant")
        config = load(write("[source]\npath = ~/q.db"), environ={"SYNCD_STATE_DIR": "~/state"})
        assert (config.source.path, config.sync.state_dir) == (Path("/home/quant/q.db"), Path("/home/quant/state"))


class TestTables:
    @pytest.mark.parametrize(
        "name",
        [
            'My "odd" table',
            "시세",
            "a:b",
            "a]b",
            "[a]",
            "a = b",
            "a;b",
            "#a",
            "50%",
            "DEFAULT",
            "NAME",
            "a  b",
            "O'Hara",
        ],
    )
    def test_odd_names(self, write: Write, name: str) -> None:
        config = load(write(f"[table:{name}]\nbatch_rows = 7"))
        assert list(config.tables) == [name]
        assert config.batch_rows(name) == 7

    def test_blanks_around_a_name_do_not_count(self, write: Write) -> None:
        assert list(load(write("[table: t ]\nkey = a")).tables) == ["t"]

    def test_the_spelling_is_kept(self, write: Write) -> None:
        config = load(write("[table:Tickers]\nkey = Ticker, REGION"))
        assert config.table("Tickers").key == ("Ticker", "REGION")
        assert config.table("tickers") == TableConfig()

    def test_what_a_table_does_not_say_is_as_in_sync(self, write: Write) -> None:
        sync = "[sync]\nbatch_rows = 10\nmax_reject_ratio = 0.5\n"
        config = load(write(sync + "[table:a]\nbatch_rows = 20\n[table:b]\nmax_reject_ratio = 0"))
        assert [config.batch_rows(name) for name in "abc"] == [20, 10, 10]
        assert [config.max_reject_ratio(name) for name in "abc"] == [0.5, 0.0, 0.5]


class TestWhatBeatsWhat:
    VARIABLES: Mapping[str, str] = {
        "SYNCD_SOURCE": "variable.db",
        "SYNCD_TARGET": "host=variable",
        "SYNCD_STATE_DIR": "variable",
        "SYNCD_LOG_LEVEL": "ERROR",
    }
    FILE = "[source]\npath = /file.db\n[target]\ndsn = host=file\n[sync]\nstate_dir = /file\n[log]\nlevel = DEBUG\n"

    @staticmethod
    def chosen(config: Config) -> tuple[str, str | None, str, str]:
        return str(config.source.path), config.target.dsn, str(config.sync.state_dir), config.log.level

    def test_the_environment_beats_the_file(self, write: Write) -> None:
        config = load(write(self.FILE), environ=self.VARIABLES)
        assert self.chosen(config) == ("variable.db", "host=variable", "variable", "ERROR")

    def test_a_flag_beats_the_environment(self, write: Write) -> None:
        flags = {
            ("source", "path"): "flag.db",
            ("target", "dsn"): "host=flag",
            ("sync", "state_dir"): "flag",
            ("log", "level"): "WARNING",
        }
        config = load(write(self.FILE), flags, self.VARIABLES)
        assert self.chosen(config) == ("flag.db", "host=flag", "flag", "WARNING")

    def test_an_empty_variable_is_not_given(self, write: Write) -> None:
        config = load(write(self.FILE), environ=dict.fromkeys(self.VARIABLES, ""))
        assert self.chosen(config) == ("/file.db", "host=file", "/file", "DEBUG")

    def test_other_variables_do_not_count(self) -> None:
        assert load(None, environ={"SYNCD_WORKERS": "nine", "SYNCD_CONFIG": "y.ini", "PATH": "/bin"}) == Config()

    def test_what_is_beaten_may_be_wrong(self, write: Write) -> None:
        assert load(write("[log]\nlevel = loud"), environ={"SYNCD_LOG_LEVEL": "ERROR"}).log.level == "ERROR"


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


class TestExample:
    SETTING = re.compile(r"^#?(\w+(?:\.\w+)?) =", re.MULTILINE)
    MODELS: Mapping[str, type[BaseModel]] = {
        "source": SourceConfig,
        "target": TargetConfig,
        "sync": SyncConfig,
        "table:ohlcv_data": TableConfig,
        "hypertable:ohlcv_data": HypertableConfig,
        "cutover": CutoverConfig,
        "hooks": HooksConfig,
        "aggregate:ohlcv_monthly": AggregateConfig,
        "index:ohlcv_region_date": IndexConfig,
        "benchmark:one_ticker": BenchmarkConfig,
        "web": WebConfig,
        "notify": NotifyConfig,
        "log": LogConfig,
    }

    def test_it_is_valid(self) -> None:
        assert load(EXAMPLE).source.path == Path("/var/lib/quant/quant.db")

    def test_it_shows_every_key_and_no_other(self) -> None:
        _, *parts = re.split(r"^\[(.+)\]$", EXAMPLE.read_text("utf-8"), flags=re.MULTILINE)
        shown = {
            name: sorted({re.sub(r"\..*", ".NAME", key) for key in self.SETTING.findall(body)})
            for name, body in zip(parts[::2], parts[1::2], strict=True)
        }
        assert shown == {
            name: sorted(str(field.validation_alias or key) for key, field in model.model_fields.items())
            for name, model in self.MODELS.items()
        }

    def test_each_setting_that_is_commented_out_is_valid(self, write: Write) -> None:
        text = EXAMPLE.read_text("utf-8")
        settings = list(re.finditer(r"^#(?=[\w.]+ =)", text, re.MULTILINE))
        assert settings
        for setting in settings:
            load(write(text[: setting.start()] + text[setting.end() :]))

    def test_each_setting_has_a_comment_above(self) -> None:
        lines = EXAMPLE.read_text("utf-8").splitlines()
        for above, line in pairwise(lines):
            if self.SETTING.match(line):
                assert above.startswith("# "), line
