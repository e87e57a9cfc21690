"""The gate before a load: the quick check, of what is not loaded yet."""

from syncd.engine.check.checking import check
from syncd.engine.check.findings import CheckReport, Finding, Gravity
from syncd.engine.progress import Silent
from syncd.engine.sides import Sides
from syncd.errors import NotReadyError
from syncd.source import catalog


class NoGoError(NotReadyError):
    """The check says NO-GO; `report` holds every finding."""

    def __init__(self, report: CheckReport, *, where: str) -> None:
        self.report = report
        blockers = [finding for finding in report.findings if finding.gravity is Gravity.BLOCKER]
        told = "; ".join(f"{finding.table}: {finding.what}" if finding.table else finding.what for finding in blockers)
        super().__init__(
            f"the check says NO-GO: {told}",
            where=where,
            advice="See what to do: syncd check. Or go on all the same: --force",
        )


def confirm_go(sides: Sides) -> None:
    """Raise NoGoError where a load would meet a problem that must be settled first; nothing where all is loaded."""
    loaded = frozenset(name for name, known in sides.checkpoints().items() if known.is_loaded)
    with sides.source.transaction() as connection:
        names = frozenset(table.name for table in catalog.read(connection).tables)
    if names <= loaded:
        return
    report = check(sides, Silent(), quick=True)
    if any(_hinders(finding, loaded) for finding in report.findings):
        raise NoGoError(report, where=str(sides.source.path))


def _hinders(finding: Finding, loaded: frozenset[str]) -> bool:
    # What speaks of no table has the empty name, as a table may have.
    return finding.gravity is Gravity.BLOCKER and finding.table not in loaded - {""}
