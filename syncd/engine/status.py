"""Where every table stands, as the target's state and the daemon's last report tell; nothing is locked or changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from syncd.config import Config
from syncd.engine.sides import source_path
from syncd.engine.timescale.shaped import Shape, read_shape
from syncd.model import CutoverStatus, LastVerify, TableStatus
from syncd.target import control, observe
from syncd.target.control import Control
from syncd.target.cutover import CutoverState, cutover_lock
from syncd.target.database import Connection, Target, connect
from syncd.target.lock import Lock
from syncd.target.state import State

STALE_SECONDS = 30.0
"""The daemon reports every 5 seconds at least."""


@dataclass(frozen=True)
class Beat:
    """The daemon's last report, `age` seconds old. `lag` and `rate` of each table stand in `tables`, by its name."""

    age: float
    stage: str
    lag: float
    rate: float
    ready: bool
    trouble: tuple[str, ...]
    hindrances: tuple[str, ...]
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def is_stale(self) -> bool:
        return self.age > STALE_SECONDS


@dataclass(frozen=True)
class StatusReport:
    """`owner` tells whether a syncd works on the source now: running or none.

    `cutover` is its last attempt; `cutting_over` tells whether a process is at it now.
    """

    source: str
    target: str
    owner: str
    tables: tuple[TableStatus, ...]
    last_verify: LastVerify | None = None
    controls: tuple[Control, ...] = ()
    beat: Beat | None = None
    cutover: CutoverStatus | None = None
    cutting_over: bool = False
    shape: Shape = field(default_factory=Shape)


def read_status(config: Config, target: Target) -> StatusReport:
    """Read the state of the source from the target. Raises RetryError or StopError where the target is away."""
    name = str(source_path(config))
    connection = connect(target)
    try:
        state = State(name)
        exists = state.exists(connection)
        is_current = exists and state.is_current(connection)
        return StatusReport(
            source=name,
            target=target.shown,
            owner="running" if Lock(connection, name).is_held() else "none",
            tables=state.tables(connection) if exists else (),
            last_verify=state.last_verify(connection) if exists else None,
            controls=control.read(connection, name) if is_current else (),
            beat=_beat(connection, name) if is_current else None,
            cutover=CutoverState(name).read(connection),
            cutting_over=cutover_lock(connection, name).is_held(),
            shape=read_shape(connection, target.schema),
        )
    finally:
        connection.close()


def _beat(connection: Connection, name: str) -> Beat | None:
    found = observe.published(connection, name)
    if found is None:
        return None
    age, report = found
    return Beat(
        age=age,
        stage=report["stage"],
        # What waited when the daemon told last has grown older since, for all that anybody knows.
        lag=report["lag"] + age if report["lag"] and age > STALE_SECONDS else report["lag"],
        rate=report["rate"],
        ready=report["ready"],
        trouble=tuple(report["trouble"]),
        hindrances=tuple(f"{check['name']}: {check['said']}" for check in report["checks"] if not check["passed"]),
        tables=report["tables"],
    )
