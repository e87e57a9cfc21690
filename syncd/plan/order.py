"""The order of the tables."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter


def parents_first(parents: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Order names so that parents come before children; within a cycle one edge is given up at a time."""
    edges = {name: {p for p in of if p in parents and p != name} for name, of in parents.items()}
    while True:
        try:
            return tuple(TopologicalSorter(edges).static_order())
        except CycleError as error:
            # graphlib lists a cycle so that each member is a predecessor of the next.
            before, after = error.args[1][:2]
            edges[after].discard(before)
