"""The check of both sides together."""

import time
from collections.abc import Iterator

from syncd.config import Config
from syncd.engine.check import rows, source, target, types
from syncd.engine.check.findings import CheckReport, Finding
from syncd.engine.check.mapping import settled_plan
from syncd.engine.progress import Progress
from syncd.engine.sides import Sides, TargetSide
from syncd.errors import SyncdError
from syncd.plan import Plan
from syncd.source.database import Database, SourceConnection


def check(sides: Sides, progress: Progress, *, quick: bool = False) -> CheckReport:
    """Look at both sides and at every row; of `quick` at the catalogues, the foreign keys and a sample of the rows."""
    began = time.monotonic()
    there = sides.look_at_target()
    with sides.source.transaction() as connection:
        plan, findings, read = _of_source(connection, sides.source, there, sides.config, progress, quick=quick)
        size = int(connection.pragma("page_count")) * int(connection.pragma("page_size"))
    findings += target.of_target(sides.control, sides.schema, plan, size)
    return _report(plan, findings, read, began, quick=quick)


def check_source_alone(
    config: Config, database: Database, error: SyncdError | None, progress: Progress, *, quick: bool = False
) -> CheckReport:
    """The same without the target, which cannot be used because of `error`; None where nobody asked for it."""
    began = time.monotonic()
    there = TargetSide({}, {})
    with database.transaction() as connection:
        plan, findings, read = _of_source(connection, database, there, config, progress, quick=quick)
    unreachable = [target.unreachable(error)] if error else []
    return _report(plan, [*unreachable, *findings], read, began, quick=quick)


def _of_source(
    connection: SourceConnection,
    database: Database,
    there: TargetSide,
    config: Config,
    progress: Progress,
    *,
    quick: bool,
) -> tuple[Plan, list[Finding], int]:
    plan, findings = settled_plan(connection, there, config, str(database.path))
    found = [*findings, *source.of_file(connection, database.path)]
    read = 0
    for table in plan.tables:
        progress.note(f"{table.name}: looking at its rows")
        count, of_rows = rows.of_table(connection, plan, table, quick=quick)
        read += count
        if table.created and not quick:
            refusing = frozenset(finding.column for finding in of_rows if finding.count)
            found += types.of_columns(connection, config, table, refusing)
        found += [*of_rows, *source.of_table(connection, config, table)]
    return plan, [*found, *source.not_carried(plan, config)], read


def _report(plan: Plan, findings: list[Finding], read: int, began: float, *, quick: bool) -> CheckReport:
    by_gravity = sorted(findings, key=lambda finding: finding.gravity)
    tables = len(plan.tables) + len(plan.refused)
    return CheckReport(tuple(by_gravity), tables, read, not quick, time.monotonic() - began)


def suggested(report: CheckReport) -> Iterator[str]:
    """All that the findings say to write into the configuration, each section once."""
    sections: dict[str, dict[str, str]] = {}
    for finding in report.findings:
        if finding.lines:
            of_section = sections.setdefault(finding.section or f"table:{finding.table}", {})
            for key, value in finding.lines.items():
                of_section.setdefault(key, value)
    for section, lines in sections.items():
        yield f"[{section}]"
        yield from (f"{key} = {value}" for key, value in lines.items())
