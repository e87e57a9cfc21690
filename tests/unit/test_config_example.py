"""The example shows every key of a configuration, each with a comment, and is one itself."""

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from pydantic import BaseModel

from syncd.config import (
    AggregateConfig,
    BenchmarkConfig,
    CutoverConfig,
    HooksConfig,
    HypertableConfig,
    IndexConfig,
    LogConfig,
    NotifyConfig,
    SourceConfig,
    SyncConfig,
    TableConfig,
    TargetConfig,
    WebConfig,
    load,
)
from tests.plugins.settings import Write

EXAMPLE = Path(__file__).parents[2] / "config.example.ini"


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
