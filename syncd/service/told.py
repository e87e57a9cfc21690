"""What was told last of troubles and ends, kept in a file: who cannot start is started again every 10 seconds."""

import json
import os
import re
from pathlib import Path

from syncd.log import event
from syncd.model import digest
from syncd.service.alarms import Alarm

_KEPT = ("trouble", "end")


class Told:
    """Remembers across restarts for `repeat` seconds what was told; of another kind than trouble and end nothing."""

    def __init__(self, path: Path, repeat: float) -> None:
        self._path = path
        self._repeat = repeat

    def is_news(self, alarm: Alarm, now: float) -> bool:
        """Whether the last word on the topic was another one, or too long ago; remembers it. `now` in Unix seconds."""
        if alarm.kind not in _KEPT:
            return True
        told = {topic: last for topic, last in self._read().items() if 0 <= now - last[1] < self._repeat}
        # How many rows do not fit, or since when nothing answers, changes from start to start.
        said = digest(alarm.level, alarm.title, re.sub(r"\d+", "", alarm.text))
        if alarm.topic in told and told[alarm.topic][0] == said:
            return False
        self._write(told | {alarm.topic: (said, now)})
        return True

    def _read(self) -> dict[str, tuple[str, float]]:
        try:
            found = json.loads(self._path.read_text("utf-8"))
            return {str(topic): (str(said), float(at)) for topic, (said, at) in found.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            self._warn(error)
            return {}

    def _write(self, told: dict[str, tuple[str, float]]) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(told, file)
        except OSError as error:
            self._warn(error)

    def _warn(self, error: Exception) -> None:
        said = f"{self._path}: what was told is not known, and may be told again: {error}"
        event("WARNING", "notify_failed", said)
