"""What a log would show."""

import io
import logging
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from loguru import logger

from syncd import log

FORMATS: list[log.Format] = ["text", "json", "journal"]


@pytest.fixture(scope="module")
def log_restored() -> Iterator[None]:
    """Give Python and loguru back, after all tests of a module, what a log takes from them."""
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook)
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    sys.excepthook, threading.excepthook = hooks
    logger.remove()
    logger.configure(patcher=lambda _: None)


@pytest.fixture
def nothing_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    forget(monkeypatch)


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_exact", log._ExactSecrets())


def logged(style: log.Format, write: Callable[[], object], level: str = "INFO") -> str:
    stream = io.StringIO()
    log.configure(level, style, stream)
    write()
    return stream.getvalue()


def raised(error: BaseException) -> BaseException:
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value
