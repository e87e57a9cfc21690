"""The log: one way to write it, three ways to read it, and no secret in any of them."""

import json
import logging
import math
import os
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC
from types import TracebackType
from typing import TYPE_CHECKING, Literal, TextIO
from urllib.parse import quote, quote_plus

from loguru import logger

if TYPE_CHECKING:
    from loguru import Message, Record

Format = Literal["text", "json", "journal"]

HIDDEN = "***"
# A shorter secret would be replaced inside so many words that the log became unreadable and its gaps spelt the secret.
# Where its form shows it (a DSN, password=...) a secret is hidden at any length.
SHORTEST_HIDDEN = 4


def configure(level: str, format: Format, stream: TextIO | None = None) -> None:  # noqa: A002 - as the option is called
    """Send every event of `level` and above to `stream` (stderr), and nothing anywhere else.

    text: time, level, message, key=value. json: one object a line. journal: a syslog priority instead of the time.
    Warnings of libraries and uncaught exceptions come the same way. Raises ValueError for an unknown level.
    """
    target = sys.stderr if stream is None else stream
    render = _renderer(format, target)

    def write(message: "Message") -> None:
        target.write(render(message.record) + "\n")
        target.flush()

    logger.remove()
    logger.configure(patcher=_withhold)
    logger.add(write, level=level.upper(), format=_nothing, backtrace=False, diagnose=False)
    _route_libraries()
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def event(level: str, name: str, message: str, /, *, exception: BaseException | None = None, **detail: object) -> None:
    """Log what happened: `name` for machines, `message` for people, `detail` for both, and an exception's traceback.

    The message is taken as it stands: braces mean nothing. Not for signal handlers: loguru raises RuntimeError when
    the thread that is writing enters it again.
    """
    logger.bind(**{**detail, "event": name}).opt(exception=exception).log(level.upper(), message)


def hide(secret: str) -> None:
    """Replace this secret from now on wherever it occurs, also as URLs, DSNs, SQL, JSON and repr spell it.

    A secret of fewer than `SHORTEST_HIDDEN` characters is hidden only where its form shows it.
    """
    # Each line too: the traceback of an exception group sets the lines of a message in.
    for part in {secret, secret.strip(), *secret.splitlines()}:
        if len(part) >= SHORTEST_HIDDEN:
            _exact.add(part)


def redact(text: str) -> str:
    """The text without the secrets that `hide` was told of and the passwords that a DSN or an option shows."""
    text = _exact.removed_from(text)
    for form, replacement in _FORMS:
        text = form.sub(replacement, text)
    return text


# What is secret


class _ExactSecrets:
    def __init__(self) -> None:
        self._spellings: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None

    def add(self, secret: str) -> None:
        self._spellings |= _spellings(secret)
        longest_first = sorted(self._spellings, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def removed_from(self, text: str) -> str:
        return self._pattern.sub(HIDDEN, text) if self._pattern else text


_exact = _ExactSecrets()


def _spellings(secret: str) -> set[str]:
    encoded = secret.encode("utf-8", "surrogatepass")
    return {
        secret,
        quote(encoded, safe=""),
        quote(encoded),
        quote_plus(encoded),
        secret.replace("\\", "\\\\").replace("'", "\\'"),
        secret.replace("'", "''"),
        repr(secret)[1:-1],
        repr(encoded)[2:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
    }


# A repr doubles the backslashes, so a quote or blank after any number of them may belong to the value. Where the end
# cannot be told, too much is hidden rather than too little.
_QUOTED = r"""(?:'(?:[^'\\]|\\+'?)*+(?:'|\Z)|"(?:[^"\\]|\\+"?)*+(?:"|\Z))"""
_QUOTED_IN_REPR = r"""(?P<quote>\\+['"]).*?(?:(?<!\\)(?P=quote)|\Z)"""
_VALUE = rf"(?:{_QUOTED_IN_REPR}|{_QUOTED}|(?:[^\s\\]|\\+.?)++)"
_NAME = r"(?:password|passwd|passphrase|secret)"

_FORMS: list[tuple[re.Pattern[str], str]] = [
    # To the last @ of the word: libpq ends the password at the first, but whoever wrote another into it meant it.
    # Past blanks only where no port stands. Bounded, or 100 kB of "://a:" would take 13 s.
    (re.compile(r"(://[^\s:/]*:)(?:\S{0,4096}@|(?!\d{1,5}\b)[^\n@]{0,256}@)"), rf"\1{HIDDEN}@"),
    (re.compile(rf"({_NAME}\s*=\s*){_VALUE}", re.I | re.S), rf"\1{HIDDEN}"),
    (re.compile(rf"""({_NAME}\\*['"]\s*:\s*){_VALUE}""", re.I | re.S), rf"\1{HIDDEN}"),
    (re.compile(rf"(--[\w-]*{_NAME}\s+){_VALUE}", re.I | re.S), rf"\1{HIDDEN}"),
    # The part of a malformed DSN that libpq or psycopg stumbled over is as good as always in the password.
    (re.compile(r'(missing "=" after ").*(")', re.S), rf"\1{HIDDEN}\2"),
    (re.compile(r'((?:percent-encoded (?:token|value)|query parameter): ").*(")', re.S), rf"\1{HIDDEN}\2"),
    (re.compile(r'(unexpected spaces found in ").*(")', re.S), rf"\1{HIDDEN}\2"),
    (re.compile(r"""((?:host|host name|server at) ['"])[^'"\n]*@"""), rf"\1{HIDDEN}@"),
]
_SECRET_KEY = re.compile(_NAME + r"\Z", re.I)


def _withhold(record: "Record") -> None:
    """Take the secrets out of the record itself, so that no sink ever sees them."""
    record["message"] = redact(record["message"])
    extra = {str(key): _shown(str(key), value) for key, value in record["extra"].items()}
    failed = record["exception"]
    if failed is not None:
        lines = traceback.format_exception(failed.type, failed.value, failed.traceback)
        extra["exception"] = redact("".join(lines)).rstrip("\n")
        record["exception"] = None
    record["extra"].clear()
    record["extra"].update(extra)


def _shown(key: str, value: object) -> object:
    if value is None:
        return None
    if _SECRET_KEY.search(key):
        return HIDDEN
    if isinstance(value, Mapping):
        return {redact(str(name)): _shown(str(name), item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown("", item) for item in value]
    text = _text(value)
    shown = redact(text)
    is_number = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return value if is_number and shown == text else shown


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception as error:  # the log must not be what fails
        return f"<{type(value).__name__}: {type(error).__name__}>"


# How it looks

_PRIORITY = {"TRACE": 7, "DEBUG": 7, "INFO": 6, "SUCCESS": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}
_COLOUR = {"TRACE": "2", "DEBUG": "2", "SUCCESS": "32", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}
# Control characters, line and direction marks, lone surrogates: what could forge a line, hide text or fail to encode.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def _renderer(format: Format, stream: TextIO) -> "Callable[[Record], str]":  # noqa: A002 - as the option is called
    if format == "json":
        return _as_json
    if format == "journal":
        return _as_journal
    return _as_coloured_text if _wants_colour(stream) else _as_text


def _wants_colour(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _as_text(record: "Record") -> str:
    head = f"{_local_time(record)} {record['level'].name:<8} {_one_line(record['message'])}"
    return "\n".join([f"{head} {_pairs(record)}".rstrip(), *_exception_lines(record)])


def _as_coloured_text(record: "Record") -> str:
    code = _COLOUR.get(record["level"].name, "0")
    head = f"\x1b[2m{_local_time(record)}\x1b[0m \x1b[{code}m{record['level'].name:<8}\x1b[0m"
    line = f"{head} {_one_line(record['message'])} \x1b[2m{_pairs(record)}\x1b[0m"
    return "\n".join([line, *_exception_lines(record)])


def _as_journal(record: "Record") -> str:
    # The journal takes each line for a record of its own, so each says its priority.
    priority = f"<{_PRIORITY.get(record['level'].name, 6)}>"
    lines = [f"{_one_line(record['message'])} {_pairs(record)}".rstrip(), *_exception_lines(record)]
    return "\n".join(priority + line for line in lines)


def _as_json(record: "Record") -> str:
    fixed = {
        "time": record["time"].astimezone(UTC).isoformat(timespec="milliseconds"),
        "level": record["level"].name,
        "event": record["extra"].get("event"),
        "message": record["message"],
    }
    detail = {f"{key}_" if key in fixed else key: value for key, value in record["extra"].items() if key != "event"}
    return json.dumps(fixed | detail)


def _local_time(record: "Record") -> str:
    return record["time"].isoformat(sep=" ", timespec="milliseconds")


def _pairs(record: "Record") -> str:
    return " ".join(f"{_bare(key)}={_bare(value)}" for key, value in record["extra"].items() if key != "exception")


def _bare(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r'[^\s"=\\]+', value):
        return _one_line(value)
    return _one_line(json.dumps(value, ensure_ascii=False))


def _exception_lines(record: "Record") -> Iterator[str]:
    # Indented, so that no line of an error's text passes for an event.
    for line in record["extra"].get("exception", "").splitlines():
        yield "    " + _one_line(line)


def _one_line(text: str) -> str:
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def _nothing(_: "Record") -> str:
    return ""


# What others would print


class _InterceptHandler(logging.Handler):
    """Hands what libraries log through the standard library to `event`."""

    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelname if record.levelname in _PRIORITY else "WARNING"
        error = record.exc_info[1] if record.exc_info else None
        event(level, "library", _library_message(record), exception=error, logger=record.name)


def _library_message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # its arguments do not fit its format
        return str(record.msg)


def _route_libraries() -> None:
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _InterceptHandler)]:
        root.removeHandler(handler)
    root.addHandler(_InterceptHandler())
    root.setLevel(logging.WARNING)


def _log_uncaught(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, where)
    else:
        event("CRITICAL", "crashed", f"uncaught {kind.__name__}", exception=error)


def _log_uncaught_in_thread(failed: threading.ExceptHookArgs) -> None:
    if not issubclass(failed.exc_type, SystemExit):
        thread = failed.thread.name if failed.thread else None
        event("CRITICAL", "crashed", f"uncaught {failed.exc_type.__name__}", exception=failed.exc_value, thread=thread)
