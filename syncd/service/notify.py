"""Tells people, by Apprise and by a command, from a thread of its own: the data never wait for a receiver."""

import json
import queue
import shlex
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from syncd.config import NotifyConfig
from syncd.engine.report import Report
from syncd.errors import ConfigError
from syncd.log import event, hide, redact
from syncd.service.alarms import LEVELS, Alarm, Alarms, Thresholds
from syncd.service.secrets import kept_secret
from syncd.service.told import Told
from syncd.wording import counted

QUEUED = 100
"""Alarms that wait for a slow receiver; what comes on top is dropped with a warning."""
AT_MOST, PER_SECONDS = 20, 300.0
"""More notices of one kind are no help to anybody: the rest is told in one. Of another kind they may be the news."""
SUMMARY_SECONDS = 60.0
NAMED = 20
COMMAND_SECONDS = 30.0
LAST_WORDS_SECONDS = 10.0

Receiver = Callable[[Alarm, str], None]
"""Takes an alarm and the name of the source. Raises whatever it likes."""


class Notifications:
    """Judges each report and tells what is new to every receiver."""

    def __init__(self, settings: NotifyConfig, source: str, memory: Path) -> None:
        """`memory` is the file that outlives a restart.

        Raises ConfigError for URLs that Apprise does not know, and where it is not installed.
        """
        self._alarms = Alarms(Thresholds.of(settings.lag, settings.lag_for, settings.rejects))
        self._source = source
        self._receivers = receivers(settings)
        self._told = Told(memory, settings.repeat.total_seconds())
        self._limits = Limits(settings.repeat.total_seconds())
        self._queue: queue.Queue[Alarm | None] = queue.Queue(QUEUED)
        self._dropped = False
        self._thread = threading.Thread(target=self._run, name="notify", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def hear(self, report: Report) -> None:
        """Judge a report; waits for nothing."""
        for alarm in self._alarms.judge(report):
            self.tell(alarm)
        self._summarize()

    def tell(self, alarm: Alarm) -> None:
        """Log an alarm and, unless it is kept back, hand it to the receivers' thread; waits for nothing."""
        event("WARNING" if alarm.level in ("warning", "failure") else "INFO", "notice", f"{alarm.title}: {alarm.text}")
        if self._told.is_news(alarm, time.time()) and self._limits.permits(alarm, time.monotonic()):
            self._send(alarm)

    def _summarize(self, *, is_last: bool = False) -> None:
        if summary := self._limits.summary(time.monotonic(), is_last=is_last):
            self._send(summary)

    def _send(self, alarm: Alarm) -> None:
        try:
            self._queue.put_nowait(alarm)
            self._dropped = False
        except queue.Full:
            if not self._dropped:
                event("WARNING", "notify_failed", f"receivers are too slow: {QUEUED} notices wait, more are dropped")
            self._dropped = True

    def end(self, report: Report, fault: Exception | None) -> None:
        """Judge the last report, tell the fault that ends the daemon, and let what waits be told, for a few seconds."""
        for alarm in self._alarms.end(report, fault):
            self.tell(alarm)
        self._summarize(is_last=True)
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(LAST_WORDS_SECONDS)

    def _run(self) -> None:
        while (alarm := self._queue.get()) is not None:
            for receiver in self._receivers:
                try:
                    receiver(alarm, self._source)
                except Exception as error:
                    # Whatever a receiver's library raises: it is a warning, and the next alarm tries again.
                    event("WARNING", "notify_failed", f"a notice did not reach everybody: {redact(str(error))}")


class Limits:
    """Keeps back what was told already, and floods. Moments are monotonic seconds."""

    def __init__(self, repeat: float) -> None:
        self._repeat = repeat
        self._told: dict[str, tuple[Alarm, float]] = {}
        self._sent: dict[str, deque[float]] = {}
        self._kept_back: dict[str, Alarm] = {}
        self._since = 0.0

    def permits(self, alarm: Alarm, now: float) -> bool:
        """Whether to send this alarm now. One of a flood is kept for the summary, as the latest on its topic."""
        self._told = {topic: told for topic, told in self._told.items() if now - told[1] < self._repeat}
        if alarm.topic in self._told and self._told[alarm.topic][0] == alarm:
            return False
        self._told[alarm.topic] = (alarm, now)
        sent = self._sent.setdefault(alarm.kind, deque(maxlen=AT_MOST))
        self._kept_back.pop(alarm.topic, None)
        if len(sent) == AT_MOST and now - sent[0] < PER_SECONDS:
            self._since = self._since if self._kept_back else now
            self._kept_back[alarm.topic] = alarm
            return False
        sent.append(now)
        return True

    def summary(self, now: float, *, is_last: bool = False) -> Alarm | None:
        """What was kept back, all in one, a minute after the first of it or where it `is_last`; then it is told."""
        if not self._kept_back or (now - self._since < SUMMARY_SECONDS and not is_last):
            return None
        alarms = [*self._kept_back.values()]
        self._kept_back.clear()
        more = f"; and {len(alarms) - NAMED} more: see the log" if len(alarms) > NAMED else ""
        return Alarm(
            "summary",
            max((alarm.level for alarm in alarms), key=LEVELS.index),
            counted(len(alarms), "more notice"),
            "; ".join(alarm.title for alarm in alarms[:NAMED]) + more,
        )


def receivers(settings: NotifyConfig) -> Sequence[Receiver]:
    """Those whom the configuration names."""
    found: list[Receiver] = []
    kept = kept_secret(settings.urls_file, "notifyurls", "[notify] urls_file") or ""
    urls = [*settings.urls, *(line.strip() for line in kept.splitlines() if line.strip())]
    if urls:
        found.append(by_apprise(urls))
    if settings.command:
        found.append(by_command(shlex.split(settings.command)))
    return found


def by_apprise(urls: Sequence[str]) -> Receiver:
    """Sends to every URL. They are secrets, all of each: none is ever shown."""
    for url in urls:
        hide(url)
    try:
        # Imported here: it takes a tenth of a second, and few want it.
        import apprise  # noqa: PLC0415
    except ModuleNotFoundError:
        advice = "pip install 'syncd[notify]'"
        raise ConfigError("notifications need apprise", where="[notify] urls", advice=advice) from None
    everybody = apprise.Apprise()
    for number, url in enumerate(urls, 1):
        if not everybody.add(url):
            raise ConfigError(f"Apprise does not know URL {number}", where="[notify] urls")

    def send(alarm: Alarm, source: str) -> None:
        title = f"syncd: {alarm.title}"
        if not everybody.notify(
            body=f"{alarm.text}\n{source}", title=title, notify_type=apprise.NotifyType(alarm.level)
        ):
            raise ConnectionError("not every receiver of [notify] urls took it")

    return send


def by_command(words: Sequence[str]) -> Receiver:
    """Runs a program, without a shell: the alarm as JSON on its stdin, title and text as its last two arguments."""

    def run(alarm: Alarm, source: str) -> None:
        told = json.dumps(asdict(alarm) | {"source": source})
        try:
            done = subprocess.run(  # noqa: S603 - the configuration names it
                [*words, alarm.title, alarm.text],
                input=told,
                text=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=COMMAND_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{words[0]} did not end within {COMMAND_SECONDS:.0f} s") from None
        if done.returncode:
            raise ChildProcessError(f"{words[0]} ended with {done.returncode}: {done.stderr.strip()[-300:]}")

    return run
