"""Keys to read again: what a sweep, a reject or verify found, whatever found it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ReadAgain:
    """Keys of one table whose rows a pass reads again from the source: there, they are merged; gone, deleted.

    `source_keys`: each with the target keys that the target is known or believed to hold for it, as lines that COPY
    reads; an old target key that no source row has any longer is deleted. `target_keys`: rows of the target that no
    source row is known to have. `held`: rows of the target that have what other rows want; whether the source has
    them still is to be seen.
    """

    source_keys: Mapping[str, frozenset[str]] = field(default_factory=dict)
    target_keys: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.source_keys or self.target_keys or self.held)

    def __add__(self, other: "ReadAgain") -> "ReadAgain":
        merged = dict(self.source_keys)
        for key, known in other.source_keys.items():
            merged[key] = merged.get(key, frozenset()) | known
        return ReadAgain(merged, self.target_keys | other.target_keys, self.held | other.held)
