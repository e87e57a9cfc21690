"""Configuration files that are read, and what is found wrong in them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from syncd.config import (
    load,
)
from syncd.errors import ConfigError

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
