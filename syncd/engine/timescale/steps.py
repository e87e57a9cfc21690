"""The steps of shaping, in their order."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a step does; the kinds are carried out in this order."""

    HYPERTABLE = "hypertable"
    INDEX = "index"
    COMPRESSION = "compression"
    CHUNKS = "chunks"
    AGGREGATE = "aggregate"
    REFRESH = "refresh"
    POLICY = "policy"
    RETENTION = "retention"


@dataclass(frozen=True)
class Step:
    """One thing to do to one relation: statements that are run one after the other, each safe to be interrupted.

    `seconds` is an estimate of how long they take. A step that `waits` is shown and not carried out before promotion.
    `section` of the configuration wants it.
    """

    kind: Kind
    relation: str
    statements: tuple[str, ...]
    why: str
    seconds: float = 0.0
    waits: bool = False
    section: str = ""
