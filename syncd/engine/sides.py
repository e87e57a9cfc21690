"""Both sides opened, and the plan between them: what every command starts from."""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from syncd import plan as planning
from syncd.config import Config
from syncd.engine import choosing
from syncd.errors import RefusedError, SharedTableError, SourceError, TablePromotedError, UsageError
from syncd.model import Identity, Table, digest
from syncd.plan import AUTO_DATE_ROWS, Facts, Plan, TablePlan, TargetTable
from syncd.quoting import identifier
from syncd.source import catalog as source_catalog
from syncd.source import expressions, snapshot
from syncd.source.database import Database, SourceConnection, query
from syncd.target import catalog as target_catalog
from syncd.target import claims, promoted, replacing
from syncd.target.claims import Claim
from syncd.target.cutover import CutoverState
from syncd.target.database import Connection, Target, connect, transaction
from syncd.target.lock import Lock
from syncd.target.state import TABLE_PART, Checkpoint, State


class Ownership(Enum):
    """How a command gets the lock: not at all, from its owner's end, or on loan from a daemon."""

    NONE = "none"
    TAKE = "take"
    BORROW = "borrow"


@dataclass(frozen=True)
class Sides:
    """Source and target of one command. `control` is the session that holds the lock."""

    config: Config
    source: Database
    target: Target
    control: Connection
    lock: Lock
    state: State
    state_dir: Path

    @property
    def schema(self) -> str:
        return self.target.schema

    def connect(self) -> Connection:
        """One more connection to the target, for a worker."""
        return connect(self.target)

    def checkpoints(self) -> Mapping[str, Checkpoint]:
        """Each table's own checkpoint by its name; empty where syncd never wrote to this target."""
        if not self.state.exists(self.control):
            return {}
        return {c.table: c for c in self.state.checkpoints(self.control) if c.part == TABLE_PART}

    def claim(self, table: TablePlan) -> None:
        """Let no other source go into a table's target, in the transaction that writes the table's first checkpoint.

        Raises SharedTableError where one does by now, be it since the plan was made.
        """
        if other := claims.hold(self.control, self.state.source_name, self.schema, table.target):
            raise _shared_with(table.name, table.target, other)

    def look_at_target(self) -> "TargetSide":
        """What a plan needs to know of the target. Ask before the source's transaction, which must not wait for it."""
        return TargetSide(
            self.checkpoints(),
            target_catalog.read(self.control, self.schema),
            self.state.forgotten(self.control),
            claims.of_others(self.control, self.state.source_name, self.schema),
        )

    def plan(self, connection: SourceConnection, there: "TargetSide") -> Plan:
        """Plan every table from both catalogues; call it in a transaction of the source."""
        return plan_sides(connection, there, self.config, str(self.source.path))


@dataclass(frozen=True)
class TargetSide:
    """The target as a plan sees it: each table's own checkpoint, and the tables that are there.

    `forgotten` are tables that were loaded, and were gone from the source when somebody left them out. `claims` are the
    tables that other sources go into.
    """

    checkpoints: Mapping[str, Checkpoint]
    tables: Mapping[str, TargetTable]
    forgotten: frozenset[str] = frozenset()
    claims: Mapping[str, Claim] = field(default_factory=dict)

    @property
    def loaded(self) -> frozenset[str]:
        """The tables that the source has, or once had."""
        return self.forgotten | self.checkpoints.keys()


def plan_sides(connection: SourceConnection, there: TargetSide, config: Config, source_name: str) -> Plan:
    """Plan every table of the source for what is there in the target. Raises ConfigError and SourceError."""
    catalog = source_catalog.read(connection)
    if not catalog.tables:
        # SQLite takes an empty file, such as one made by a mistyped path, for a database without tables.
        raise SourceError("the source holds no table", where=source_name, advice="Check the path of the source")
    ours = {name: checkpoint.definition for name, checkpoint in there.checkpoints.items() if checkpoint.created}
    compiled = expressions.compiled(connection, catalog, config)
    unusable = (*compiled.errors, *_shared(planning.targets_of(catalog, there.tables, config), there))
    return compiled.told(planning.make(catalog, there.tables, config, facts(connection), ours, unusable, there.loaded))


def _shared(targets: Mapping[str, str], there: TargetSide) -> Iterator[SharedTableError]:
    """The tables that another source goes into as well."""
    for table, target in targets.items():
        if claim := there.claims.get(target):
            yield _shared_with(table, target, claim)


def _shared_with(table: str, target: str, claim: Claim) -> SharedTableError:
    return SharedTableError(
        f"{claim.source_name} goes into the target's table {target} as well",
        where=table,
        advice=f"Give this source tables of its own: [target] schema = ..., or [table:{table}] target = ...; or another"
        " database (with `embedded`: another [sync] state_dir). If this file is that one under another name, or takes"
        " its place for good: syncd load --accept-new-source",
    )


def facts(connection: SourceConnection) -> Facts:
    """What a plan asks of the source's values, answered from this connection."""
    return Facts(
        lambda table, column: usable_date(connection, table, column),
        lambda table, values, where: choosing.by_values(connection, table, values, where),
    )


def usable_date(connection: SourceConnection, table: Table, column: str) -> bool:
    """Whether a date column can be found again quickly, and is of one storage class, so that it sorts by time."""
    if not source_catalog.is_indexed(connection, table.name, column) and _is_large(connection, table):
        return False
    return len(source_catalog.storage_classes(connection, table.name, column)) <= 1


def _is_large(connection: SourceConnection, table: Table) -> bool:
    probe = f"SELECT 1 FROM {identifier(table.name)} LIMIT 1 OFFSET {AUTO_DATE_ROWS}"
    return bool(query(connection, probe))


def state_home(config: Config) -> Path:
    """The directory for what syncd keeps on disk: configured, systemd's, /var/lib/syncd as root, else XDG's."""
    if config.sync.state_dir:
        return config.sync.state_dir
    if directories := os.environ.get("STATE_DIRECTORY"):
        return Path(directories.split(":")[0])
    if os.geteuid() == 0:
        return Path("/var/lib/syncd")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "syncd"


def private_files(config: Config, source_name: str, target_id: str) -> Path:
    """The directory of the private files of one source on its way into one target."""
    return state_home(config) / digest(source_name, target_id)


def source_path(config: Config) -> Path:
    """The source's path with every symbolic link followed: SQLite keeps its journals beside the real file."""
    if config.source.path is None:
        raise UsageError("no source is given", advice="Name the SQLite file: --source PATH, or [source] path")
    return config.source.path.resolve()


@contextmanager
def opened(config: Config, target: Target, ownership: Ownership, *, accept_new_source: bool = False) -> Iterator[Sides]:
    """Open both sides and, where asked for, own the source. Closes all on the way out."""
    path = source_path(config)
    source = _open_source(path, target)
    try:
        control = connect(target)
        try:
            yield _own(config, target, ownership, source, control, accept_new_source=accept_new_source)
        finally:
            control.close()
    finally:
        source.close()


def _open_source(path: Path, target: Target) -> Database:
    """Open the source. Where it is gone because the target took over, that is what is told."""
    try:
        return Database(path)
    except SourceError:
        if not path.exists():
            with closing(connect(target)) as control:
                CutoverState(str(path)).confirm_not_promoted(control)
        raise


def _own(
    config: Config,
    target: Target,
    ownership: Ownership,
    source: Database,
    control: Connection,
    *,
    accept_new_source: bool,
) -> Sides:
    state = State(str(source.path))
    sides = Sides(config, source, target, control, Lock(control, state.source_name), state, state_home(config))
    if ownership is Ownership.NONE:
        return sides
    if ownership is Ownership.TAKE:
        sides.lock.take()
    else:
        sides.lock.borrow()
    return replace(sides, state_dir=take_over(sides, accept_new_source=accept_new_source))


def take_over(sides: Sides, *, accept_new_source: bool = False) -> Path:
    """Begin a new epoch as the source's owner; returns the directory of its private files.

    Snapshots that no checkpoint names are removed, and final indexes that no promotion came for: they are what a crash
    left behind. Raises what `confirm_not_promoted` raises.
    """
    state, control = sides.state, sides.control
    state.create(control)
    confirm_not_promoted(sides)
    known = state.register(control, sides.source.identity, sides.schema, accept_new_source=accept_new_source)
    if accept_new_source:
        _accept(sides, known.identity)
    directory = private_files(sides.config, state.source_name, known.target_id)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise RefusedError(
            f"the directory for private files cannot be made: {error.strerror}",
            where=str(directory),
            advice="Set [sync] state_dir to a directory that may be written to",
        ) from error
    named = frozenset(c.base_snapshot for c in state.checkpoints(control) if c.base_snapshot)
    snapshot.discard_others(directory, named)
    replacing.discard(control, sides.schema, state.targets(control))
    return directory


def _accept(sides: Sides, before: Identity) -> None:
    """Go on with this file in the place of the one that was there `before`, and of those whose tables it goes into."""
    state, control = sides.state, sides.control
    there, targets = _landing(sides)
    shared = {table: there.claims[target] for table, target in targets.items() if target in there.claims}
    if not shared and before == sides.source.identity:
        return
    with transaction(control):
        state.confirm_epoch(control)
        for table, claim in shared.items():
            claims.inherit(control, state, table, claim)
        state.forget_positions(control)
        state.record(control, "WARNING", "source_accepted", detail=str(sides.source.path))


def _landing(sides: Sides) -> tuple[TargetSide, Mapping[str, str]]:
    """The target, and the table of it, there already or not, that each of the source's tables goes into."""
    there = sides.look_at_target()
    with sides.source.transaction() as connection:
        catalog = source_catalog.read(connection)
    return there, planning.targets_of(catalog, there.tables, sides.config)


def confirm_not_promoted(sides: Sides) -> None:
    """Raise PromotedError where the target took over from this source, and TablePromotedError where it took over, from
    another, tables that this one goes into.

    The other one may be this file under its former name, or the original of a copy: its rows are older than those that
    PostgreSQL has by now. A source that goes into tables of its own is welcome.
    """
    CutoverState(sides.state.source_name).confirm_not_promoted(sides.control)
    taken = promoted.tables(sides.control, sides.schema)
    if not taken:
        return
    there, targets = _landing(sides)
    if lost := [target for target in targets.values() if target in there.tables and target in taken]:
        first = taken[lost[0]]
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        raise TablePromotedError(
            f"PostgreSQL took over {lost[0]}{more} at {first.at} from {first.source_name}; no syncd writes there again",
            where=str(sides.source.path),
            advice="If this file is that source, or a copy of it: write to PostgreSQL. Another source needs tables of "
            "its own: [target] schema, or target in [table:NAME]",
        )
