"""Finish: what only promotion may do to the target, and the commit that makes PostgreSQL the truth."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from syncd.engine import timescale
from syncd.engine.progress import Silent
from syncd.engine.sides import Sides
from syncd.engine.timescale import Step, policies
from syncd.errors import AbortedError, SyncdError, TargetUnavailableError
from syncd.log import event
from syncd.model import Stage
from syncd.plan import Plan
from syncd.quoting import identifier
from syncd.source.counters import counters
from syncd.target import promoted, promotion, sequences
from syncd.target.cutover import CutoverState
from syncd.target.database import IntegrityError, transaction
from syncd.target.sequences import Floors, SequenceSet
from syncd.target.timescale.session import prepared

_ASK_AGAIN_SECONDS = 1.0


@dataclass(frozen=True)
class Finished:
    """What promotion did to the target: the statements that gave the constraints their final form."""

    statements: tuple[str, ...]
    analyzed: tuple[str, ...]


def set_sequences(sides: Sides, plan: Plan) -> tuple[SequenceSet, ...]:
    """Set every sequence of the planned tables behind the last value that either side has given."""
    with sides.source.transaction() as connection:
        counted = {name.lower(): value for name, value in counters(connection).items()}
    floors: dict[tuple[str, str], int] = {}
    for table in plan.tables:
        key = table.source.primary_key
        if len(key) == 1 and (value := counted.get(table.name.lower())):
            floors |= {(table.target, c.name): value for c in table.columns if c.expression == identifier(key[0])}
    return _set(sides, plan, floors)


def _set(sides: Sides, plan: Plan, floors: Floors) -> tuple[SequenceSet, ...]:
    return sequences.set_all(sides.control, sides.schema, (table.target for table in plan.tables), floors)


def finish(
    sides: Sides,
    plan: Plan,
    state: CutoverState,
    seal: str,
    *,
    committing: Callable[[tuple[str, ...]], None],
    in_the_way: Callable[[str], None],
) -> Finished:
    """Give the tables their final form and promote, in one transaction. Returns when PostgreSQL is the truth.

    `committing` is called with the statements before the COMMIT, in its transaction; `in_the_way` again and again while
    other sessions keep a table, the first time with who they are. Both may raise: then nothing was done. Raises
    AbortedError where the rows do not permit the final form.
    """
    waiting = before_promotion(sides)
    analyzed = promotion.analyze(sides.control, sides.schema, (table.target for table in plan.tables))
    at_commit = False
    try:
        with transaction(sides.control):
            sides.state.confirm_epoch(sides.control)
            statements = promotion.finalise(sides.control, sides.schema, plan.tables, in_the_way)
            with_promotion(sides, waiting)
            state.promote(sides.control, seal)
            promoted.note(sides.control, state.source_name, sides.schema, (table.target for table in plan.tables))
            sides.state.record(sides.control, "WARNING", "promoted", detail=str(sides.source.path))
            committing(statements)
            at_commit = True
    except IntegrityError as error:
        raise AbortedError(f"the rows do not permit the final form: {error}", where=sides.target.shown) from error
    except TargetUnavailableError:
        if not at_commit or not _was_promoted(sides, state):
            raise
    return Finished(statements, analyzed)


def before_promotion(sides: Sides) -> tuple[Step, ...]:
    """What TimescaleDB needs last, and what cannot be in a transaction: aggregates are refreshed, policies run again.

    It does no harm if the promotion fails. Returns the steps that wait for it.
    """
    policies.resume(sides)
    if not timescale.is_configured(sides):
        return ()
    report = timescale.shape(sides, Silent())
    if report.refused:
        raise report.refused[0]
    timescale.refresh(sides)
    return report.waiting


def with_promotion(sides: Sides, waiting: tuple[Step, ...]) -> None:
    """What TimescaleDB may do only after the proof, committed together with the promotion: retention drops rows."""
    if waiting:
        prepared(sides.control, sides.schema)
    for step in waiting:
        for statement in step.statements:
            sides.control.execute(statement.encode())


def _was_promoted(sides: Sides, state: CutoverState) -> bool:
    """What became of a COMMIT whose answer was lost.

    Nobody may write to either side before that is known, so the fence is held for as long as it takes; whoever does not
    want to wait ends the process.
    """
    while True:
        try:
            connection = sides.connect()
            try:
                # Waits for the old backend where it has not ended yet.
                query = "SELECT state FROM syncd.cutover WHERE source_name = %s FOR UPDATE"
                return bool(connection.execute(query, [state.source_name]).fetchall()[0][0] == Stage.PROMOTED)
            finally:
                connection.close()
        except SyncdError as error:
            said = (
                f"the answer to the COMMIT was lost, and the target is away: holding the fence until it tells. {error}"
            )
            event("ERROR", "commit_unknown", said)
        time.sleep(_ASK_AGAIN_SECONDS)
