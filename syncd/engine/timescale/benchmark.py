"""Timing queries before and after shaping."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from syncd.engine.sides import Sides
from syncd.engine.timescale.planning import Ground, proposed_layout
from syncd.engine.timescale.shaping import ShapeReport, grounded
from syncd.target.timescale import timing


@dataclass(frozen=True)
class Timing:
    """A query and its seconds before and after."""

    name: str
    query: str
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """How many times faster it has become."""
        return self.before / self.after if self.after else 0.0


def benchmark(sides: Sides, work: Callable[[], ShapeReport]) -> tuple[ShapeReport, tuple[Timing, ...]]:
    """Time the queries of the configuration, or the usual ones, shape the tables by `work`, and time them again."""
    with grounded(sides, install=True) as (ground, _):
        queries = _queries(ground)
        before = {name: timing.timed(ground.connection, name, query) for name, query in queries.items()}
        report = work()
        return report, tuple(
            Timing(name, query, before[name], timing.timed(ground.connection, name, query))
            for name, query in queries.items()
        )


def _queries(ground: Ground) -> Mapping[str, str]:
    if ground.config.benchmarks:
        return {name: benchmark.query.text for name, benchmark in ground.config.benchmarks.items()}
    found: dict[str, str] = {}
    for table in ground.wanted:
        layout = proposed_layout(ground, table)
        columns = [*layout.segment_by, *(name for name, _ in layout.order_by)]
        # The column with the most values is what people ask for one of.
        others = [name for name in columns if name != ground.wanted[table].time_column]
        found |= timing.usual(ground.connection, ground.shaping(table), others[-1] if others else None)
    return found
