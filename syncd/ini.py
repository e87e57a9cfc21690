"""The lines of an INI file, each value with the line that it stands on."""

import configparser
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from syncd.errors import ConfigError, RefusedError

Fault = tuple[int, str]
"""A line of the file, 0 outside of it, and what is wrong there."""


@dataclass(frozen=True)
class Entry:
    """A value, or a section's header with an empty key."""

    section: str
    key: str
    text: str
    line: int


class _NumberedParser(configparser.RawConfigParser):
    """Parses lines that begin with their own number and a NUL, so that no section and no key meets its double."""

    SECTCRE = re.compile(r"(?P<header>[0-9]+\0\[.+)\]")

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def read(path: Path, faults: list[Fault]) -> Iterator[Entry]:
    """Every entry in the order of the file, doubles too; lines that are none are added to `faults`.

    Raises ConfigError or RefusedError for a file that cannot be read.
    """
    parser = _NumberedParser(delimiters=("=",), interpolation=None, default_section="")
    lines = enumerate(_text(path, faults).split("\n"), 1)
    numbered_lines = (re.sub(r"^(\s*)(?=[^\s#;])", rf"\g<1>{number}\0", line) for number, line in lines)
    try:
        parser.read_file(chain(["0\0[ ]"], numbered_lines))
    except configparser.ParsingError as error:
        what = "is no `key = value`, no [section] and no comment"
        faults += [(number - 1, f"{path}:{number - 1}: {what}") for number, _ in error.errors]
    for header in parser.sections():
        section = ":".join(part.strip() for part in header.partition("[")[2].split(":", 1))
        for numbered, text in [(header, ""), *parser.items(header)]:
            line, _, key = numbered.partition("\0")
            name = "" if numbered is header else key or "="
            yield Entry(section, name, re.sub("(?m)^[0-9]+\0", "", text).strip(), int(line))


def _text(path: Path, faults: list[Fault]) -> str:
    try:
        text = path.read_text("utf-8")
    except PermissionError:
        advice = "give the user that runs syncd the right to read it"
        raise RefusedError("the file may not be read", where=str(path), advice=advice) from None
    except OSError as error:
        raise ConfigError(f"the file cannot be read: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError("is not UTF-8; save the file as UTF-8", where=f"{path}:{line}") from None
    if text.startswith("\ufeff"):
        faults.append((1, f"{path}:1: begins with a byte order mark; save the file as UTF-8 without one"))
    return text.removeprefix("\ufeff")
