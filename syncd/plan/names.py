"""Names of the source's things in PostgreSQL."""

import re
from collections.abc import Iterable

from syncd.config import NameStyle
from syncd.model import digest

LONGEST_NAME = 63


def cut_name(name: str) -> str:
    """A name that PostgreSQL keeps whole: over 63 bytes its end gives way to a digest, lest two names become one."""
    if len(name.encode()) <= LONGEST_NAME:
        return name
    return name.encode()[: LONGEST_NAME - 17].decode(errors="ignore") + "_" + digest(name)


def styled(name: str, style: NameStyle) -> str:
    """A name of the source as it is spelled in the target."""
    if style is NameStyle.KEEP:
        return name
    if style is NameStyle.LOWER:
        return name.lower()
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"[^\w]+", "_", parted).strip("_").lower() or name


def same_name(name: str, among: Iterable[str]) -> str | None:
    """The very name, else the only one that differs from it in case alone."""
    names = tuple(among)
    if name in names:
        return name
    alike = [other for other in names if other.lower() == name.lower()]
    return alike[0] if len(alike) == 1 else None
