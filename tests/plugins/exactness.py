"""An application that writes whatever it likes, and a syncd that works, is restarted and dies, in any interleaving.

After a pass and a sweep in which nobody writes, the target and the rejects are what the source is.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import hypothesis.strategies as st
import psycopg
import pytest
from hypothesis.stateful import RuleBasedStateMachine, rule
from psycopg.conninfo import conninfo_to_dict

from syncd.engine import load as loading
from syncd.engine import sweep as sweeping
from syncd.engine.catchup import Catchup
from syncd.engine.progress import Silent
from syncd.engine.sides import Sides
from tests.plugins import shop
from tests.plugins.fate import DeathError, Fate, Kind, Moment
from tests.plugins.moving import TOLERANT, MakeMove, Move
from tests.plugins.patience import wait_until
from tests.plugins.postgres import Server
from tests.plugins.source import Writer

_ONE_WORKER = "workers = 1\n"
"""Moments come in the same order each time."""


class CounterexampleError(AssertionError):
    """The target is not what the source is."""


Scripts = list[shop.Script]
Meanwhile = Mapping[Moment, Scripts]
NOTHING: Meanwhile = MappingProxyType({})


def _moments(statements: int, commits: int, *others: Kind) -> st.SearchStrategy[Moment]:
    """Moments of a piece of work with about so many statements and commits."""
    return st.one_of(
        st.builds(Moment, st.just("statement"), st.integers(1, statements)),
        st.builds(Moment, st.sampled_from(["commit", "committed"]), st.integers(1, commits)),
        *(st.just(Moment(kind, 1)) for kind in others),
    )


class World:
    """A loaded source and its target, which can be put back to where they stood after the load."""

    def __init__(self, move: Move, server: Server, fate: Fate, tables: tuple[str, ...]) -> None:
        self.move = move
        self.fate = fate
        self.steps = shop.steps(tables)
        self.detours = shop.detours(tables)
        self.of_a_pass = _moments(20 + 4 * len(tables), 1)
        self.of_a_sweep = _moments(40 + 8 * len(tables), 3, "copied", "discarding", "discarded")
        self._server = server
        self._name = str(conninfo_to_dict(move.dsn)["dbname"])
        self._source = move.source.read_bytes()
        self._state = move.source.parent / "state"
        shutil.copytree(self._state, self._kept)
        _copy(server, self._name, f"{self._name}_kept")

    @property
    def _kept(self) -> Path:
        return self._state.with_name("kept")

    def reset(self) -> None:
        """Call it while nothing is open. The source stays the same file."""
        for suffix in ("-wal", "-shm", "-journal"):
            self.move.source.with_name(self.move.source.name + suffix).unlink(missing_ok=True)
        self.move.source.write_bytes(self._source)
        shutil.rmtree(self._state)
        shutil.copytree(self._kept, self._state)
        self._server.execute(f"DROP DATABASE {self._name} WITH (FORCE)")
        _copy(self._server, f"{self._name}_kept", self._name)

    def close(self) -> None:
        self._server.execute(f"DROP DATABASE {self._name}_kept WITH (FORCE)")


def _copy(server: Server, name: str, copy: str) -> None:
    """Copy a database. TimescaleDB's launcher looks into each of them for a moment, and nobody may be in it."""

    def is_made() -> bool:
        try:
            server.execute(f"CREATE DATABASE {copy} TEMPLATE {name}")
        except psycopg.errors.ObjectInUse:
            return False
        return True

    wait_until(is_made, f"{name} is copied")


class Process:
    """syncd as its daemon works. It opens what it needs when it is first asked for something."""

    def __init__(self, move: Move) -> None:
        self._move = move
        self._open = ExitStack()
        self._sides: Sides | None = None
        self._catchup: Catchup | None = None

    def make_pass(self) -> None:
        """One pass; tables that are new in the source are loaded behind it."""
        sides, catchup = self._at_work()
        catchup.run()
        if catchup.not_loaded:
            catchup.close()
            loading.load(sides, Silent())
            self._catchup = self._open.enter_context(closing(Catchup(sides)))

    def make_sweep(self) -> None:
        sweeping.sweep(*self._at_work())

    def _at_work(self) -> tuple[Sides, Catchup]:
        if not (self._sides and self._catchup):
            self._sides = self._open.enter_context(self._move.opened())
            self._catchup = self._open.enter_context(closing(Catchup(self._sides)))
        return self._sides, self._catchup

    def end(self) -> None:
        """Close everything; what it is asked for next, a new process does."""
        self._sides = self._catchup = None
        self._open.close()


_step = st.runner().flatmap(lambda machine: machine.world.steps)
_detour = st.runner().flatmap(lambda machine: machine.world.detours)
_of_a_pass = st.runner().flatmap(lambda machine: machine.world.of_a_pass)
_of_a_sweep = st.runner().flatmap(lambda machine: machine.world.of_a_sweep)
_scripts = st.lists(_step, min_size=2, max_size=8)
_few = st.lists(_step, min_size=1, max_size=3)
_in_a_pass = st.dictionaries(_of_a_pass, _few, max_size=1)
_in_a_sweep = st.dictionaries(_of_a_sweep, _few, max_size=2)


class Exactness(RuleBasedStateMachine):
    """The source is the model of itself: what an application wrote there, the target must hold after `heal`."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        world.reset()
        self._writer = Writer(world.move.source, busy_seconds=0)
        self._shop = shop.Shop(self._writer)
        self._process = Process(world.move)

    @rule(before=_scripts, meanwhile=_in_a_pass)
    def make_pass(self, before: Scripts, meanwhile: Meanwhile) -> None:
        self._write(before)
        self._work(self._process.make_pass, meanwhile)
        if not meanwhile:
            self._confirm_marked()

    @rule(before=_scripts, meanwhile=_in_a_sweep)
    def make_sweep(self, before: Scripts, meanwhile: Meanwhile) -> None:
        self._write(before)
        self._work(self._process.make_sweep, meanwhile)

    @rule(before=_scripts, meanwhile=_in_a_pass, death=_of_a_pass)
    def die_in_a_pass(self, before: Scripts, meanwhile: Meanwhile, death: Moment) -> None:
        self._write(before)
        self._work(self._process.make_pass, meanwhile, death)

    @rule(before=_scripts, meanwhile=_in_a_sweep, death=_of_a_sweep)
    def die_in_a_sweep(self, before: Scripts, meanwhile: Meanwhile, death: Moment) -> None:
        self._write(before)
        self._work(self._process.make_sweep, meanwhile, death)

    @rule(detour=_detour)
    def live_between_two_sweeps(self, detour: tuple[shop.Script, shop.Script]) -> None:
        """What a pass has brought is changed back: the next sweep finds the source as its base is."""
        there, back = detour
        self._write([there])
        self._work(self._process.make_pass)
        self._write([back])

    @rule(detour=_detour, moment=_of_a_sweep)
    def go_and_come_back(self, detour: tuple[shop.Script, shop.Script], moment: Moment) -> None:
        """What was changed during a sweep is changed back before the next one."""
        there, back = detour
        self._work(self._process.make_sweep, {moment: [there]})
        self._write([back])

    @rule(scripts=_scripts)
    def write_while_stopped(self, scripts: Scripts) -> None:
        self._process.end()
        self._write(scripts)

    @rule()
    def heal(self) -> None:
        """Nobody writes for a pass and a sweep; what was rejected until then is tried once more."""
        self._work(self._process.make_pass)
        self._confirm_marked()
        self._work(self._process.make_sweep)
        if self.world.move.query("SELECT 1 FROM syncd.reject LIMIT 1"):
            self._work(self._process.make_pass)
        _confirm(self._shop.faults(self.world.move.dsn))

    def teardown(self) -> None:
        try:
            self.heal()
        finally:
            self._process.end()
            self._writer.close()

    def _confirm_marked(self) -> None:
        """A pass alone brings all that marks show, ties included."""
        _confirm(self._shop.marked_faults(self.world.move.dsn))

    def _write(self, scripts: Scripts) -> None:
        for script in scripts:
            self._shop.run(script)

    def _work(self, work: Callable[[], None], meanwhile: Meanwhile = NOTHING, death: Moment | None = None) -> None:
        """Work while the application writes, up to the death at the latest after it, or to the end."""
        fate = self.world.fate
        arranged: dict[Moment, Callable[[], None]] = {
            moment: partial(self._write, scripts) for moment, scripts in meanwhile.items()
        }
        if death:
            arranged[death] = fate.die
        with fate.arranged(arranged):
            try:
                work()
                if death:
                    fate.die()
            except DeathError:
                self._process.end()


def _confirm(faults: list[str]) -> None:
    if faults:
        raise CounterexampleError("\n".join(faults))


class MakeWorld(Protocol):
    def __call__(self, *tables: str) -> World: ...


@pytest.fixture
def make_world(make_move: MakeMove, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeWorld]:
    """Make a world of some of the application's tables. Its engine is at the mercy of the world's fate."""
    with ExitStack() as stack:

        def make(*tables: str) -> World:
            known = [shop.TABLES[name] for name in tables]
            move = make_move("".join(table.script for table in known))
            move.configure(TOLERANT + _ONE_WORKER + "".join(table.settings for table in known))
            move.load()
            # A sweep lets a pass in wherever it would after half a second.
            monkeypatch.setattr(sweeping, "_BREATH_SECONDS", -1.0)
            fate = Fate()
            fate.rule(monkeypatch)
            return stack.enter_context(closing(World(move, server, fate, tables)))

        yield make
