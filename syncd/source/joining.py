"""Many SQLite expressions in one: a function takes at most 1,000 arguments, and a table may have 2,000 columns."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

_AT_MOST = 400


def joined(fields: Iterable[str]) -> str:
    """The fields with commas between them."""
    parts = [f"concat_ws(',',{','.join(part)})" for part in parted(fields)]
    return parts[0] if len(parts) == 1 else f"concat_ws(',',{','.join(parts)})"


def parted(items: Iterable[T]) -> Iterator[tuple[T, ...]]:
    """The items in groups small enough for one function or one row of ORs."""
    remaining = iter(items)
    while part := tuple(islice(remaining, _AT_MOST)):
        yield part
