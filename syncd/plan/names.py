"""Names of the source's things in PostgreSQL."""

from collections.abc import Iterable

from syncd.model import digest

LONGEST_NAME = 63


def cut_name(name: str) -> str:
    """A name that PostgreSQL keeps whole: over 63 bytes its end gives way to a digest, lest two names become one."""
    if len(name.encode()) <= LONGEST_NAME:
        return name
    return name.encode()[: LONGEST_NAME - 17].decode(errors="ignore") + "_" + digest(name)


def same_name(name: str, among: Iterable[str]) -> str | None:
    """The very name, else the only one that differs from it in case alone."""
    names = tuple(among)
    if name in names:
        return name
    alike = [other for other in names if other.lower() == name.lower()]
    return alike[0] if len(alike) == 1 else None
