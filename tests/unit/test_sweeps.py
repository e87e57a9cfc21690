"""When the daemon sweeps, and how that is written."""

from datetime import timedelta
from pathlib import Path

import pytest

from syncd.config import load
from syncd.errors import ConfigError
from syncd.service.sweeps import wait_after


@pytest.mark.parametrize(
    ("setting", "seconds", "wait"),
    [
        ("auto", 0.0, 60.0),
        ("auto", 10.0, 990.0),
        ("auto", 10_000.0, 86_400.0),
        (timedelta(minutes=10), 60.0, 540.0),
        (timedelta(seconds=1), 60.0, 0.0),
        ("off", 1.0, float("inf")),
    ],
)
def test_the_time_to_the_next_sweep(setting: timedelta, seconds: float, wait: float) -> None:
    assert wait_after(setting, seconds) == wait


@pytest.mark.parametrize(
    ("text", "setting"), [("auto", "auto"), ("OFF", "off"), ("10m", timedelta(minutes=10)), ("", "auto")]
)
def test_a_setting_is_read(tmp_path: Path, text: str, setting: object) -> None:
    path = tmp_path / "x.ini"
    path.write_text(f"[sync]\nsweep = {text}")
    assert load(path).sync.sweep == setting


@pytest.mark.parametrize(("text", "why"), [("often", "neither auto nor off nor a duration"), ("0s", "too short")])
def test_a_wrong_setting_is_refused(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "x.ini"
    path.write_text(f"[sync]\nsweep = {text}")
    with pytest.raises(ConfigError, match=why):
        load(path)
