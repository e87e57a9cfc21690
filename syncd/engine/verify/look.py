"""A close look at chosen rows: read in one transaction of the source, and compared with the target after it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import apsw

from syncd.engine.verify.findings import EXAMPLES, Findings, Values
from syncd.engine.verify.independent import holds
from syncd.model import Batch, Unlike
from syncd.plan import Plan, TablePlan
from syncd.source import ranges, sample
from syncd.source.render import Renderer
from syncd.target.compare import LONGEST_SHOWN, Comparison, Unequal
from syncd.target.database import Connection, transaction

AT_ONCE = 500

Choice = Callable[[apsw.Connection, TablePlan], Sequence[str]]


@dataclass
class _Taken:
    """What was read of one table; `raw` are the values as SQLite holds them."""

    plan: TablePlan
    batches: list[Batch] = field(default_factory=list)
    raw: dict[str, sample.Values] = field(default_factory=dict)


@dataclass(frozen=True)
class Looked:
    """What a look found in one table; `values` are those of the first examples."""

    compared: int
    unequal: tuple[Unequal, ...]
    refused: Mapping[str, str]
    values: Values


class Look:
    """Takes the rows that `choose` names. `independent` asks for a second opinion on every row that is equal."""

    def __init__(self, choose: Choice, *, independent: bool = False) -> None:
        self._choose = choose
        self._independent = independent
        self._taken: dict[str, _Taken] = {}

    def take(self, connection: apsw.Connection, plan: Plan) -> None:
        """Read the rows, in the caller's transaction of the source."""
        for table in plan.tables:
            keys = self._choose(connection, table)
            if keys:
                self._taken[table.name] = self._read(connection, table, keys)

    def _read(self, connection: apsw.Connection, plan: TablePlan, keys: Sequence[str]) -> _Taken:
        taken, renderer = _Taken(plan), Renderer(connection, plan)
        for start in range(0, len(keys), AT_ONCE):
            some = keys[start : start + AT_ONCE]
            batches = list(renderer.batches(ranges.of_keys(plan, some), keyed=True))
            taken.batches += batches
            refused = {refusal.source_key for batch in batches for refusal in batch.refusals}
            if self._independent and (rendered := [key for key in some if key not in refused]):
                taken.raw |= sample.values(connection, plan, rendered)
        return taken

    def compare(
        self, connection: Connection, schema: str, findings: Mapping[str, Findings], timezone: str
    ) -> Mapping[str, Looked]:
        """Compare what was taken; a table of which nothing was taken has no entry."""
        looked = {}
        for name, taken in self._taken.items():
            with transaction(connection):
                looked[name] = _compare(connection, schema, taken, findings[name], timezone)
        return looked


def _compare(connection: Connection, schema: str, taken: _Taken, found: Findings, timezone: str) -> Looked:
    comparison = Comparison(connection, schema, taken.plan)
    refused = {r.source_key: f"cannot land: {r.message}" for batch in taken.batches for r in batch.refusals}
    for batch in taken.batches:
        if batch.rows:
            refused |= comparison.fill(batch.payload, batch.rows, found.rejected).refused
    refused = {key: why for key, why in refused.items() if key not in found.rejected}
    unequal = [row for row in comparison.unequal() if row.source_key not in found.rejected]
    if taken.raw:
        second_opinion(comparison, found, lambda keys: {key: taken.raw[key] for key in keys}, timezone)
    shown = [row.source_key for row in unequal if not row.missing][:EXAMPLES]
    values = comparison.values(shown) if shown else {}
    return Looked(sum(batch.read for batch in taken.batches), tuple(unequal), refused, values)


def second_opinion(
    comparison: Comparison,
    found: Findings,
    raw: Callable[[Collection[str]], Mapping[str, sample.Values]],
    timezone: str,
) -> None:
    """Hold what PostgreSQL prints of the rows that are equal by bytes against the source's `raw` values."""
    columns = found.plan.columns
    rows = comparison.held()
    while some := dict(islice(rows, AT_ONCE)):
        values = raw(some.keys())
        for key, shown in some.items():
            wrong = [
                Unlike(column.name, _shown(value), text and text[:LONGEST_SHOWN])
                for column, value, text in zip(columns, values[key], shown, strict=True)
                if not holds(value, text, column.type, timezone)
            ]
            if wrong:
                found.add_converted(key, wrong)


def _shown(value: str | bytes | float | None) -> str | None:
    if value is None:
        return None
    return (value.hex() if isinstance(value, bytes) else str(value))[:LONGEST_SHOWN]
