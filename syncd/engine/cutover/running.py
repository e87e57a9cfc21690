"""The steps of a cutover, in their order, and the way back."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from syncd.config import FenceKind
from syncd.engine.catchup import Catchup
from syncd.engine.cutover import finish, frozen, ready, record
from syncd.engine.cutover.after import Aftermath, with_checksums
from syncd.engine.cutover.application import Application
from syncd.engine.cutover.asked import Asked, who
from syncd.engine.cutover.changed import verify_changed
from syncd.engine.cutover.draining import drain
from syncd.engine.cutover.prediction import predict
from syncd.engine.cutover.progress import Checklist, Comparing
from syncd.engine.cutover.record import Notes, Record
from syncd.engine.cutover.warden import Warden
from syncd.engine.sides import Sides
from syncd.engine.sweep import sweep
from syncd.engine.verify import Asked as VerifyAsked
from syncd.engine.verify import verify
from syncd.errors import AbortedError, DifferentError, NotReadyError, RetryError, SyncdError
from syncd.log import event
from syncd.model import CutoverStep, Stage, VerifyReport
from syncd.plan import Plan
from syncd.source.fence import Fence, confirm_quiet
from syncd.target import replacing
from syncd.target.cutover import CutoverState
from syncd.target.database import transaction, translated
from syncd.wording import counted

_OWED = "; on_abort failed: syncd cutover --abort runs it again"


@dataclass(frozen=True)
class CutoverReport:
    """What a cutover came to; `hook` says why what follows the promotion failed, empty where it did not."""

    record: Record
    trouble: str = ""


def check(sides: Sides, asked: Asked) -> ready.ReadyReport:
    """Make a pass, and tell whether a cutover may begin. Changes nothing else."""
    with closing(Catchup(sides)) as catchup:
        return _look(sides, catchup, asked)[0]


def _look(sides: Sides, catchup: Catchup, asked: Asked) -> tuple[ready.ReadyReport, Plan]:
    """Two passes: the first brings what is new, but for what is paused; the second tells how long one takes."""
    if not sides.checkpoints():
        raise NotReadyError("nothing is loaded yet", where=str(sides.source.path), advice="First: syncd load")
    pauses = ready.pauses(sides)
    catchup.pace.ask(pauses)
    catchup.run()
    last = catchup.run(thorough=False)
    plan = frozen.planned(sides)
    return ready.look(sides, plan, asked, last, pauses), plan


def cut_over(
    sides: Sides, asked: Asked, checklist: Checklist, stopping: Callable[[], bool] = lambda: False
) -> CutoverReport:
    """Promote the target, or abort and raise: AbortedError, NotReadyError, or what else came in the way.

    Whatever is raised, writers are let in again before, and the source is still the truth.
    """
    state = CutoverState(sides.state.source_name)
    with Warden(sides, state, stopping) as warden:
        return _Cutover(sides, asked, checklist, state, warden).run()


class _Cutover:
    def __init__(self, sides: Sides, asked: Asked, checklist: Checklist, state: CutoverState, warden: Warden) -> None:
        self._sides = sides
        self._asked = asked
        self._checklist = checklist
        self._state = state
        self._warden = warden
        self._notes = Notes()
        self._steps: list[CutoverStep] = []
        self._began = _now()
        self._who = who()
        self._catchup: Catchup | None = None
        self._fence: Fence | None = None
        self._promoted = False
        with transaction(sides.control):
            sides.state.confirm_epoch(sides.control)
            self._attempt = state.begin(sides.control, self._who)
            sides.state.record(sides.control, "INFO", "cutover_began", detail=self._who)
        self._application = Application(sides, state, self._notes)

    def run(self) -> CutoverReport:
        try:
            self._promote()
        except BaseException as error:
            if not self._promoted:
                self._abort(error)
            if not (self._promoted and isinstance(error, RetryError)):
                raise
        finally:
            if self._catchup:
                self._catchup.close()
        return self._follow()

    def _promote(self) -> None:
        self._catchup = Catchup(self._sides)
        plan = self._ready(self._catchup)
        self._notes.plan = plan
        self._drain(self._catchup, plan)
        self._raise_fence()
        self._final_drain(self._catchup)
        self._sweep(self._catchup)
        plan = self._verify(self._catchup)
        with self._step(Stage.SEQUENCES) as done, self._warden.ending(self._sides.control):
            self._notes.sequences = finish.set_sequences(self._sides, plan)
            done(f"{len(self._notes.sequences)} sequences")
        self._finish(plan)

    def _ready(self, catchup: Catchup) -> Plan:
        with self._step(Stage.READY) as done:
            report, plan = _look(self._sides, catchup, self._asked)
            self._notes.prediction = report.prediction
            self._notes.lag = report.lag
            self._notes.warnings += [f"{one.subject}: {one.said}" for one in report.obstacles if one.warning]
            if not report.is_go:
                said = "\n".join(f"{one.subject}: {one.said}" for one in report.obstacles if not one.warning)
                raise NotReadyError(f"the source is not ready for the cutover\n{said}", advice="syncd cutover --check")
            done(
                f"{counted(report.tables, 'table')}; writes will be stopped for about {report.prediction.seconds:.1f} s"
            )
        return plan

    def _drain(self, catchup: Catchup, plan: Plan) -> None:
        with self._step(Stage.DRAIN) as done:
            drained = drain(self._sides, catchup, plan, self._warden)
            # The sweep has just been measured.
            self._notes.prediction = predict(self._sides, plan, self._asked, drained.pass_seconds, drained=True)
            seconds = self._notes.prediction.seconds
            done(f"{drained.said}; writes will stop for about {seconds:.1f} s")

    def _raise_fence(self) -> None:
        """Keep writers out. With `command` the hook stops the application first; with `none` the user has."""
        config, source = self._sides.config, self._sides.source
        with self._step(Stage.FENCE) as done:
            self._fence = Fence(source.path)
            self._writes_stop()
            if config.cutover.fence is FenceKind.COMMAND:
                self._warden.guard(self._fence, config.cutover.deadline.total_seconds())
                self._application.stop(self._warden)
            if config.cutover.fence is not FenceKind.LOCK:
                confirm_quiet(source)
            seconds = self._fence.take(stopping=self._warden.should_stop)
            if config.cutover.fence is not FenceKind.COMMAND:
                self._writes_stop()
            self._warden.guard(self._fence, self._seconds_left())
            self._fence.prove()
            source.check_identity()
            # A hook may take its time, and writers wait already.
            event("WARNING", "fenced", f"writers are kept out of {source.path}")
            self._sides.state.record(self._sides.control, "WARNING", "fenced", detail=self._who)
            if config.cutover.fence is not FenceKind.COMMAND:
                self._application.stop(self._warden)
            done(f"the lock was taken after {seconds:.3f} s; a second process was kept out")

    def _writes_stop(self) -> None:
        self._notes.fenced_at, self._notes.fenced = time.monotonic(), _now()

    def _seconds_left(self) -> float:
        since = self._notes.fenced_at or time.monotonic()
        return self._sides.config.cutover.deadline.total_seconds() - (time.monotonic() - since)

    def _final_drain(self, catchup: Catchup) -> None:
        """Bring what is new; the sweep behind it finds what such a pass leaves out."""
        with self._step(Stage.FINAL_DRAIN) as done:
            report = catchup.run(thorough=False, stopping=self._warden.should_stop)
            self._warden.confirm()
            if report.stopped:
                raise AbortedError(report.stopped[0].error, where=report.stopped[0].table)
            done(f"{counted(report.applied.written, 'row')} written")

    def _sweep(self, catchup: Catchup) -> None:
        with self._step(Stage.SWEEP) as done:
            report = sweep(self._sides, catchup, stopping=self._warden.should_stop)
            self._warden.confirm()
            if report.refused or report.as_pass.stopped:
                table = (*report.refused, *report.as_pass.stopped)[0]
                raise AbortedError(table.error, where=table.table)
            changed = report.applied.written + report.applied.deleted
            done(f"{counted(report.read_again, 'row')} read again, {changed} changed")

    def _verify(self, catchup: Catchup) -> Plan:
        """Prove that both sides are equal, at the position at which the fence holds them; returns the plan there."""
        with self._step(Stage.VERIFY) as done:
            self._notes.plan = plan = frozen.planned(self._sides)
            self._confirm_rejects(catchup)
            found = frozen.compared(self._sides, plan, lambda fitting: self._compare(catchup, fitting))
            self._notes.verified = found
            self._warden.confirm()
            if found.found:
                said = "; ".join(f"{one.table}: {one.kind} {one.key or one.detail}" for one in found.differences[:3])
                raise DifferentError(
                    f"{counted(found.found, 'difference')} at the frozen position: {said}",
                    where=self._sides.target.shown,
                    advice="Look at them: syncd report; repair them: syncd load, then syncd verify --repair",
                )
            self._confirm_fence()
            done(f"{found.mode}: {sum(one.compared for one in found.tables)} rows compared, no difference")
        return plan

    def _compare(self, catchup: Catchup, plan: Plan) -> VerifyReport:
        progress = Comparing(self._checklist, self._warden.confirm)
        if self._asked.verify == "changed":
            return verify_changed(self._sides, catchup, plan, progress)
        return verify(self._sides, VerifyAsked("full", sync=False), progress)

    def _confirm_rejects(self, catchup: Catchup) -> None:
        with translated():
            tables = self._sides.state.tables(catchup.connection)
        for table in tables:
            if table.rejects > self._asked.accepted.get(table.table, 0):
                said = f"{table.rejects} rejected rows at the frozen position, more than are accepted"
                raise AbortedError(said, where=table.table, advice="syncd rejects list")

    def _confirm_fence(self) -> None:
        """Raise where the fence was lost, or somebody wrote behind it."""
        if self._fence is None or not self._fence.is_held:
            raise AbortedError("the fence is gone", where=str(self._sides.source.path))
        self._fence.prove()

    def _finish(self, plan: Plan) -> None:
        with self._step(Stage.FINISH) as done:
            self._warden.confirm()
            kind = str(self._sides.config.cutover.seal)
            with self._warden.ending(self._sides.control):
                done_to_target = finish.finish(
                    self._sides, plan, self._state, kind, committing=self._committing, in_the_way=self._wait_for
                )
            self._promoted = True
            self._note_stopped()
            event("WARNING", "promoted", f"PostgreSQL took over from {self._sides.source.path}")
            done(f"{len(done_to_target.statements)} constraints got their final form")

    def _committing(self, statements: tuple[str, ...]) -> None:
        """Commit the report together with the promotion: whatever ends this process next, the proof is there."""
        self._notes.statements = statements
        self._note_stopped()
        kept, status = self._record(self._sides, Stage.PROMOTED, ""), self._state.read(self._sides.control)
        steps = status.steps if status else kept.steps
        self._state.keep_report(self._sides.control, replace(kept, steps=steps).as_document)
        self._warden.hold()

    def _note_stopped(self) -> None:
        if self._notes.fenced_at is not None:
            self._notes.stopped_seconds = time.monotonic() - self._notes.fenced_at

    def _wait_for(self, others: str) -> None:
        """Sessions of the target are in the way: wait for them for as long as writers may wait."""
        self._warden.confirm()
        if others:
            self._notes.warnings.append(others)
            self._checklist.note(others)

    @contextmanager
    def _step(self, stage: Stage) -> Iterator[Callable[[str], None]]:
        """One step: written down in the target when it begins and when it ends."""
        self._warden.confirm()
        number, began, clock = len(self._steps) + 1, _now(), time.monotonic()
        said: list[str] = []
        self._checklist.began(stage)
        with transaction(self._sides.control):
            self._sides.state.confirm_epoch(self._sides.control)
            self._state.enter(self._sides.control, self._attempt, number, stage)
        step = CutoverStep(stage.value, began)
        try:
            yield said.append
            step = replace(step, outcome="done", detail="".join(said))
        except BaseException as error:
            step = replace(step, outcome="failed", detail=_told(error))
            raise
        finally:
            step = replace(step, seconds=time.monotonic() - clock)
            self._steps.append(step)
            self._checklist.ended(step)
        with transaction(self._sides.control):
            self._state.leave(self._sides.control, self._attempt, number, step)

    def _abort(self, error: BaseException) -> None:
        """Let writers in again, first of all; then tell it to everybody."""
        if self._fence:
            self._fence.close()
            self._note_stopped()
        event("ERROR", "aborted", f"the source is still the truth: {_told(error)}")
        if (self._fence or self._application.is_stopped) and (failed := self._application.go_on()):
            self._checklist.note(failed)
        said = "writers may go on" + (_OWED if self._application.is_stopped else "")
        clock, step = time.monotonic(), CutoverStep(Stage.ABORTED.value, _now(), None, "done", said)
        self._checklist.began(Stage.ABORTED)
        try:
            self._write_down(error)
        except (SyncdError, OSError) as failure:
            step = replace(step, detail=f"{said}; the target could not be told: {_told(failure)}")
        self._checklist.ended(replace(step, seconds=time.monotonic() - clock))

    def _write_down(self, error: BaseException) -> None:
        """Record the abort."""
        with self._sides_after() as sides:
            with transaction(sides.control):
                if self._steps:
                    self._state.leave(sides.control, self._attempt, len(self._steps), self._steps[-1])
                self._state.abort(sides.control, self._attempt)
                self._state.keep_application_stopped(sides.control, stopped=self._application.is_stopped)
                sides.state.record(sides.control, "ERROR", "aborted", detail=_told(error))
            with transaction(sides.control):
                self._state.keep_report(sides.control, self._record(sides, Stage.ABORTED, _told(error)).as_document)
            replacing.discard(sides.control, sides.schema, sides.state.targets(sides.control))

    def _record(self, sides: Sides, outcome: Stage, why: str) -> Record:
        return record.make(
            sides, self._notes, attempt=self._attempt, who=self._who, outcome=outcome, why=why, steps=self._steps,
            began=self._began, ended=_now(),
        )  # fmt: skip

    def _follow(self) -> CutoverReport:
        """What follows the promotion; nothing of it can undo it, and what fails is tried again by the next call."""
        with self._sides_after() as sides:
            self._checklist.began(Stage.PROMOTED)
            clock, step = time.monotonic(), CutoverStep(Stage.PROMOTED.value, _now(), None, "done")
            trouble = ""
            try:
                done = Aftermath.of(sides).follow(self._notes, self._fence)
            except SyncdError as error:
                trouble, done = _told(error), "PostgreSQL took over, but what follows failed"
                step = replace(step, outcome="failed")
            finally:
                if self._fence:
                    self._fence.close()
            step = replace(step, seconds=time.monotonic() - clock, detail=done)
            self._steps.append(step)
            self._checklist.ended(step)
            kept = with_checksums(sides, self._record(sides, Stage.PROMOTED, trouble), self._notes.plan)
            with transaction(sides.control):
                number = len(self._steps)
                self._state.enter(sides.control, self._attempt, number, Stage.PROMOTED)
                self._state.leave(sides.control, self._attempt, number, step)
                self._state.keep_report(sides.control, kept.as_document)
        return CutoverReport(kept, trouble)

    @contextmanager
    def _sides_after(self) -> Iterator[Sides]:
        """The sides with a connection that lives: the old one may have died with what ended the steps."""
        if not (self._sides.control.closed or self._sides.control.broken):
            yield self._sides
            return
        control = self._sides.connect()
        try:
            yield replace(self._sides, control=control)
        finally:
            with suppress(RetryError):
                control.close()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _told(error: BaseException) -> str:
    return error.what if isinstance(error, SyncdError) else f"{type(error).__name__}: {error}"
