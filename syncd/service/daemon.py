"""The daemon: load what is not loaded, then pass after pass until it is told to stop."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from syncd.config import Config
from syncd.engine.catchup import Catchup
from syncd.engine.check import NoGoError, confirm_go
from syncd.engine.load import load
from syncd.engine.pace import Pace
from syncd.engine.sides import Ownership, Sides, confirm_not_promoted, opened, source_path, take_over
from syncd.engine.timescale import shape_if_possible
from syncd.errors import PromotedError, RetryError, SourceBusyError, StopError
from syncd.log import event
from syncd.service.heart import Heart
from syncd.service.sampler import Sampler
from syncd.service.signals import Wake
from syncd.service.sweeps import Sweeps
from syncd.service.systemd import Notifier
from syncd.service.watchers import watched
from syncd.source.watch import watch
from syncd.target import control
from syncd.target.database import Target, translated

NAP_SECONDS = 0.5
"""Between two looks at whether a command asks for the lock; a change, the schedule and signals wake at once."""
SHORTEST_NAP_SECONDS = 0.001
"""The first look after a change that could not be seen yet: a writer's frames reach the -wal file, and wake us, before
its commit is visible. Each further look comes after twice the time."""
FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 10.0


def run_daemon(
    config: Config,
    target: Target,
    reload: Callable[[], Config],
    *,
    accept_new_source: bool = False,
    force: bool = False,
) -> int:
    """Keep the target current until SIGTERM, or until it takes over; returns the exit code.

    A fault of the target that passes is waited out. Raises StopError for what a person must mend.
    """
    notifier, wake = Notifier(), Wake()
    pace = Pace(stopping=wake.is_stopping)
    sampler = Sampler(source_path(config), target, pace, wake.on_schedule)
    daemon = _Daemon(
        config, target, reload, notifier, sampler, Heart(notifier, sampler), accept_new_source, force, wake
    )
    try:
        with wake.listening(), watched(config, sampler):
            try:
                daemon.serve()
            except PromotedError:
                sampler.farewell(wake.is_stopping)
                raise
    except PromotedError as error:
        event("WARNING", "promoted", error.what)
    notifier.stopping()
    event("INFO", "stopped", "stopped")
    return 0


@dataclass
class _Daemon:
    config: Config
    target: Target
    reload: Callable[[], Config]
    notifier: Notifier
    sampler: Sampler
    heart: Heart
    accept_new_source: bool
    force: bool
    wake: Wake
    wait: float = FIRST_WAIT_SECONDS
    nap: float = NAP_SECONDS
    looked: float = 0.0
    not_to_load: frozenset[str] = frozenset()

    def serve(self) -> None:
        """Open both sides and work, again and again: after a reload, and when the target was away."""
        while not self.wake.stopped:
            try:
                with opened(
                    self.config, self.target, Ownership.TAKE, accept_new_source=self.accept_new_source
                ) as sides:
                    self.accept_new_source = False
                    self.sampler.owns(True)
                    self._work(sides)
            except RetryError as error:
                self._wait_out(error)
            finally:
                self.sampler.owns(False)

    def _wait_out(self, error: RetryError) -> None:
        event("WARNING", "waiting", str(error), seconds=round(self.wait, 1))
        self.heart.failed(error, again=True)
        side = "source" if isinstance(error, SourceBusyError) else "target"
        self.heart.waiting(f"{side}: {error.what}")
        # The schedule and the file wake nobody before both sides are open; the probe does, when the target is back.
        self.wake.sleep(self.wait)
        if self._reloaded():
            self.notifier.ready()
        self.wait = min(self.wait * 2, LONGEST_WAIT_SECONDS)

    def _work(self, sides: Sides) -> None:
        self.notifier.ready()
        event("INFO", "started", f"at work on {sides.source.path}", target=sides.target.shown)
        if not self.force:
            _confirm_go(sides)
        self.sampler.pace.ask(control.read(sides.control, sides.state.source_name))
        self._load(sides)
        sides.lock.listen()
        catchup = self._catchup(sides)
        sweeps = Sweeps(self.config.sync.sweep, self.heart, self.wake.is_stopping)
        self.wake.scheduled = True
        try:
            with self._woken():
                while not (self.wake.stopped or self._reloaded()):
                    catchup = self._lend(sides, catchup)
                    if self.wake.is_stopping():
                        # The command may still have the lock.
                        break
                    self._pass(sides, catchup)
                    catchup = self._load_new(sides, catchup)
                    if self.sampler.pace.is_free:
                        sweeps.sweep_if_due(sides, catchup)
                    woken = self.wake.sleep(self.nap)
                    self.nap = SHORTEST_NAP_SECONDS if woken else min(self.nap * 2, NAP_SECONDS)
        finally:
            catchup.close()

    def _load(self, sides: Sides) -> None:
        report = load(sides, self.heart, self.wake.is_stopping)
        self.heart.loaded(report)
        self.not_to_load = frozenset(table.table for table in report.stopped)
        shape_if_possible(sides, self.heart, self.wake.is_stopping)

    def _load_new(self, sides: Sides, catchup: Catchup) -> Catchup:
        """Load tables that the source has got since; one that cannot be loaded is tried again by the next start."""
        new = catchup.not_loaded - self.not_to_load
        if not new or self.wake.stopped or not self.sampler.pace.is_free:
            return catchup
        names = ", ".join(sorted(new))
        event("INFO", "tables_new", f"new in the source: {names}")
        with translated():
            sides.state.record(sides.control, "WARNING", "tables_new", detail=names)
        catchup.close()
        confirm_not_promoted(sides)
        self._load(sides)
        return self._catchup(sides)

    def _catchup(self, sides: Sides) -> Catchup:
        return Catchup(sides, self.sampler.pace, self.sampler.lag)

    def _pass(self, sides: Sides, catchup: Catchup) -> None:
        """One pass if there is anything to do; the schedule's is thorough, and comes if any pass was not."""
        scheduled = self.wake.take_scheduled()
        self.wait = FIRST_WAIT_SECONDS
        try:
            if scheduled:
                sides.source.check_identity()
            if self.sampler.pace.is_paused():
                self.heart.moved()
            elif catchup.has_news() or (scheduled and catchup.is_behind):
                report = catchup.run(thorough=scheduled, stopping=self.wake.is_stopping)
                self.heart.passed(report)
                self.sampler.planned(catchup.plan)
            else:
                self.heart.idle()
        except SourceBusyError as error:
            event("WARNING", "source_busy", str(error))
            self.heart.failed(error, again=True)
            self.heart.waiting("source: it is locked by another process")

    def _lend(self, sides: Sides, catchup: Catchup) -> Catchup:
        """Lend the lock to a command that asks for it, and take up again when it has ended."""
        if time.monotonic() - self.looked < NAP_SECONDS:
            return catchup
        self.looked = time.monotonic()
        if not sides.lock.asked_for():
            return catchup
        event("INFO", "lock_lent", "a command works on this source: waiting for its end")
        catchup.close()
        sides.lock.lend(self._still_waiting)
        if not self.wake.stopped:
            take_over(sides)
            self.heart.moved()
            event("INFO", "lock_returned", "the command ended: going on")
        return self._catchup(sides)

    def _still_waiting(self) -> bool:
        self.heart.lent()
        return self.wake.stopped

    def _reloaded(self) -> bool:
        """Whether the configuration was read anew; a wrong one is reported, and the old one stays."""
        if not self.wake.reload:
            return False
        self.wake.reload = False
        self.notifier.reloading()
        try:
            self.config = self.reload()
        except StopError as error:
            event("ERROR", "reload_failed", str(error))
            self.notifier.ready()
            return False
        event("INFO", "reloaded", "the configuration was read again")
        return True

    def _on_change(self) -> None:
        self.sampler.lag.changed()
        self.wake.on_change()

    @contextmanager
    def _woken(self) -> Iterator[None]:
        """Let the schedule, and changes of the file where it is watched, wake the daemon."""
        scheduler = BackgroundScheduler(timezone="UTC")
        scheduler.add_job(self.wake.on_schedule, _trigger(self.config), max_instances=1, coalesce=True)
        scheduler.start()
        observer = None
        try:
            if self.config.sync.watch:
                observer = watch(source_path(self.config), self._on_change)
            yield
        finally:
            if observer:
                observer.stop()
                observer.join()
            scheduler.shutdown(wait=False)


def _confirm_go(sides: Sides) -> None:
    """Raise NoGoError where the first load would meet a problem.

    Once a table is loaded, one that came since keeps no other from going on: the load stops what it cannot carry, as it
    does where the table comes while the daemon runs.
    """
    try:
        confirm_go(sides)
    except NoGoError as error:
        if not any(checkpoint.is_loaded for checkpoint in sides.checkpoints().values()):
            raise
        event("ERROR", "check_no_go", str(error))


def _trigger(config: Config) -> CronTrigger | IntervalTrigger:
    if config.sync.cron:
        return CronTrigger.from_crontab(config.sync.cron)
    return IntervalTrigger(seconds=config.sync.interval.total_seconds())
