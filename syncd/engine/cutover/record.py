"""The record of a cutover: what `syncd report` shows, kept in the target when an attempt ends."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from syncd.engine.cutover.hooks import HookResult
from syncd.engine.cutover.prediction import Prediction
from syncd.engine.sides import Sides
from syncd.engine.timescale.shaped import Shape, read_shape
from syncd.model import CutoverStep, Difference, Stage, VerifyReport, digest
from syncd.plan import Plan
from syncd.source.database import LIBRARY_VERSION
from syncd.target import inventory, reject
from syncd.target.sequences import SequenceSet


@dataclass(frozen=True)
class TableRecord:
    """One table: its plan in words, and what the proof found. `size` is in bytes, with indexes.

    Counts are rows, None where the attempt ended before the table was compared.
    """

    table: str
    target: str
    key: str
    mark: str
    created: bool
    source_rows: int | None = None
    target_rows: int | None = None
    compared: int | None = None
    rejected: int | None = None
    differences: int | None = None
    size: int = 0
    checksum: str = ""


@dataclass(frozen=True)
class RejectGroup:
    """Rows that could not land, by their reason."""

    table: str
    reason: str
    column: str
    rows: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Record:
    """All that is known of one attempt. Times are in seconds, moments in ISO 8601, UTC.

    `fenced` is when writes stopped, empty where they never did.
    """

    source: str
    target: str
    outcome: str
    why: str
    attempt: int
    who: str
    began: str
    ended: str
    verified: str
    stopped_seconds: float | None
    predicted_seconds: float | None
    predicted: tuple[Mapping[str, Any], ...]
    steps: tuple[CutoverStep, ...]
    tables: tuple[TableRecord, ...]
    differences: tuple[Difference, ...]
    rejects: tuple[RejectGroup, ...]
    sequences: tuple[SequenceSet, ...]
    statements: tuple[str, ...]
    hooks: tuple[Mapping[str, Any], ...]
    warnings: tuple[str, ...]
    versions: Mapping[str, str]
    configuration: str
    fence: str
    seal: str
    source_bytes: int
    image_checksum: str = ""
    fenced: str = ""
    shape: Mapping[str, Any] = field(default_factory=lambda: Shape().as_document)

    @property
    def as_document(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


@dataclass
class Notes:
    """What an attempt notes down as it goes."""

    prediction: Prediction | None = None
    plan: Plan | None = None
    verified: VerifyReport | None = None
    sequences: tuple[SequenceSet, ...] = ()
    statements: tuple[str, ...] = ()
    hooks: list[HookResult] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    lag: float = 0.0
    fenced_at: float | None = None
    fenced: str = ""
    stopped_seconds: float | None = None

    def hook(self, result: HookResult | None) -> None:
        if result is not None:
            self.hooks.append(result)

    @property
    def hook_documents(self) -> tuple[Mapping[str, Any], ...]:
        return tuple({**asdict(one), "failed": one.failed} for one in self.hooks)


def configuration_digest(sides: Sides) -> str:
    """A name for the settings; the DSN, which may hold a password, is left out."""
    return digest(sides.config.model_dump_json(exclude={"target": {"dsn"}, "notify": True}))


def versions(sides: Sides) -> Mapping[str, str]:
    try:
        ours = version("syncd")
    except PackageNotFoundError:
        ours = "unknown"
    own = {"syncd": ours, "python": platform.python_version(), "sqlite": LIBRARY_VERSION}
    return {**own, **inventory.versions(sides.control)}


def tables(sides: Sides, notes: Notes) -> tuple[TableRecord, ...]:
    """Each planned table with what the proof found of it."""
    if notes.plan is None:
        return ()
    sizes = inventory.sizes(sides.control, sides.schema, (table.target for table in notes.plan.tables))
    found = {one.table: one for one in notes.verified.tables} if notes.verified else {}
    records = []
    for plan in notes.plan.tables:
        record = TableRecord(
            plan.name, plan.target, ", ".join(plan.key), str(plan.mark), plan.created, size=sizes.get(plan.target, 0)
        )
        if verdict := found.get(plan.name):
            record = replace(
                record,
                source_rows=verdict.source_rows,
                target_rows=verdict.target_rows,
                compared=verdict.compared,
                rejected=verdict.rejected,
                differences=verdict.found,
            )
        records.append(record)
    return tuple(records)


def reject_groups(sides: Sides) -> tuple[RejectGroup, ...]:
    groups: dict[tuple[str, str, str], list[str]] = {}
    for one in reject.listed(sides.control, sides.state.source_name, None):
        groups.setdefault((one.table, one.reason, one.column), []).append(one.source_key)
    return tuple(RejectGroup(*cause, len(keys), tuple(keys[:3])) for cause, keys in sorted(groups.items()))


def make(  # noqa: PLR0913 - it brings together what comes from all sides
    sides: Sides, notes: Notes, *, attempt: int, who: str, outcome: Stage, why: str, steps: Sequence[CutoverStep],
    began: str, ended: str,
) -> Record:  # fmt: skip
    """The record of an attempt that ended."""
    predicted = notes.prediction
    return Record(
        source=str(sides.source.path),
        target=sides.target.shown,
        outcome=str(outcome),
        why=why,
        attempt=attempt,
        who=who,
        began=began,
        ended=ended,
        verified=notes.verified.mode if notes.verified else "",
        stopped_seconds=notes.stopped_seconds,
        predicted_seconds=predicted.seconds if predicted else None,
        predicted=tuple(asdict(part) for part in predicted.parts) if predicted else (),
        steps=tuple(steps),
        tables=tables(sides, notes),
        differences=notes.verified.differences if notes.verified else (),
        rejects=reject_groups(sides),
        sequences=notes.sequences,
        statements=notes.statements,
        hooks=notes.hook_documents,
        warnings=tuple(notes.warnings),
        versions=versions(sides),
        configuration=configuration_digest(sides),
        fence=str(sides.config.cutover.fence),
        seal=str(sides.config.cutover.seal),
        source_bytes=_size(sides),
        fenced=notes.fenced,
        shape=read_shape(sides.control, sides.schema).as_document,
    )


def _size(sides: Sides) -> int:
    try:
        return sides.source.path.stat().st_size
    except FileNotFoundError:
        # It was sealed under another name.
        return 0
