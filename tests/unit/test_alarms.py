"""What is told, once, and who is told: a command, and nobody who stands in the way."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from syncd.config import Config, NotifyConfig, SyncConfig
from syncd.engine.pace import Pace
from syncd.engine.report import Report, judged
from syncd.errors import ConfigError, PromotedError, StopError
from syncd.log import redact
from syncd.model import LastVerify, Phase
from syncd.service import notify
from syncd.service import sampler as sampling
from syncd.service.alarms import Alarm, Alarms, Thresholds
from syncd.service.notify import Limits, Notifications, by_command, receivers
from syncd.service.sampler import Sampler
from syncd.service.told import Told
from syncd.service.watchers import watched
from syncd.target.database import Target
from syncd.target.observe import Happening
from tests.plugins.patience import wait_until
from tests.plugins.reports import MOMENT, ready_report

NOWHERE = Target("host=127.0.0.1 port=1 dbname=nowhere")
CALM = ready_report()
past_apprise = pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")
ALARM = Alarm("lag", "warning", "the copy is late", "by a minute; $(touch pwned)")


@pytest.fixture
def alarms() -> Alarms:
    """Alarms that have seen everything in order."""
    judging = Alarms(Thresholds(lag=60.0, lag_for=30.0, rejects=1))
    assert judging.judge(CALM) == ()
    return judging


def titles(alarms: Alarms, *reports: Report) -> Iterator[str]:
    for report in reports:
        yield from (alarm.title for alarm in alarms.judge(report))


def test_a_lag_is_told_when_it_lasts_and_when_it_is_over(alarms: Alarms) -> None:
    late = [replace(CALM, at=CALM.at + n, lag=100.0) for n in (0, 20, 31, 40)]
    over = replace(CALM, at=CALM.at + 90)

    assert [*titles(alarms, *late)] == ["the copy is late"]
    (told,) = alarms.judge(over)
    assert (told.level, told.text) == ("success", "the lag was too long for 90 s")


def test_a_short_lag_is_no_alarm(alarms: Alarms) -> None:
    assert [*titles(alarms, replace(CALM, lag=100.0), replace(CALM, at=CALM.at + 60))] == []


def test_a_side_that_is_away_is_told_once_and_how_long_it_was(alarms: Alarms) -> None:
    away = [replace(CALM, at=CALM.at + n, trouble=(f"target: no answer for {n} s",)) for n in (0, 5)]

    assert [*titles(alarms, *away)] == ["syncd is in trouble"]
    (back,) = alarms.judge(replace(CALM, at=CALM.at + 42))
    assert back.text == "target: fine again, after 42 s"


def test_a_table_that_stops_and_goes_on(alarms: Alarms) -> None:
    stopped = replace(CALM, tables=(replace(CALM.tables[0], phase=Phase.STOPPED, error="why"),))

    assert [*titles(alarms, stopped, stopped)] == ["orders stopped"]
    assert [*titles(alarms, CALM)] == ["orders goes on"]


def test_rejects_are_told_again_when_they_have_doubled(alarms: Alarms) -> None:
    reports = [replace(CALM, tables=(replace(CALM.tables[0], rejects=n),)) for n in (1, 1, 2, 3, 4, 0, 1)]

    told = [title for title in titles(alarms, *reports) if "rejected" in title]
    assert told == ["1 row rejected", "2 rows rejected", "4 rows rejected", "1 row rejected"]


def test_a_load_that_was_over_before_anybody_looked_is_told() -> None:
    judging = Alarms(Thresholds(lag=60.0, lag_for=30.0, rejects=1))
    assert [*titles(judging, replace(CALM, tables=()), replace(CALM, loaded_here=frozenset({"orders"})), CALM)] == [
        "the load is done"
    ]


def test_what_a_load_refused_before_anybody_looked_is_told() -> None:
    bad = replace(CALM.tables[0], name="bad", phase=Phase.STOPPED, rejects=2)
    old = replace(bad, name="old", rejects=90)
    loaded = replace(CALM, tables=(CALM.tables[0], bad, old), loaded_here=frozenset({"orders", "bad"}))

    judging = Alarms(Thresholds(lag=60.0, lag_for=30.0, rejects=2))
    assert [*titles(judging, replace(loaded, tables=(CALM.tables[0], bad)))] == [
        "bad stopped",
        "2 rows rejected",
        "the load is done, with tables that stopped",
    ]
    judging = Alarms(Thresholds(lag=60.0, lag_for=30.0, rejects=2))
    assert [*titles(judging, loaded)] == ["bad stopped", "the load is done, with tables that stopped"]


def test_milestones(alarms: Alarms) -> None:
    loading = replace(CALM, tables=(replace(CALM.tables[0], phase=Phase.LOAD),), checks=())
    different = replace(CALM, last_verify=LastVerify(MOMENT, "full", 3, 1.0))

    assert [*titles(alarms, judged(loading), CALM)] == ["the load is done", "ready for the cutover"]
    assert [*titles(alarms, different)] == ["verify found differences"]


@pytest.mark.parametrize("name", ["column_added", "tables_new", "fenced", "promoted", "aborted", "paused"])
def test_events_that_others_write_are_told(alarms: Alarms, name: str) -> None:
    happened = replace(CALM, events=(*CALM.events, Happening(9, MOMENT, "INFO", name, "", "by ada")))

    (told,) = alarms.judge(happened)
    assert told.text == "by ada"
    assert alarms.judge(happened) == ()


def test_what_happened_just_before_the_end_is_told(alarms: Alarms) -> None:
    fenced, promoted = (Happening(n, MOMENT, "WARNING", name, "", "") for n, name in ((9, "fenced"), (10, "promoted")))
    last = replace(
        CALM, lag=99.0, trouble=("source: gone",), events=(*CALM.events, fenced, promoted), cutover="promoted"
    )

    told = [alarm.title for alarm in alarms.end(last, PromotedError("PostgreSQL took over"))]
    assert told == ["the source is fenced", "PostgreSQL is promoted"]


def test_a_promotion_is_told_where_the_target_cannot_be_asked_any_more(alarms: Alarms) -> None:
    (told,) = alarms.end(CALM, PromotedError("PostgreSQL took over"))

    assert (told.title, told.text) == ("PostgreSQL is promoted", "PostgreSQL took over")


@pytest.mark.parametrize(("fault", "said"), [(StopError("no way"), "no way"), (ValueError("odd"), "ValueError: odd")])
def test_any_fault_that_ends_the_daemon_is_told(
    fault: Exception, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    monkeypatch.setattr(notify, "receivers", lambda _settings: [lambda alarm, _source: heard.append(alarm.text)])
    config = Config(notify=NotifyConfig(command="told"), sync=SyncConfig(state_dir=tmp_path))
    sampler = Sampler(tmp_path / "app.db", NOWHERE, Pace(), lambda: None)

    with pytest.raises(type(fault)), watched(config, sampler):
        raise fault

    assert heard == [said]


def test_what_was_so_at_the_start_is_no_news() -> None:
    stopped = replace(CALM, tables=(replace(CALM.tables[0], phase=Phase.STOPPED, rejects=5),))

    assert Alarms(Thresholds(60.0, 30.0, 1)).judge(stopped) == ()


def test_the_same_is_not_told_again_soon() -> None:
    limits = Limits(repeat=60.0)
    over = replace(ALARM, level="success", title="current again")
    worse = replace(ALARM, text="by an hour")

    assert limits.permits(ALARM, 0.0)
    assert not limits.permits(ALARM, 59.0)
    assert limits.permits(over, 59.0)
    assert limits.permits(ALARM, 60.0)
    assert limits.permits(worse, 61.0)


def test_what_happens_again_is_told_again(alarms: Alarms) -> None:
    limits, happened, told = Limits(repeat=3600.0), CALM.events, list[str]()
    for number, name in enumerate(("paused", "resumed", "paused", "resumed", "aborted", "aborted"), 9):
        happened = (*happened, Happening(number, MOMENT, "WARNING", name, "", "by ada"))
        told += [alarm.title for alarm in alarms.judge(replace(CALM, events=happened)) if limits.permits(alarm, number)]

    assert told == ["paused", "resumed", "paused", "resumed", *["the cutover was aborted"] * 2]


def test_trouble_keeps_its_name_while_it_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "STILL_SECONDS", -1.0)
    sampler = Sampler(tmp_path / "app.db", NOWHERE, Pace(), lambda: None)
    sampler.start()
    sampler.close()

    assert {said.partition(": ")[0] for said in sampler.report.trouble} >= {"source", "worker"}


def test_a_flood_of_one_kind_is_kept_back_and_told_in_one() -> None:
    limits = Limits(repeat=0.0)
    stopped = [Alarm(f"table t{n}", "failure", f"t{n} stopped", "why") for n in range(30)]

    assert [limits.permits(alarm, 0.0) for alarm in stopped] == [n < notify.AT_MOST for n in range(30)]
    assert limits.permits(ALARM, 0.0)
    assert not limits.permits(replace(stopped[-1], level="success", title="t29 goes on"), 1.0)
    assert limits.summary(1.0) is None
    summary = limits.summary(61.0)
    assert summary is not None and (summary.level, summary.title) == ("failure", "10 more notices")
    assert summary.text.startswith("t20 stopped; ") and summary.text.endswith("; t29 goes on")
    assert limits.summary(122.0) is None
    assert limits.permits(stopped[0], notify.PER_SECONDS)


def test_a_command_gets_the_alarm_without_a_shell(tmp_path: Path) -> None:
    script = (
        "import sys, json, pathlib; pathlib.Path(sys.argv[1]).write_text(json.dumps([sys.argv[2:], sys.stdin.read()]))"
    )
    by_command([sys.executable, "-c", script, str(tmp_path / "told")])(ALARM, "app.db")

    arguments, told = json.loads((tmp_path / "told").read_text())
    assert arguments == [ALARM.title, ALARM.text]
    assert json.loads(told) == {
        "topic": "lag", "level": "warning", "title": ALARM.title, "text": ALARM.text, "source": "app.db",
    }  # fmt: skip


def test_a_command_that_hangs_or_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ChildProcessError, match="ended with 3"):
        by_command([sys.executable, "-c", "raise SystemExit(3)"])(ALARM, "")
    monkeypatch.setattr(notify, "COMMAND_SECONDS", 0.2)
    with pytest.raises(TimeoutError, match="did not end"):
        by_command([sys.executable, "-c", "import time; time.sleep(9)"])(ALARM, "")


def test_a_receiver_that_fails_does_not_keep_others_from_being_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []

    def broken(_alarm: Alarm, _source: str) -> None:
        raise OSError("no network")

    def working(alarm: Alarm, _source: str) -> None:
        heard.append(alarm.title)

    monkeypatch.setattr(notify, "receivers", lambda _settings: [broken, working])
    telling = Notifications(NotifyConfig(), "app.db", tmp_path / "told")
    telling.start()
    telling.tell(ALARM)
    wait_until(lambda: heard == [ALARM.title], "told")
    telling.end(CALM, None)


def test_an_end_is_not_told_again_after_each_restart(tmp_path: Path) -> None:
    memory = tmp_path / "state" / "told"
    ends = [Alarm("end", "failure", "syncd ended", f"NO-GO: {rows} rows do not fit") for rows in (5, 7)]
    other = replace(ends[0], text="the source is gone")

    assert [Told(memory, 60.0).is_news(end, at) for end, at in zip((*ends, *ends), (0, 10, 59, 61), strict=True)] == [
        True, False, False, True,
    ]  # fmt: skip
    assert [Told(memory, 60.0).is_news(other, 62.0) for _ in range(2)] == [True, False]
    assert memory.stat().st_mode & 0o777 == 0o600
    assert Told(memory, 60.0).is_news(ALARM, 63.0) and Told(memory, 60.0).is_news(ALARM, 63.0)


@pytest.mark.parametrize("spoilt", ["", "[]", '{"end": 1}', "\xff"])
def test_a_memory_that_cannot_be_read_lets_everything_be_told(spoilt: str, tmp_path: Path) -> None:
    (tmp_path / "told").write_text(spoilt, "latin-1")

    assert [Told(tmp_path / "told", 60.0).is_news(replace(ALARM, topic="end"), 0.0) for _ in range(2)] == [True, False]


def test_a_memory_that_cannot_be_written_lets_everything_be_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert [Told(tmp_path / "file" / "told", 60.0).is_news(replace(ALARM, topic="end"), 0.0) for _ in "12"] == [
        True
    ] * 2


def test_what_was_kept_back_is_told_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    monkeypatch.setattr(notify, "receivers", lambda _settings: [lambda alarm, _source: heard.append(alarm.title)])
    telling = Notifications(NotifyConfig(), "app.db", tmp_path / "told")
    telling.start()
    for number in range(notify.AT_MOST + 2):
        telling.tell(replace(ALARM, topic=f"table {number}"))
    telling.end(CALM, None)

    assert heard == [*[ALARM.title] * notify.AT_MOST, "2 more notices"]


@past_apprise
def test_urls_are_hidden_wherever_they_are_told() -> None:
    url = "json://ada:hunter22@127.0.0.1:9/secret-path"

    receivers(NotifyConfig(urls=(url,)))

    assert "hunter22" not in redact(f"sending to {url} failed") and "secret-path" not in redact(url)
    assert url not in repr(NotifyConfig(urls=(url,)))


@past_apprise
def test_a_url_that_apprise_does_not_know_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigError) as refused:
        receivers(NotifyConfig(urls=("nonsense://hunter22",)))

    assert "hunter22" not in str(refused.value)
