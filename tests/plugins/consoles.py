"""Consoles, before people and before files."""

import io
import sys
from collections.abc import Iterator
from typing import Protocol

import pytest
from loguru import logger

from syncd.console import Console
from syncd.log import Format


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        return True


class MakeConsole(Protocol):
    def __call__(self, *, json: bool = False, quiet: bool = False, log_format: Format = "text") -> Console: ...


@pytest.fixture
def clean_log() -> Iterator[None]:
    yield
    logger.remove()


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> MakeConsole:
    """Make consoles whose two streams go to new files."""

    def make(*, json: bool = False, quiet: bool = False, log_format: Format = "text") -> Console:
        monkeypatch.setattr(sys, "stdout", io.StringIO())
        monkeypatch.setattr(sys, "stderr", io.StringIO())
        return Console(json=json, quiet=quiet, log_format=log_format)

    return make


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> MakeConsole:
    """Make consoles whose two streams go to a new terminal of 80 columns, without colours."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")

    def make(*, json: bool = False, quiet: bool = False, log_format: Format = "text") -> Console:
        monkeypatch.setattr(sys, "stdout", Terminal())
        monkeypatch.setattr(sys, "stderr", Terminal())
        return Console(json=json, quiet=quiet, log_format=log_format)

    return make


def written(stream: object) -> str:
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()
