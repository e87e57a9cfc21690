"""What the check finds, and what it comes to: GO or NO-GO."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum


class Gravity(IntEnum):
    """How much a finding weighs; the gravest first."""

    BLOCKER = 0
    WARNING = 1
    NOTE = 2


@dataclass(frozen=True)
class Finding:
    """One problem. `examples` are source keys with the value in question; `count` is in rows, None where it has none.

    `lines` are what to write into the configuration to settle it, by key, in the section `[table:TABLE]` unless
    `section` names another; `advice` is what else to do.
    """

    gravity: Gravity
    what: str
    table: str = ""
    column: str = ""
    count: int | None = None
    examples: tuple[str, ...] = ()
    lines: Mapping[str, str] = field(default_factory=dict)
    section: str = ""
    advice: str = ""

    @property
    def header(self) -> str:
        """The section that the lines belong to."""
        return self.section or f"table:{self.table}"

    @property
    def ini(self) -> str:
        """The lines with their section, as they stand in the file; empty where nothing need be written."""
        if not self.lines:
            return ""
        return "\n".join([f"[{self.header}]", *(f"{key} = {value}" for key, value in self.lines.items())])


@dataclass(frozen=True)
class CheckReport:
    """All findings, the gravest first. `complete` is false where only a sample of the rows was read."""

    findings: tuple[Finding, ...]
    tables: int
    rows: int
    complete: bool
    seconds: float

    @property
    def is_go(self) -> bool:
        return all(finding.gravity is not Gravity.BLOCKER for finding in self.findings)
