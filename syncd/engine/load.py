"""The initial load: every table copied from a private snapshot, several ranges at a time.

Each batch commits together with its checkpoint, so a load that was killed goes on where it stood.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from syncd.config import ForeignKeys, OnConflict
from syncd.engine import parts, soundness
from syncd.engine.copying import Part, TableLoad, Worker, too_many
from syncd.engine.crew import Job, run_crew
from syncd.engine.forgetting import forget_gone
from syncd.engine.progress import Progress, Step
from syncd.engine.sides import Sides
from syncd.engine.timescale import policies
from syncd.engine.timescale.empty import make_empty
from syncd.errors import SchemaError, TargetUnavailableError
from syncd.log import event
from syncd.model import Applied, PassReport, Phase, Skipped, TableReport
from syncd.plan import Plan, TablePlan
from syncd.source import snapshot
from syncd.source.database import Database
from syncd.target import catalog as target_catalog
from syncd.target import ddl, reject
from syncd.target.database import Connection, IntegrityError, transaction, translated
from syncd.target.stall import guard
from syncd.target.state import TABLE_PART, Checkpoint

_NO_FOREIGN_KEY = "foreign_key_not_created"
_NO_CONSTRAINT = "constraint_not_created"


@dataclass(frozen=True)
class _Origin:
    """Where the rows of a load come from: a snapshot of that name, or the live file where there is no room for one."""

    path: Path
    name: str | None


def load(sides: Sides, progress: Progress, stopping: Callable[[], bool] = lambda: False) -> PassReport:
    """Load every planned table that is not loaded yet; returns what became of each, stopped ones with their error.

    Raises StopError, or RetryError when PostgreSQL stayed away for five minutes.
    """
    began = time.monotonic()
    with translated(), guard(sides.control):
        policies.resume(sides)
        reports = _load(sides, progress, stopping)
    return PassReport(tuple(reports), time.monotonic() - began)


def _load(sides: Sides, progress: Progress, stopping: Callable[[], bool]) -> list[TableReport]:
    there = sides.look_at_target()
    with sides.source.transaction() as connection:
        plan = sides.plan(connection, there)
    with transaction(sides.control):
        sides.state.confirm_epoch(sides.control)
        sides.state.drop_unbegun(sides.control)
    forget_gone(sides, sides.control, plan, there.checkpoints)
    reports = [_stop_unloaded(sides, error.where, error, "table_refused") for error in plan.refused]
    known = sides.state.checkpoints(sides.control)
    wanted = [table for table in plan.tables if _is_to_load(table, known)]
    if not wanted:
        soundness.confirm_sound(sides, stopping)
    else:
        with progress.measuring("", Step.SNAPSHOT):
            origin = _origin(sides, known)
        with policies.paused(sides):
            reports += _load_tables(sides, plan, wanted, origin, progress, stopping)
        _discard(sides, origin)
    if not stopping():
        _end(sides, plan, progress)
    return reports


def _stop_unloaded(sides: Sides, table: str, error: SchemaError, name: str) -> TableReport:
    """Let the status tell why a table's load cannot begin or go on; one that is loaded is left to the passes."""
    event("ERROR", name, str(error), table=table)
    known = sides.checkpoints().get(table)
    if known is None or known.phase is Phase.LOAD:
        stopped = known or Checkpoint(table, TABLE_PART, Phase.STOPPED, fingerprint="")
        with transaction(sides.control):
            sides.state.confirm_epoch(sides.control)
            sides.state.save(sides.control, replace(stopped, error=str(error)))
            sides.state.record(sides.control, "ERROR", name, table, str(error))
    return TableReport.of(table, Applied(), 0.0, error)


def _is_to_load(table: TablePlan, known: tuple[Checkpoint, ...]) -> bool:
    """Whether a table was never loaded, or not to its end: ranges of its load are left."""
    of_table = [checkpoint for checkpoint in known if checkpoint.table == table.name]
    return not of_table or any(c.part != TABLE_PART or c.phase is Phase.LOAD or not c.is_begun for c in of_table)


def _origin(sides: Sides, known: tuple[Checkpoint, ...]) -> _Origin:
    """The snapshot that an interrupted load names, else a new one, else the live file."""
    for name in {c.base_snapshot for c in known if c.base_snapshot and c.phase is Phase.LOAD}:
        path = snapshot.path_of(sides.state_dir, name)
        if path.exists():
            return _Origin(path, name)
    if not snapshot.has_room(sides.source, sides.state_dir):
        event("WARNING", "no_room_for_snapshot", f"no room for a copy in {sides.state_dir}: reading the live file")
        return _Origin(sides.source.path, None)
    with sides.source.transaction():
        name = snapshot.take(sides.source, sides.state_dir)
    # It is the base of the first sweep.
    snapshot.secure(sides.state_dir, name)
    return _Origin(snapshot.path_of(sides.state_dir, name), name)


def _load_tables(
    sides: Sides, plan: Plan, wanted: list[TablePlan], origin: _Origin, progress: Progress, stopping: Callable[[], bool]
) -> list[TableReport]:
    source = Database(origin.path, private=origin.name is not None)
    loads, reports = {}, []
    try:
        for table in wanted:
            try:
                loads[table.name] = _begin(sides, table, plan, source, origin, progress)
            except SchemaError as error:
                reports.append(_stop_unloaded(sides, table.name, error, "table_stopped"))
    finally:
        source.close()
    if plan.foreign_keys is ForeignKeys.ENFORCE:
        _enforce(sides, [load.plan for load in loads.values() if load.plan.created])
    private = origin.name is not None
    workers = [Worker(sides, origin.path, progress, private=private) for _ in range(sides.config.sync.workers)]
    ending = threading.Event()

    def copy(worker: Worker, part: Part) -> None:
        try:
            worker.copy(loads[part.table], part, lambda: stopping() or ending.is_set())
        except BaseException:
            # The others need not go on to the ends of their parts.
            ending.set()
            raise

    def finish(worker: Worker, table: str) -> None:
        if not (stopping() or ending.is_set()):
            with translated(), guard(worker.connection), loads[table].measuring(Step.WAIT):
                _finish_table(sides, worker.connection, loads[table])

    sound = soundness.checked(sides, origin.path, stopping) if private else nullcontext()
    try:
        with sound:
            run_crew(workers, {name: Job(load.waits_for, load.parts) for name, load in loads.items()}, copy, finish)
    finally:
        ending.set()
        for worker in workers:
            worker.close()
    return reports + [load.report() for load in loads.values()]


def _begin(
    sides: Sides, table: TablePlan, plan: Plan, source: Database, origin: _Origin, progress: Progress
) -> TableLoad:
    """Create the table where it is missing, fix how far its load goes, and write that down."""
    enforced = table.created and plan.foreign_keys is ForeignKeys.ENFORCE and bool(table.foreign_keys)
    # It has its key when it was loaded before, from a source in whose place another was accepted.
    again = table.created and ddl.has_key(sides.control, sides.schema, table)
    cut = parts.resume(sides, table) or parts.partition(sides, table, source, origin.name)
    merging = enforced or again or not table.created
    empty = not (enforced or again) and target_catalog.is_empty(sides.control, sides.schema, table.target)
    if table.hypertable:
        make_empty(sides, table, source)
    progress.table_started(table.name, cut.estimate)
    return TableLoad(
        plan=table,
        parts=cut.parts,
        straight=empty or not merging,
        # A table that syncd creates has no key before its rows: there is nothing that a row could conflict with.
        on_conflict=table.on_conflict if merging else OnConflict.FAIL,
        waits_for=frozenset(table.parents) if merging else frozenset(),
        estimate=cut.estimate,
        progress=progress,
        applied=Applied(read=cut.rejected, rejected=cut.rejected),
    )


def _enforce(sides: Sides, created: list[TablePlan]) -> None:
    """Give tables their foreign keys, and the keys that those name, before their rows, which have to obey them."""
    parents = {key.parent for table in created for key in table.foreign_keys}
    for table in created:
        if table.target in parents:
            ddl.create_key(sides.control, sides.schema, table)
            failed = ddl.create_uniques(sides.control, sides.schema, table)
            _report(sides, sides.control, table, failed, _NO_CONSTRAINT)
    for table in created:
        if table.foreign_keys:
            ddl.create_key(sides.control, sides.schema, table)
            failed = ddl.create_foreign_keys(sides.control, sides.schema, table, table.foreign_keys)
            _report(sides, sides.control, table, failed, _NO_FOREIGN_KEY)


def _finish_table(sides: Sides, connection: Connection, load: TableLoad) -> None:
    """Give a copied table its key and constraints, judge its rejects, and let it go over to catch-up, or stop it."""
    plan = load.plan
    known = {c.part: c for c in sides.state.checkpoints(connection) if c.table == plan.name}
    own = known.pop(TABLE_PART)
    complete = load.error is None
    if complete:
        _confirm_places(load, known)
        with load.measuring(Step.INDEX):
            _index(sides, connection, load)
        _judge(sides, connection, load)
    phase = Phase.STOPPED if load.error else Phase.CATCHUP
    with load.measuring(Step.COMMIT), transaction(connection):
        sides.state.confirm_epoch(connection)
        rows = sum(part.rows_applied for part in known.values())
        own = replace(own, phase=phase, rows_applied=rows, error=str(load.error or ""))
        # Of another source that was accepted the target may hold rows that no comparison with this base would find.
        baseless = complete and sides.state.has_accepted(connection)
        sides.state.save(connection, replace(own, base_snapshot=None) if baseless else own)
        if complete:
            sides.state.drop_parts(connection, plan.name)
        sides.state.record(connection, "ERROR" if load.error else "INFO", f"table_{phase}", plan.name, own.error)
    load.end()
    _tell(load)


def _confirm_places(load: TableLoad, parts: Mapping[int, Checkpoint]) -> None:
    """Raise TargetUnavailableError where a crash of the server lost batches that it had confirmed.

    What is there now stays: the transaction that follows is durable, and with it all that came before.
    """
    if any(parts[number].place != place for number, place in load.reached.items()):
        raise TargetUnavailableError(
            "the server crashed and lost batches of the load", where=load.plan.name, advice="Loading them again"
        )


def _index(sides: Sides, connection: Connection, load: TableLoad) -> None:
    plan = load.plan
    if not plan.created:
        return
    try:
        ddl.create_key(connection, sides.schema, plan)
    except IntegrityError as error:
        load.stop(
            SchemaError(
                f"two rows have one key in the target: {error.diag.message_detail}",
                where=plan.name,
                advice=f"Choose another key for the table: [table:{plan.name}] key = ...",
            )
        )
        return
    _report(sides, connection, plan, ddl.create_constraints(connection, sides.schema, plan), _NO_CONSTRAINT)


def _report(sides: Sides, connection: Connection, plan: TablePlan, failed: tuple[Skipped, ...], name: str) -> None:
    for skipped in failed:
        event("WARNING", name, f"{skipped.name}: not created: {skipped.reason}", table=plan.name)
        with transaction(connection):
            sides.state.record(connection, "WARNING", name, plan.name, f"{skipped.name}: {skipped.reason}")


def _judge(sides: Sides, connection: Connection, load: TableLoad) -> None:
    """Stop the table when too many of its rows are rejected; what landed stays."""
    rejected = reject.count(connection, sides.state.source_name, load.plan.name)
    rows = rejected + target_catalog.row_count(connection, sides.schema, load.plan.target) if rejected else 0
    if rejected > load.plan.max_reject_ratio * rows:
        load.stop(too_many(load.plan, rejected, rows))


def _tell(load: TableLoad) -> None:
    report = load.report()
    if report.error:
        event("ERROR", "table_stopped", report.error, table=report.table)
        return
    event(
        "INFO",
        "table_loaded",
        f"{report.table}: loaded",
        table=report.table,
        rows=report.applied.written,
        rejected=report.applied.rejected,
        seconds=round(report.seconds, 2),
    )


def _discard(sides: Sides, origin: _Origin) -> None:
    """Remove the snapshot where it is no table's base, and no load needs it any longer."""
    needed = any(c.base_snapshot == origin.name for c in sides.state.checkpoints(sides.control))
    if origin.name and not needed:
        origin.path.unlink(missing_ok=True)


def _end(sides: Sides, plan: Plan, progress: Progress) -> None:
    """What needs every table: foreign keys. An earlier load may have ended before it came to this.

    Statistics are left to autovacuum, which counts the copied rows and analyzes within a minute.
    """
    phases = {name: checkpoint.phase for name, checkpoint in sides.checkpoints().items()}
    for table in plan.tables:
        if table.created and phases.get(table.name) is Phase.CATCHUP:
            reported = sides.state.reported(sides.control, _NO_FOREIGN_KEY, table.name)
            keys = [
                key
                for key in table.foreign_keys
                if f"{table.name}.{key.name}" not in reported or ddl.is_obeyed(sides.control, sides.schema, table, key)
            ]
            if not keys:
                continue
            progress.note(f"{table.name}: foreign keys")
            with progress.measuring(table.name, Step.INDEX):
                failed = ddl.create_foreign_keys(sides.control, sides.schema, table, keys)
            _report(sides, sides.control, table, failed, _NO_FOREIGN_KEY)
