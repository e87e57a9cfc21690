"""The command line: what it takes, which target it chooses, how it ends."""

import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import apsw
import click
import psycopg
import pytest
from loguru import logger
from psycopg.conninfo import conninfo_to_dict

from syncd import cli, log
from syncd.cli import app
from syncd.cli.options import Command, Options
from syncd.cli.session import begin
from syncd.cli.stop import StopSignal, unwinding
from syncd.cli.target import choose
from syncd.config import load
from syncd.errors import ConfigError, LockHeldError, RefusedError, SyncdError, TargetUnavailableError, UsageError
from syncd.target.database import Target


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No variable that speaks to syncd or libpq, a folder of its own, and no log afterwards."""
    for name in [name for name in os.environ if name.startswith(("SYNCD_", "PG"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SYNCD_STATE_DIR", str(tmp_path / "state"))
    yield
    logger.remove()


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """What a command `probe` was given, filled when it runs."""
    seen: list[Options] = []

    @click.command("probe", cls=Command)
    @click.pass_obj
    def probe(options: Options) -> int:
        seen.append(options)
        return 0

    monkeypatch.setitem(app.syncd.commands, "probe", probe)
    return seen


# options


def test_options_stand_before_and_after_the_command(given: list[Options]) -> None:
    assert cli.main(["-c", "a.ini", "--json", "probe", "--source", "app.db", "-v"]) == 0
    assert given == [Options(config=Path("a.ini"), json=True, source="app.db", verbose=True)]


def test_what_stands_after_the_command_beats_what_stands_before(given: list[Options]) -> None:
    assert cli.main(["--source", "first.db", "probe", "--source", "second.db"]) == 0
    assert given[0].source == "second.db"


def test_options_stand_before_and_after_a_command_of_a_group() -> None:
    for words in (["--source", "no.db", "rejects", "list"], ["rejects", "--source", "no.db", "list"]):
        assert cli.main(words) == 1
    assert cli.main(["rejects", "list", "--source", "no.db"]) == 1


def test_a_flag_beats_the_variable_beats_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "named.ini").write_text("[source]\npath = by_variable.db\n")
    (tmp_path / "flag.ini").write_text("[source]\npath = by_flag.db\n")
    monkeypatch.setenv("SYNCD_CONFIG", "named.ini")
    assert begin(Options()).config.source.path == Path("by_variable.db")
    assert begin(Options(config=Path("flag.ini"))).config.source.path == Path("by_flag.db")


def test_tables_stand_for_the_configuration() -> None:
    assert begin(Options(tables='a, "b,c"')).config.sync.tables == ("a", "b,c")


@pytest.mark.parametrize(
    "words", [["-h"], ["--help"], ["load", "-h"], ["rejects", "--help"], ["rejects", "list", "-h"]]
)
def test_help_says_how_to_begin(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 0
    said = capsys.readouterr().out
    assert "syncd " in said and "--source PATH" in said and "Usage:" in said


def test_every_command_has_a_sentence_and_an_example() -> None:
    commands = [one for one in app.syncd.all_commands().values() if not isinstance(one, click.Group)]
    groups = [one for one in app.syncd.all_commands().values() if isinstance(one, click.Group)]
    for command in [*commands, *groups, *(one for group in groups for one in group.commands.values())]:
        assert command.help and f"Example: syncd {'rejects ' if command not in commands else ''}" in command.help
        assert command.get_short_help_str(200).endswith(".")


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("syncd 0.")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["lod"],
        ["load", "--no-such-option"],
        ["load", "--dry-run", "--validate-only"],
        ["verify", "--mode", "guess"],
        ["verify", "--rows", "0"],
        ["status", "-v", "-q"],
        ["status", "--pg-port", "none"],
        ["status", "--source", "app.db", "--target", "embedded", "--pg-host", "db"],
        ["rejects", "discard", "t"],
        ["rejects", "discard", "t", "1", "--all"],
    ],
)
def test_a_wrong_command_line_is_exit_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err and "Traceback" not in said.err


def test_no_usage_error_shows_a_password(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "postgresql://me:opensesame@db/app"]) == 2
    assert cli.main(["--pg-password", "opensesame", "status", "opensesame"]) == 2
    assert "opensesame" not in capsys.readouterr().err


def test_a_missing_source_is_told_before_a_server_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["load"], ["sync"], ["verify"], ["run"], ["rejects", "list"]):
        assert cli.main([*words, "--source", "typo.db"]) == 1
        assert "typo.db: there is no such file" in capsys.readouterr().err
    assert not (tmp_path / "state").exists()


def test_a_wrong_configuration_is_exit_78(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "app.ini").write_text("[sorce]\n")
    assert cli.main(["status", "-c", "app.ini"]) == 78
    assert "app.ini:1: [sorce]: unknown section; did you mean `source`?" in capsys.readouterr().err


# how a command ends


def _ends_with(monkeypatch: pytest.MonkeyPatch, error: BaseException, *flags: str) -> int:
    @click.command("fail", cls=Command)
    def fail() -> int:
        secret = "opensesame"
        raise error from ValueError(secret[:0])

    monkeypatch.setitem(app.syncd.commands, "fail", fail)
    return cli.main([*flags, "fail"])


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (SyncdError("it broke", where="orders", advice="Mend it"), 1, "syncd: orders: it broke\n  Mend it\n"),
        (LockHeldError("another works"), 5, "another works"),
        (RefusedError("no right"), 77, "no right"),
        (TargetUnavailableError("away", advice="Trying again"), 75, "away\n  This may pass by itself: run the command"),
        (psycopg.OperationalError("connection refused"), 75, "connection refused"),
        (psycopg.errors.InsufficientPrivilege("permission denied"), 77, "permission denied"),
        (apsw.FullError("disk is full"), 1, "SQLite failed: disk is full"),
        (ZeroDivisionError("oh"), 1, "this should not happen: ZeroDivisionError: oh"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_whatever_ends_a_command_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], error: BaseException, code: int, said: str
) -> None:
    assert _ends_with(monkeypatch, error) == code
    told = capfd.readouterr().err
    assert said in told and "Traceback" not in told


def test_the_traceback_is_told_where_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _ends_with(monkeypatch, ZeroDivisionError("oh"), "-v") == 1
    told = capsys.readouterr().err
    assert "Traceback" in told and "ZeroDivisionError: oh" in told
    assert "opensesame" not in told


def test_the_log_format_holds_for_what_ends_a_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _ends_with(monkeypatch, ConfigError("wrong"), "--log-format", "journal") == 78
    assert capsys.readouterr().err.startswith("<3>wrong ")


def test_sigterm_leaves_by_way_of_every_finally() -> None:
    left = False
    with pytest.raises(SystemExit) as ended, unwinding():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            left = True
    assert left and ended.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_only_asks(number: signal.Signals, code: int) -> None:
    stop = StopSignal()
    before = signal.getsignal(number)
    with stop.listening():
        assert not stop()
        signal.raise_signal(number)
        assert stop() and stop.exit_code == code
    assert signal.getsignal(number) is before


def test_the_second_signal_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    stop = StopSignal()
    with stop.listening():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert codes == [130]


# the target


def _choose(
    options: Options | None = None, ini: str = "", environ: Mapping[str, str] | None = None
) -> tuple[dict[str, str], str | None] | None:
    """The parts of the chosen DSN, and the password; None for the embedded server."""
    options = options or Options()
    if ini:
        Path("app.ini").write_text(f"[target]\n{ini}\n")
    config = load(Path("app.ini") if ini else None, options.overrides, environ or {})
    target = choose(options, config, environ or {})
    if target is None:
        return None
    assert isinstance(target, Target)
    return {name: str(value) for name, value in conninfo_to_dict(target.dsn).items()}, target.password


def test_without_a_word_the_target_is_embedded() -> None:
    assert _choose() is None


def test_a_flag_beats_the_environment_beats_the_configuration_beats_libpq() -> None:
    libpq = {"PGHOST": "libpq"}
    variable = {**libpq, "SYNCD_TARGET": "host=variable"}
    flag = Options(target="host=flag")
    assert _choose(flag, "dsn = host=file", variable) == ({"host": "flag"}, None)
    assert _choose(None, "dsn = host=file", variable) == ({"host": "variable"}, None)
    assert _choose(None, "dsn = host=file", libpq) == ({"host": "file"}, None)
    assert _choose(None, "schema = app", libpq) == ({}, None)


@pytest.mark.parametrize("name", ["PGHOST", "PGSERVICE", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGSSLMODE"])
def test_any_variable_of_libpq_speaks_for_it(name: str) -> None:
    assert _choose(environ={name: "value"}) == ({}, None)
    assert _choose(environ={name: ""}) is None


def test_variables_of_the_server_do_not_speak_for_libpq() -> None:
    assert _choose(environ={"PGDATA": "/var/lib/postgresql"}) is None


def test_embedded_is_chosen_in_spite_of_libpq() -> None:
    assert _choose(Options(target="embedded"), environ={"PGHOST": "db"}) is None
    assert _choose(None, "dsn = embedded", {"PGHOST": "db"}) is None


def test_the_parts_alone_make_a_target() -> None:
    options = Options(pg_host="db", pg_port="5433", pg_database="app", pg_user="me", pg_password="opensesame")
    parts = {"host": "db", "port": "5433", "dbname": "app", "user": "me"}
    assert _choose(options) == (parts, "opensesame")
    assert _choose(options, "dsn = embedded") == (parts, "opensesame")


def test_the_parts_override_those_of_a_dsn() -> None:
    dsn = "postgresql://me:inside@db:1/app?sslmode=require"
    assert _choose(Options(target=dsn, pg_port="2", pg_password="opensesame")) == (
        {"host": "db", "port": "2", "dbname": "app", "user": "me", "sslmode": "require"},
        "opensesame",
    )


def test_embedded_takes_no_parts() -> None:
    with pytest.raises(UsageError, match="exclude each other"):
        _choose(Options(target="embedded", pg_host="db"))


def test_a_password_never_stays_in_the_dsn_and_is_hidden() -> None:
    chosen = _choose(Options(target="postgresql://me:p%40ss-inside@db/app"))
    assert chosen == ({"host": "db", "dbname": "app", "user": "me"}, "p@ss-inside")
    assert log.redact("p@ss-inside or p%40ss-inside") == "*** or ***"


def test_the_password_is_the_flags_else_the_dsns_else_the_files_else_systemds(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("of-the-file\n")
    (tmp_path / "pw").chmod(0o600)
    (tmp_path / "pgpassword").write_text("of-systemd\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "PGPASSWORD": "of-libpq"}
    both = "dsn = host=db password=of-the-dsn\npassword_file = pw"
    assert _choose(Options(pg_password="of-the-flag"), both, environ) == ({"host": "db"}, "of-the-flag")
    assert _choose(None, both, environ) == ({"host": "db"}, "of-the-dsn")
    assert _choose(None, "dsn = host=db\npassword_file = pw", environ) == ({"host": "db"}, "of-the-file")
    assert _choose(None, "dsn = host=db", environ) == ({"host": "db"}, "of-systemd")
    assert _choose(None, "dsn = host=db", {"PGPASSWORD": "of-libpq"}) == ({"host": "db"}, None)
    for secret in ("of-the-flag", "of-the-dsn", "of-the-file", "of-systemd", "of-libpq"):
        assert log.redact(secret) == "***"


def test_a_password_on_the_command_line_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("WARNING", "text")
    _choose(Options(pg_password="opensesame"))
    told = capsys.readouterr().err
    assert "can see --pg-password" in told and "opensesame" not in told


@pytest.mark.parametrize("content", ["", "\n", "one\ntwo\n"])
def test_a_password_file_holds_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "pw").write_text(content)
    with pytest.raises(ConfigError, match="one line"):
        _choose(None, "dsn = host=db\npassword_file = pw")


def test_a_password_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        _choose(None, "dsn = host=db\npassword_file = pw")
    (tmp_path / "pw").write_bytes(b"\xff\n")
    with pytest.raises(ConfigError, match="no UTF-8"):
        _choose(None, "dsn = host=db\npassword_file = pw")


def test_a_password_file_that_everybody_can_read_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log.configure("WARNING", "text")
    (tmp_path / "pw").write_text("opensesame\n")
    (tmp_path / "pw").chmod(0o644)
    _choose(None, "dsn = host=db\npassword_file = pw")
    assert "chmod o-r" in capsys.readouterr().err
    (tmp_path / "pw").chmod(0o640)
    _choose(None, "dsn = host=db\npassword_file = pw")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("options", "environ", "where"),
    [
        (Options(target="nonsense opensesame"), {}, "--target"),
        (Options(), {"SYNCD_TARGET": "nonsense opensesame"}, "SYNCD_TARGET"),
    ],
)
def test_a_dsn_that_cannot_be_read_is_told_without_it(options: Options, environ: dict[str, str], where: str) -> None:
    with pytest.raises(ConfigError) as refused:
        _choose(options, environ=environ)
    assert refused.value.where == where and "opensesame" not in str(refused.value)


def test_schema_and_time_zone_go_with_the_target() -> None:
    Path("app.ini").write_text("[target]\ndsn = host=db\nschema = app\ntimezone = Europe/Berlin\n")
    target = choose(Options(), load(Path("app.ini")), {})
    assert target is not None
    assert (target.schema, target.timezone) == ("app", "Europe/Berlin")


def test_a_place_that_may_not_be_opened_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    def refused() -> None:
        raise PermissionError(13, "Permission denied", "/nowhere/x.ini")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app.syncd, "main", lambda *_, **__: refused())
        assert cli.main(["init", "app.db"]) == 77
    assert "/nowhere/x.ini: this may not be opened: Permission denied" in capsys.readouterr().err
