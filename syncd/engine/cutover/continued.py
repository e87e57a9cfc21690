"""Going on after a promotion whose process ended: what follows it, and what the old file got in the meantime.

The fence fell with the process, and until the file is sealed an application that was not told may have written to it.
PostgreSQL leads: nothing of that is brought over, but nothing of it may go unnoticed.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from syncd.config import SealKind
from syncd.engine.cutover.after import Aftermath
from syncd.engine.cutover.record import Notes
from syncd.engine.sides import private_files
from syncd.errors import StopError, SyncdError
from syncd.log import event
from syncd.model import CutoverStep, Stage
from syncd.source import seal, snapshot, written
from syncd.source.written import Written
from syncd.target.database import transaction
from syncd.target.state import TABLE_PART, State
from syncd.wording import counted

WRITTEN_AFTERWARDS = "written_afterwards"


def go_on(aftermath: Aftermath) -> str:
    """Do what is left, and add it to the report; returns what was done.

    Raises StopError where some of it failed, the next call does that; and where the old file got rows that PostgreSQL
    does not have.
    """
    began, clock, notes = datetime.now(UTC), time.monotonic(), Notes()
    failed: StopError | None = None
    try:
        done = aftermath.follow(notes)
    except StopError as error:
        failed, done = error, f"PostgreSQL took over, but what follows failed: {error.what}"
    document = aftermath.state.report(aftermath.control) or {}
    lost = _written_afterwards(aftermath, document)
    said = "; ".join((done, *lost))
    step = CutoverStep(
        Stage.PROMOTED.value, began.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        time.monotonic() - clock, "failed" if failed or lost else "done", said,
    )  # fmt: skip
    _keep(aftermath, document, notes, step, lost)
    if failed:
        raise failed
    if lost:
        raise StopError(
            said, where=str(aftermath.path), advice="Write these rows to PostgreSQL by hand, if they are to stay"
        )
    return done


def _written_afterwards(aftermath: Aftermath, document: Mapping[str, Any]) -> tuple[str, ...]:
    """What the old file got since the promotion, told to everybody: a line for each table."""
    base = _base(aftermath, {table["table"] for table in document.get("tables", ())})
    if base is None:
        event("WARNING", WRITTEN_AFTERWARDS, "no private copy tells what the old file got since the promotion")
        return ()
    try:
        found = written.since(_old_file(aftermath), base)
    except SyncdError as error:
        event("WARNING", WRITTEN_AFTERWARDS, f"the old file cannot be compared with its private copy: {error}")
        return ()
    lost = tuple(map(_line, found))
    state = State(str(aftermath.path))
    for one, line in zip(found, lost, strict=True):
        event("ERROR", WRITTEN_AFTERWARDS, line, table=one.table)
        state.record(aftermath.control, "ERROR", WRITTEN_AFTERWARDS, one.table, line)
    return lost


def _line(one: Written) -> str:
    such = f", such as {'; '.join(one.examples)}" if one.examples else ""
    return (
        f"the old file was written to after the promotion, and PostgreSQL has none of it: {one.table}:"
        f" {counted(one.new, 'row')} new or changed{such}; {one.gone} deleted or changed"
    )


def _base(aftermath: Aftermath, tables: set[str]) -> Path | None:
    """The private copy from behind the fence; None where there was no room for one."""
    state = State(str(aftermath.path))
    known = state.checkpoints(aftermath.control)
    names = {c.base_snapshot for c in known if c.part == TABLE_PART and c.table in tables}
    source = state.source(aftermath.control)
    if len(names) != 1 or source is None or (name := names.pop()) is None:
        return None
    path = snapshot.path_of(private_files(aftermath.config, state.source_name, source.target_id), name)
    return path if path.exists() else None


def _old_file(aftermath: Aftermath) -> Path:
    known, sealed = aftermath.state.seal(aftermath.control), seal.sealed_name(aftermath.path)
    return sealed if known and known.kind == SealKind.RENAME and sealed.exists() else aftermath.path


def _keep(
    aftermath: Aftermath, document: Mapping[str, Any], notes: Notes, step: CutoverStep, lost: tuple[str, ...]
) -> None:
    """Add the step to the state and to the report, which the promotion has left there."""
    state, control = aftermath.state, aftermath.control
    with transaction(control):
        status = state.read(control)
        if status is None:
            return
        number = len(status.steps) + 1
        state.enter(control, status.attempt, number, Stage.PROMOTED)
        state.leave(control, status.attempt, number, step)
        if document:
            steps = [asdict(one) for one in (*status.steps, step)]
            hooks = [*document["hooks"], *notes.hook_documents]
            warnings = [*document["warnings"], *lost]
            why = step.detail if step.outcome == "failed" else ""
            state.keep_report(control, {**document, "steps": steps, "hooks": hooks, "warnings": warnings, "why": why})
