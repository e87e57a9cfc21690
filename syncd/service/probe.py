"""Asks the target how things stand, from a thread and a session of its own: no pass ever waits for it."""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace

from syncd.errors import RetryError, SyncdError
from syncd.log import event
from syncd.model import LastVerify, TableStatus
from syncd.target import control, observe, proven
from syncd.target.control import Control
from syncd.target.cutover import CutoverState
from syncd.target.database import Connection, PostgresError, Target, connect, notices
from syncd.target.observe import Happening, RejectGroup
from syncd.target.stall import guard
from syncd.target.state import State
from syncd.wording import one_line

LOOK_SECONDS = 1.0
IDLE_SECONDS = 5.0
"""Between two looks while nothing moves and nobody watches; a command wakes it by NOTIFY."""
SLOW_SECONDS = 60.0
SILENT_SECONDS = 4.0
"""A look takes milliseconds: after so long without an answer the target counts as unreachable."""
LAST_LOOK_SECONDS = 2.0
"""The end waits no longer for the last look."""
EVENTS_KEPT = 100


@dataclass(frozen=True)
class Answer:
    """What the target told last. `landed` are the rows of each table that a promotion proved."""

    tables: tuple[TableStatus, ...] = ()
    controls: tuple[Control, ...] = ()
    events: tuple[Happening, ...] = ()
    rejects: tuple[RejectGroup, ...] = ()
    hypertables: Mapping[str, str] = field(default_factory=dict)
    last_sweep: str = ""
    last_verify: LastVerify | None = None
    proven: Mapping[str, str] = field(default_factory=dict)
    cutover: str = ""
    landed: Mapping[str, int] = field(default_factory=dict)


class Probe:
    """`answer` is replaced whole; `error` says why the target cannot be asked, empty while it answers.

    `publish` gives what others may read of us, None where we do not own the source; `busy` tells whether to ask often;
    `back` is called when the target answers again.
    """

    def __init__(
        self,
        target: Target,
        source_name: str,
        asked: Callable[[tuple[Control, ...]], None],
        publish: Callable[[], Mapping[str, object] | None],
        busy: Callable[[], bool],
        back: Callable[[], None],
    ) -> None:
        self._target = target
        self._name = source_name
        self._asked = asked
        self._publish = publish
        self._busy = busy
        self._back = back
        self._ended = threading.Event()
        self._looking = threading.Lock()
        self._began: float | None = time.monotonic()
        self._slow_due = 0.0
        self.answer = Answer()
        self._error = ""

    def start(self) -> None:
        threading.Thread(target=self._run, name="probe", daemon=True).start()

    def close(self) -> None:
        """End with a last look where the target answers: a promotion, too, is a reason for the end."""
        self._ended.set()
        if not self.error:
            last = threading.Thread(target=self._look_once_more, name="last-look", daemon=True)
            last.start()
            last.join(LAST_LOOK_SECONDS)

    @property
    def error(self) -> str:
        began = self._began
        if not self._error and began is not None and time.monotonic() - began > SILENT_SECONDS:
            return f"no answer for {time.monotonic() - began:.0f} s"
        return self._error

    def _run(self) -> None:
        while not self._ended.is_set():
            self._began = self._began or time.monotonic()
            try:
                connection = connect(self._target)
                try:
                    self._work(connection)
                finally:
                    connection.close()
            except (SyncdError, PostgresError) as error:
                self._fail(error)
                self._ended.wait(LOOK_SECONDS)

    def _look_once_more(self) -> None:
        try:
            with closing(connect(self._target)) as connection, guard(connection):
                if State(self._name).is_current(connection):
                    self._look(connection)
        except (SyncdError, PostgresError) as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        said = one_line(error.what if isinstance(error, SyncdError) else str(error))
        if not self._error and not isinstance(error, RetryError):
            event("WARNING", "probe_failed", f"the target cannot be asked how things stand: {said}")
        self._error = said or type(error).__name__

    def _work(self, connection: Connection) -> None:
        connection.execute(f"LISTEN {control.CHANNEL}")
        is_there = False
        while not self._ended.is_set():
            self._began = self._began or time.monotonic()
            with guard(connection):
                is_there = is_there or State(self._name).is_current(connection)
                if is_there:
                    self._look(connection)
            was_away = bool(self.error)
            self._began, self._error = None, ""
            if was_away:
                self._back()
            seconds = LOOK_SECONDS if self._busy() else IDLE_SECONDS
            notices(connection, seconds)

    def _look(self, connection: Connection) -> None:
        """Ask for what is new, one thread at a time: the last look is another thread's."""
        with self._looking:
            self._ask(connection)

    def _ask(self, connection: Connection) -> None:
        known = self.answer
        after = known.events[-1].number if known.events else 0
        seen = observe.look(connection, self._name, after)
        answer = replace(
            known,
            tables=seen.tables,
            controls=seen.controls,
            events=(*known.events, *seen.events)[-EVENTS_KEPT:],
        )
        is_unproven = answer.cutover == "promoted" and not answer.landed
        if seen.events or is_unproven or time.monotonic() > self._slow_due:
            answer = self._with_landmarks(connection, answer)
        if _rejects(answer.tables) != _rejects(known.tables) or time.monotonic() > self._slow_due:
            answer = replace(answer, rejects=observe.reject_groups(connection, self._name))
        if time.monotonic() > self._slow_due:
            answer = replace(answer, hypertables=observe.hypertables(connection, self._target.schema))
            self._slow_due = time.monotonic() + SLOW_SECONDS
        self.answer = answer
        self._asked(answer.controls)
        if (report := self._publish()) is not None:
            observe.publish(connection, self._name, report)

    def _with_landmarks(self, connection: Connection, answer: Answer) -> Answer:
        state = State(self._name)
        marks = observe.landmarks(connection, self._name, ("swept", *CUTOVER))
        steps = [name for name in marks if name in CUTOVER]
        cutover = steps[-1] if steps else ""
        return replace(
            answer,
            last_sweep=marks.get("swept", ("", ""))[0],
            last_verify=state.last_verify(connection),
            proven=proven.tables(connection, self._name),
            cutover=cutover,
            landed=CutoverState(self._name).landed(connection) if cutover == "promoted" else {},
        )


CUTOVER = ("fenced", "promoted", "aborted", "released")
"""Events of a cutover; the newest tells where it stands."""


def _rejects(tables: tuple[TableStatus, ...]) -> tuple[int, ...]:
    return tuple(table.rejects for table in tables)
