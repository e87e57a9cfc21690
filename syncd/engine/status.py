"""Where every table stands, as the target's state tells; nothing is locked or changed."""

from dataclasses import dataclass

from syncd.config import Config
from syncd.engine.sides import source_path
from syncd.model import LastVerify, TableStatus
from syncd.target.database import Target, connect
from syncd.target.lock import Lock
from syncd.target.state import State


@dataclass(frozen=True)
class StatusReport:
    """`owner` tells whether a syncd works on the source now: running or none."""

    source: str
    target: str
    owner: str
    tables: tuple[TableStatus, ...]
    last_verify: LastVerify | None = None


def read_status(config: Config, target: Target) -> StatusReport:
    """Read the state of the source from the target. Raises RetryError or StopError where the target is away."""
    name = str(source_path(config))
    connection = connect(target)
    try:
        state = State(name)
        exists = state.exists(connection)
        return StatusReport(
            source=name,
            target=target.shown,
            owner="running" if Lock(connection, name).is_held() else "none",
            tables=state.tables(connection) if exists else (),
            last_verify=state.last_verify(connection) if exists else None,
        )
    finally:
        connection.close()
