"""Verify what changed: every key that was written since a full verify found its table equal. The source is frozen.

A row that nobody wrote is as it was when it was proven. What differs in the source and was not written yet, the sweep
before this has found, and so it was written. Somebody else's writes to the target are found by a full verify alone.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from syncd.engine.catchup import Catchup
from syncd.engine.cutover.progress import Comparing
from syncd.engine.sides import Sides
from syncd.engine.verify import Asked, verify
from syncd.engine.verify.findings import Findings
from syncd.engine.verify.image import Image
from syncd.engine.verify.look import Look
from syncd.engine.verify.scan import still_extra
from syncd.model import Difference, TableVerdict, VerifyReport
from syncd.plan import Plan, TablePlan
from syncd.source import catalog as source_catalog
from syncd.source.database import SourceConnection
from syncd.source.holders import TargetKeys, canonical, is_own, is_rowid
from syncd.target import catalog as target_catalog
from syncd.target import inventory, proven, reject
from syncd.target.compare import Comparison
from syncd.target.database import transaction, translated

KEYS_AT_ONCE = 50_000
MODE = "changed"


def verify_changed(sides: Sides, catchup: Catchup, plan: Plan, progress: Comparing) -> VerifyReport:
    """Compare what changed, and in full the tables of which nothing is proven. The source must be fenced."""
    began = time.monotonic()
    known = proven.tables(sides.control, sides.state.source_name)
    unproven = tuple(table for table in plan.tables if table.name not in known)
    verdicts = _in_full(sides, unproven, progress) if unproven else {}
    rejected = reject.keys(catchup.connection, sides.state.source_name)
    for table in plan.tables:
        if table.name in known:
            changed = _Changed(sides, catchup, table, frozenset(rejected.get(table.name, ())), progress)
            verdicts[table.name] = changed.verify()
    with_keys = _with_open_foreign_keys(sides, plan, verdicts)
    return VerifyReport(MODE, tuple(with_keys[table.name] for table in plan.tables), time.monotonic() - began)


def _in_full(sides: Sides, tables: Sequence[TablePlan], progress: Comparing) -> dict[str, TableVerdict]:
    only = sides.config.sync.model_copy(update={"tables": tuple(table.name for table in tables), "skip": ()})
    restricted = replace(sides, config=sides.config.model_copy(update={"sync": only}))
    return {found.table: found for found in verify(restricted, Asked("full", sync=False), progress).tables}


def _with_open_foreign_keys(
    sides: Sides, plan: Plan, verdicts: Mapping[str, TableVerdict]
) -> Mapping[str, TableVerdict]:
    """PostgreSQL watches over every foreign key that it has validated; one that it has not is a difference."""
    by_target = {table.target: table.name for table in plan.tables}
    found = dict(verdicts)
    for target, name in inventory.not_validated(sides.control, sides.schema):
        if table := by_target.get(target):
            said = Difference(table, "foreign key", name, "it was never validated")
            found[table] = replace(found[table], differences=(*found[table].differences, said))
    return found


class _Changed:
    """The keys of one table that were written since its proof."""

    def __init__(
        self, sides: Sides, catchup: Catchup, plan: TablePlan, rejected: frozenset[str], progress: Comparing
    ) -> None:
        self._sides = sides
        self._catchup = catchup
        self._plan = plan
        self._rejected = rejected
        self._progress = progress

    def verify(self) -> TableVerdict:
        sides, plan = self._sides, self._plan
        written = proven.written_since(sides.control, sides.state.source_name, plan.name)
        keys = sorted(key for key in written if key)
        self._progress.table_started(plan.name, len(keys))
        with sides.source.transaction() as connection:
            found = Findings(plan, source_catalog.row_count(connection, plan.name, plan.where), self._rejected)
            for part in _chunks(keys):
                self._compare(connection, found, part)
            found.add_extra(self._extra(connection, written))
        with translated():
            found.target_rows = target_catalog.row_count(self._catchup.connection, sides.schema, plan.target)
        if not found.is_open:
            found.check_counts()
        self._progress.table_finished(plan.name)
        return found.verdict()

    def _compare(self, connection: SourceConnection, found: Findings, keys: Sequence[str]) -> None:
        look = Look(lambda _, table: keys if table.name == self._plan.name else [])
        look.take(connection, Plan((self._plan,), ()))
        name = self._plan.name
        looked = look.compare(
            self._catchup.connection, self._sides.schema, {name: found}, self._sides.target.timezone
        ).get(name)
        if looked:
            found.refuse(looked.refused)
            found.add(looked.compared, looked.compared, looked.unequal)
            found.values |= {key: list(pairs) for key, pairs in looked.values.items()}
        self._progress.advanced(name, len(keys))

    def _extra(self, connection: SourceConnection, written: proven.Keys) -> list[str]:
        """Target keys that were written, that no row of the source has now, and that the target still holds."""
        plan, now = self._plan, TargetKeys(connection, self._plan)
        own_rowid = is_rowid(plan)
        known = {
            canonical(target_key)
            for key, target_keys in written.items()
            for target_key in (target_keys or ({key} if own_rowid and key else ()))
        }
        gone = known - set(now.of(key for key in written if key).values())
        if gone and not is_own(plan):
            gone -= set(now.having(gone).values())
        if not gone:
            return []
        target = self._catchup.connection
        with transaction(target):
            keys = replace(plan, columns=plan.key_columns, checks=())
            held = list(Comparison(target, self._sides.schema, keys).unstaged(gone))
        # To PostgreSQL two keys may be the same that are none in the source: citext, numeric.
        image = Image(self._sides.source.path, private=False, tables=(plan,))
        return still_extra(self._sides, image, plan, held) if held else []


def _chunks(keys: Sequence[str]) -> Iterator[list[str]]:
    remaining = iter(keys)
    while part := list(islice(remaining, KEYS_AT_ONCE)):
        yield part
