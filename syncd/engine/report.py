"""One report of where everything stands. The daemon samples it once a second; status, dashboard, metrics, systemd's
STATUS line, notifications and the log all show this one."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from syncd.model import LastVerify, Mark, Phase
from syncd.target.control import Control
from syncd.target.observe import Happening, RejectGroup
from syncd.wording import counted

LATE_SECONDS = 60.0
"""A lag from which on the copy is no longer current."""
SHOWN = 3
"""Names in one line, before it says how many more there are."""


class Stage(StrEnum):
    """Where the whole move stands."""

    LOAD = "load"
    CATCHUP = "catch-up"
    READY = "ready"
    FENCED = "fenced"
    PROMOTED = "promoted"


@dataclass(frozen=True)
class TableNow:
    """One table. Rows are None until somebody counted them; `rate` is rows a second over the last seconds.

    `pending` is how many rows wait beyond the mark, None where only a scan could tell. `hypertable` says its state in
    words, empty where it is none. `control` is what somebody asked of this table alone. `proven` is when every row was
    compared and found equal, in ISO 8601, empty where that never was; `differing` what the last verify found.
    """

    name: str
    phase: Phase
    rows_applied: int = 0
    source_rows: int | None = None
    target_rows: int | None = None
    mark: Mark = field(default_factory=Mark)
    lag: float = 0.0
    pending: int | None = None
    rate: float = 0.0
    rejects: int = 0
    error: str = ""
    updated_at: str = ""
    hypertable: str = ""
    proven: str = ""
    differing: int = 0
    control: Control | None = None

    @property
    def is_paused(self) -> bool:
        return self.control is not None and self.control.paused

    @property
    def progress(self) -> float:
        """How much of the table is there, 0 to 1."""
        if self.phase is not Phase.LOAD and not self.pending:
            return 1.0
        there = self.rows_applied if self.phase is Phase.LOAD else (self.target_rows or self.rows_applied)
        wanted = max(self.source_rows or 0, there + (self.pending or 0))
        return min(there / wanted, 1.0) if wanted else 0.0


@dataclass(frozen=True)
class Check:
    """One line of the cutover checklist; `passed` is None while nobody knows."""

    name: str
    passed: bool | None
    said: str


@dataclass(frozen=True)
class Point:
    """One moment of the last hour: Unix seconds, rows a second, lag in seconds."""

    at: float
    rate: float
    lag: float


@dataclass(frozen=True)
class Report:
    """Where everything stands at `at` (Unix seconds).

    `trouble` is what keeps syncd from working, in words: an unreachable side, a worker that stands still. `note` tells
    what else goes on. `wal_bytes` is the size of the source's -wal file, None where there is none. `cutover` is the
    last event of one. `loaded_here` are the tables that this daemon itself loaded. Moments are ISO 8601, empty before
    the first.
    """

    at: float
    source: str
    target: str
    tables: tuple[TableNow, ...] = ()
    lag: float = 0.0
    rate: float = 0.0
    wal_bytes: int | None = None
    source_reachable: bool = True
    target_reachable: bool = True
    trouble: tuple[str, ...] = ()
    note: str = ""
    retries: int = 0
    last_pass: str = ""
    last_sweep: str = ""
    last_verify: LastVerify | None = None
    cutover: str = ""
    loaded_here: frozenset[str] = frozenset()
    control: Control | None = None
    rejects: tuple[RejectGroup, ...] = ()
    events: tuple[Happening, ...] = ()
    history: tuple[Point, ...] = ()
    checks: tuple[Check, ...] = ()

    @property
    def rejected(self) -> int:
        return sum(table.rejects for table in self.tables)

    @property
    def is_loaded(self) -> bool:
        return bool(self.tables) and all(table.phase is not Phase.LOAD for table in self.tables)

    @property
    def is_current(self) -> bool:
        """Whether both sides answer, work goes on and the lag is in bounds."""
        return self.source_reachable and self.target_reachable and not self.trouble and self.lag < LATE_SECONDS

    @property
    def is_ready(self) -> bool:
        """Whether the cutover may begin."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def stage(self) -> Stage:
        if self.cutover in (Stage.FENCED, Stage.PROMOTED):
            return Stage(self.cutover)
        if not self.is_loaded:
            return Stage.LOAD
        return Stage.READY if self.is_ready else Stage.CATCHUP

    @property
    def hindrances(self) -> tuple[str, ...]:
        """Why the cutover may not begin."""
        return tuple(f"{check.name}: {check.said}" for check in self.checks if not check.passed)

    @property
    def sentence(self) -> str:
        """The report in one line."""
        if self.stage is Stage.PROMOTED:
            return "promoted: PostgreSQL leads"
        if self.trouble:
            return f"lag {self.lag:.1f} s: {self.trouble[0]}"
        if self.note:
            return f"{self.note}, lag {self.lag:.1f} s"
        if self.control and self.control.paused:
            return f"paused by {self.control.who}, lag {self.lag:.1f} s"
        stopped = [table.name for table in self.tables if table.phase is Phase.STOPPED]
        also = f"; stopped: {', '.join(stopped)}" if stopped else ""
        also += f"; {counted(self.rejected, 'reject')}" if self.rejected else ""
        if self.stage is Stage.LOAD:
            done = sum(table.rows_applied for table in self.tables)
            return f"loading: {counted(done, 'row')}, {self.rate:.0f} rows/s{also}"
        step = "in step with the source" if self.lag == 0 else f"catching up: lag {self.lag:.1f} s"
        return f"{step}, {self.rate:.0f} rows/s{also}"


def judged(report: Report) -> Report:
    """The report with the cutover checklist as far as it can be told from the report itself."""
    return replace(report, checks=(*_checks(report), *report.checks))


def _checks(report: Report) -> tuple[Check, ...]:
    loading = [table.name for table in report.tables if table.phase is Phase.LOAD]
    stopped = [table.name for table in report.tables if table.phase is Phase.STOPPED]
    paused = [table.name for table in report.tables if table.is_paused]
    held = report.control is not None and report.control.paused
    verify, unproven = report.last_verify, [table.name for table in report.tables if not table.proven]
    return (
        Check("Both sides answer", not report.trouble, "; ".join(report.trouble) or "source and target are reachable"),
        Check(
            "Every table is loaded",
            bool(report.tables) and not (loading or stopped),
            _missing(loading, stopped) or counted(len(report.tables), "table"),
        ),
        Check("No table stands still", not (stopped or paused or held), _still(stopped, paused, all_held=held)),
        Check("The copy is current", report.lag < LATE_SECONDS, f"the lag is {report.lag:.1f} s"),
        Check(
            "No row was rejected",
            report.rejected == 0,
            f"in syncd.reject: {report.rejected}" if report.rejected else "nothing waits",
        ),
        Check(
            "A sweep looked for deletes",
            bool(report.last_sweep),
            f"the last one ended {report.last_sweep}" if report.last_sweep else "no sweep yet: syncd sweep",
        ),
        Check(
            "Verify found no difference",
            verify is not None and verify.differences == 0 and not unproven,
            _verified(verify, unproven, min((table.proven for table in report.tables), default="")),
        ),
    )


def _missing(loading: list[str], stopped: list[str]) -> str:
    said = [f"still loading: {', '.join(loading)}"] if loading else []
    said += [f"stopped, perhaps before the last row: {', '.join(stopped)}"] if stopped else []
    return "; ".join(said)


def _still(stopped: list[str], paused: list[str], *, all_held: bool) -> str:
    said = [f"stopped: {', '.join(stopped)}"] if stopped else []
    said += ["all are paused"] if all_held else [f"paused: {', '.join(paused)}"] if paused else []
    return "; ".join(said) or "all tables move"


def _verified(verify: LastVerify | None, unproven: list[str], proven: str) -> str:
    if verify is None:
        return "not verified yet: syncd verify"
    if verify.differences:
        return f"{counted(verify.differences, 'difference')}, by {verify.mode}, {verify.at}"
    if unproven:
        more = f" and {len(unproven) - SHOWN} more" if len(unproven) > SHOWN else ""
        return f"not every row was compared: {', '.join(unproven[:SHOWN])}{more}: syncd verify"
    return f"every row was compared, {proven}"


_ADVICE = {
    "null": "column.{column} = coalesce({column}, ...)",
    "too long": "column.{column} = substr({column}, 1, ...)",
    "range": "column.{column} = ...",
    "date": "column.{column} = datetime({column}, ...)",
    "value": "column.{column} = CAST({column} AS ...)",
    "encoding": "exclude = {column}",
    "nul": "column.{column} = replace({column}, char(0), '')",
    "orphan": "where = EXISTS (SELECT 1 FROM ... WHERE ...)",
    "duplicate key": "key = ...",
}
"""What may settle rejects of that reason, in their table's section; the dots are for a person to fill in."""


def advised(group: RejectGroup) -> RejectGroup:
    """The group with the lines for the INI file that may settle it."""
    shape = _ADVICE.get(group.reason, "column.{column} = ...")
    if group.reason.startswith("check."):
        shape = f"{group.reason} = ..."
    elif "{column}" in shape and not group.column:
        shape = "where = ..."
    return replace(group, line=f"[table:{group.table}]\n{shape.format(column=group.column)}")
