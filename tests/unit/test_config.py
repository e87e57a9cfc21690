"""What the configuration accepts, and what beats what."""

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from syncd.config import (
    Config,
    ForeignKeys,
    LogConfig,
    OnConflict,
    SourceConfig,
    SyncConfig,
    TableConfig,
    TargetConfig,
    Watermark,
    WatermarkKind,
    load,
)
from tests.plugins.settings import Write, faults


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
