"""The story: make a market, load it, let it trade while syncd keeps up, and compare both sides in the end."""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from syncd import embedded, log, market
from syncd.config import Config, SourceConfig, SyncConfig
from syncd.demo import actors
from syncd.demo.lag import LagMeter
from syncd.demo.screen import Moment, Screen
from syncd.demo.stop import Stop, StoppedError, undisturbed
from syncd.demo.watcher import Ears, Watcher
from syncd.engine.catchup import Catchup
from syncd.engine.load import load
from syncd.engine.sides import Ownership, opened
from syncd.engine.verify import Asked, verify
from syncd.errors import StopError, SyncdError
from syncd.model import VerifyReport
from syncd.target.database import Target

TICK_SECONDS = 0.25
STARTING_SECONDS = 30.0
EXIT_DIFFERENT = 3
IN_STEP_SECONDS = 5.0

NEXT = """\
Your own database next; the first command writes nothing:
  {syncd} load --source app.db --dry-run
  {syncd} run --source app.db --target postgresql://you@host/database
  {syncd} verify --source app.db --target postgresql://you@host/database"""


def run_demo(*, rows: int = 100_000, seconds: float = 10.0, rate: float = 50.0) -> int:
    """Show all of it in a temporary folder; returns the exit code, 0 only where both sides are equal in the end.

    Nothing is left behind: no file, no process, also after Ctrl-C.
    """
    log.configure("ERROR", "text")
    screen, stop = Screen(), Stop()
    with stop.listening():
        try:
            with _stage(screen, stop, rows) as stage:
                report = _tell(stage, seconds, rate)
        except (StoppedError, SyncdError):
            # Ctrl-C also reaches the programs that we wait for: whatever they say then, we were stopped.
            if not stop():
                raise
            screen.say("stopped; nothing is left behind")
            return stop.exit_code
    screen.say()
    screen.say(NEXT.format(syncd=_program()))
    return EXIT_DIFFERENT if report.differences else 0


def _program() -> str:
    """How the user calls syncd from here."""
    beside = Path(sys.executable).with_name("syncd")
    if shutil.which("syncd") or not beside.exists():
        return "syncd"
    return str(beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside)


@dataclass(frozen=True)
class _Stage:
    """What the story needs."""

    screen: Screen
    stop: Stop
    folder: Path
    config: Config
    target: Target

    @property
    def source(self) -> Path:
        return self.folder / "market.db"


@contextmanager
def _stage(screen: Screen, stop: Stop, rows: int) -> Iterator[_Stage]:
    """A market in a temporary folder, and a PostgreSQL of its own; both are gone afterwards."""
    leave = ExitStack()
    try:
        folder = Path(
            leave.enter_context(tempfile.TemporaryDirectory(prefix="syncd-demo-", ignore_cleanup_errors=True))
        )
        began = time.monotonic()
        with screen.busy("making a market on SQLite"):
            size = market.create(folder / "market.db", rows=rows)
        made = f"made in {time.monotonic() - began:.1f} s"
        screen.step("SQLite", f"a market of 12 tables, {screen.number(size.rows)} rows, {made}")
        stop.check()
        began = time.monotonic()
        with screen.busy("starting PostgreSQL"):
            server = leave.enter_context(embedded.start(folder / "postgresql"))
        screen.step("PostgreSQL", f"a server of its own, empty, started in {time.monotonic() - began:.1f} s")
        stop.check()
        config = Config(source=SourceConfig(path=folder / "market.db"), sync=SyncConfig(state_dir=folder / "state"))
        yield _Stage(screen, stop, folder, config, Target(server.dsn))
    finally:
        with undisturbed():
            leave.close()


def _tell(stage: _Stage, seconds: float, rate: float) -> VerifyReport:
    _load(stage)
    _trade(stage, seconds, rate)
    return _compare(stage)


def _load(stage: _Stage) -> None:
    screen = stage.screen
    with opened(stage.config, stage.target, Ownership.TAKE) as sides, screen.progress(stage.stop) as progress:
        report = load(sides, progress, stage.stop)
    stage.stop.check()
    for table in report.stopped:
        raise StopError(table.error, where=table.table)
    rows = report.applied.written
    speed = round(rows / report.seconds)
    screen.step("load", f"{screen.number(rows)} rows in {report.seconds:.1f} s: {screen.number(speed)} rows/s")


def _trade(stage: _Stage, seconds: float, rate: float) -> None:
    """Let the application trade, and `syncd run` keep up, for so long."""
    ears, meter = Ears(), LagMeter(stage.source, stage.target)
    with (
        Watcher.opened(stage.source, stage.target, ears, meter, seconds) as watcher,
        actors.daemon(stage.folder, stage.source, stage.target.dsn, ears.hear_daemon) as daemon,
    ):
        _wait_for(stage, ears, daemon)
        with (
            stage.screen.moments() as show,
            meter.measuring(),
            actors.trader(stage.folder, stage.source, seconds, rate, ears.hear_application) as application,
        ):
            while not application.has_ended:
                stage.stop.check()
                daemon.check()
                show(watcher.look())
                time.sleep(TICK_SECONDS)
            application.check()
            moment = _in_step(watcher)
            show(moment)
    _report(stage.screen, moment)


def _wait_for(stage: _Stage, ears: Ears, daemon: actors.Actor) -> None:
    """Until the daemon is at work: its start is not what the demo measures."""
    deadline = time.monotonic() + STARTING_SECONDS
    with stage.screen.busy("starting syncd run"):
        while not ears.started.wait(0.05):
            stage.stop.check()
            daemon.check()
            if time.monotonic() > deadline:
                raise StopError(f"syncd run did not start in {STARTING_SECONDS:.0f} s")


def _in_step(watcher: Watcher) -> Moment:
    """How it stands when the last rows have arrived."""
    deadline = time.monotonic() + IN_STEP_SECONDS
    while (moment := watcher.look()).total(lambda t: t.behind) and time.monotonic() < deadline:
        time.sleep(TICK_SECONDS / 5)
    return moment


def _report(screen: Screen, moment: Moment) -> None:
    n, ms, lag = screen.number, screen.milliseconds, moment.lag
    changed = f"{n(moment.inserted)} rows inserted, {n(moment.updated)} updated"
    screen.step("trading", f"{n(moment.commits)} commits in {moment.of_seconds:.0f} s: {changed}")
    screen.step("syncd run", f"{n(moment.passes)} passes, {ms(moment.pass_seconds)} each")
    meaning = "from a commit in SQLite until its new rows show in PostgreSQL"
    screen.step("lag", f"p50 {ms(lag.quantile(0.5))}, p95 {ms(lag.quantile(0.95))}, {meaning}")


def _compare(stage: _Stage) -> VerifyReport:
    """Make a last pass, now that nobody writes, and compare both sides."""
    screen, number = stage.screen, stage.screen.number
    with opened(stage.config, stage.target, Ownership.TAKE) as sides, screen.busy("comparing both sides"):
        catchup = Catchup(sides)
        try:
            brought = catchup.run().applied.written
        finally:
            catchup.close()
        report = verify(sides, Asked("sample", sync=False))
    stage.stop.check()
    screen.step("last pass", f"{number(brought)} rows were left to bring")
    rows, compared = (sum(getattr(t, name) for t in report.tables) for name in ("source_rows", "compared"))
    counted = f"{len(report.tables)} tables, {number(rows)} rows counted, {number(compared)} compared on both sides"
    found = report.found
    verdict = f"{number(found)} differences" if found else "no difference"
    screen.step("verify", f"{counted}: {verdict}", "bold red" if found else "bold green")
    for difference in report.differences[:10]:
        screen.say(f"  {difference.table} {difference.key}: {difference.kind} {difference.detail}", "red")
    return report
