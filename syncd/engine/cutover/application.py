"""The application, as far as hooks stop it and let it go on."""

from syncd.engine.cutover import hooks
from syncd.engine.cutover.after import Aftermath
from syncd.engine.cutover.record import Notes
from syncd.engine.cutover.warden import Warden
from syncd.engine.sides import Sides
from syncd.target.cutover import CutoverState
from syncd.target.database import transaction


class Application:
    """What on_fence stopped goes on by on_abort or by a promotion; the target keeps which of them is still owed."""

    def __init__(self, sides: Sides, state: CutoverState, notes: Notes) -> None:
        self._sides = sides
        self._state = state
        self._notes = notes
        # An attempt that was killed may have stopped it.
        self.is_stopped = state.application_stopped(sides.control)

    def stop(self, warden: Warden) -> None:
        """Run on_fence. Raises AbortedError where it fails, or the cutover has to end."""
        if self._sides.config.hooks.on_fence:
            # Written down before it runs: what it stops must not stay stopped after a crash.
            self.is_stopped = True
            with transaction(self._sides.control):
                self._state.keep_application_stopped(self._sides.control, stopped=True)
        result = self._run("on_fence", warden)
        warden.confirm()
        hooks.confirm(result)

    def go_on(self) -> str:
        """Run on_abort; returns what it said where it failed. It raises nothing."""
        result = self._run("on_abort")
        if result and result.failed:
            return result.said
        self.is_stopped = False
        return ""

    def _run(self, name: hooks.Name, warden: Warden | None = None) -> hooks.HookResult | None:
        sides = self._sides
        told = Aftermath.of(sides).environment(name, self._notes)
        stopping = warden.should_stop if warden else lambda: False
        result = hooks.run(sides.config.hooks, name, told, stopping)
        self._notes.hook(result)
        return result
