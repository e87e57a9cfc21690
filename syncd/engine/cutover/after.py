"""What follows a promotion: the seal of the old file, the hook, the checksums. It goes on where it stood."""

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from syncd.config import Config, SealKind
from syncd.engine.cutover import hooks
from syncd.engine.cutover.record import Notes, Record
from syncd.engine.sides import Sides
from syncd.errors import SnapshotError, StopError, SyncdError
from syncd.log import event
from syncd.plan import Plan
from syncd.source import ranges, seal, snapshot
from syncd.source.fence import Fence
from syncd.source.render import Renderer
from syncd.target.cutover import CutoverState, Seal
from syncd.target.database import Connection, transaction
from syncd.target.state import TABLE_PART, State


@dataclass(frozen=True)
class Aftermath:
    """What is needed after a promotion; the source need not be open, nor be there under its old name."""

    control: Connection
    config: Config
    path: Path
    shown: str

    @classmethod
    def of(cls, sides: Sides) -> "Aftermath":
        return cls(sides.control, sides.config, sides.source.path, sides.target.shown)

    @property
    def state(self) -> CutoverState:
        return CutoverState(str(self.path))

    def environment(self, name: str, notes: Notes) -> dict[str, str]:
        """What a hook is told, as `SYNCD_HOOK_...`: both sides, the target's lag in seconds, the marks as JSON.

        There are no marks where the target is away.
        """
        marks = {}
        # The hook runs all the same where the target is away: the application waits for it.
        with suppress(SyncdError), transaction(self.control):
            known = State(str(self.path)).checkpoints(self.control)
            marks = {c.table: [c.mark.rowid, c.mark.moment] for c in known if c.part == TABLE_PART}
        return {
            "name": name,
            "source": str(self.path),
            "target": self.shown,
            "lag": f"{notes.lag:.3f}",
            "position": json.dumps(marks),
        }

    def follow(self, notes: Notes, fence: Fence | None = None) -> str:
        """Seal the old file while the fence still holds, let go of the fence, and run the hook. Returns what was done.

        Raises StopError and RefusedError; the promotion stands, and the next call does what is left.
        """
        known = self.state.seal(self.control) or Seal("none", {})
        done = [self._seal(known)]
        if fence:
            fence.close()
        result = hooks.run(self.config.hooks, "on_promote", self.environment("on_promote", notes))
        notes.hook(result)
        if result and result.failed:
            advice = "Run it by hand, or again: syncd cutover --yes"
            raise StopError(result.said, where="[hooks] on_promote", advice=advice)
        if result:
            done.append("on_promote ran")
        with transaction(self.control):
            self.state.keep_seal(self.control, replace(self.state.seal(self.control) or known, done=True))
        return "; ".join(done)

    def _seal(self, known: Seal) -> str:
        match known.kind:
            case SealKind.RENAME:
                return f"the old file is now {seal.rename(self.path)}"
            case SealKind.READONLY:
                if not known.modes:
                    # Written down before the rights are taken away: they must be known to be given back.
                    with transaction(self.control):
                        self.state.keep_seal(self.control, replace(known, modes=seal.modes(self.path)))
                seal.make_readonly(self.path)
                return "the old file is read-only; root, and processes that have it open, ignore that"
            case _:
                said = f"{self.path} still takes writes, which reach nobody: stop every application that has it open"
                event("WARNING", "not_sealed", said)
                return said

    def run_on_abort(self) -> None:
        """Run the hook of an abort. Raises AbortedError where it fails; it is owed still, and may be run again."""
        hooks.confirm(hooks.run(self.config.hooks, "on_abort", self.environment("on_abort", Notes())))
        if self.state.application_stopped(self.control):
            with transaction(self.control):
                self.state.keep_application_stopped(self.control, stopped=False)

    def unseal(self) -> str:
        """Give the old file back to those who want to go on with it; it may be done again."""
        known = self.state.seal(self.control) or Seal("none", {})
        match known.kind:
            case SealKind.RENAME:
                seal.rename_back(self.path)
                return f"the old file is {self.path} again"
            case SealKind.READONLY:
                seal.make_writable(known.modes)
                return f"{self.path} may be written to again"
            case _:
                return f"{self.path} was not sealed"


def with_checksums(sides: Sides, record: Record, plan: Plan | None) -> Record:
    """Add the digest of each table's rows as they were compared, and of the image that they were read from.

    The image is the private copy that the last sweep took behind the fence. Where there was no room for one, there are
    no checksums, and a warning says so: the old file may be written to again.
    """
    if plan is None or not plan.tables:
        return record
    known = sides.checkpoints()
    name, *others = {known[table.name].base_snapshot for table in plan.tables}
    if name is None or others:
        return _without_checksums(record, "the last sweep had no room for a private copy of the source")
    try:
        image = snapshot.opened(sides.state_dir, name)
    except SnapshotError as error:
        return _without_checksums(record, error.what)
    try:
        sums = {}
        for table in plan.tables:
            found = hashlib.sha256()
            for batch in Renderer(image.connection, table).batches(ranges.whole(table), keyed=False):
                found.update(batch.payload)
            sums[table.name] = found.hexdigest()
    finally:
        image.close()
    with snapshot.path_of(sides.state_dir, name).open("rb") as file:
        whole = hashlib.file_digest(file, "sha256").hexdigest()
    tables = tuple(replace(table, checksum=sums[table.table]) for table in record.tables)
    return replace(record, tables=tables, image_checksum=whole)


def _without_checksums(record: Record, why: str) -> Record:
    return replace(record, warnings=(*record.warnings, f"no checksums: {why}"))
