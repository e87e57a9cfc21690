"""The check of both sides together."""

import time
from collections.abc import Iterable, Iterator, Mapping

from syncd.config import Config, TableConfig
from syncd.engine import doubles
from syncd.engine.check import indexes, rows, shape, source, standing, target, tried, types
from syncd.engine.check.findings import CheckReport, Finding
from syncd.engine.check.mapping import settled_plan
from syncd.engine.check.rows import Looked
from syncd.engine.progress import Progress
from syncd.engine.sides import Sides, TargetSide
from syncd.errors import SyncdError
from syncd.plan import Plan, TablePlan
from syncd.plan.suggesting import listed
from syncd.source import duplicates
from syncd.source.database import Database, SourceConnection
from syncd.target import promoted, rules
from syncd.target.rules import Rules


def check(sides: Sides, progress: Progress, *, quick: bool = False) -> CheckReport:
    """Look at both sides and at every row; of `quick` at the catalogues, the foreign keys and a sample of the rows."""
    began = time.monotonic()
    there = sides.look_at_target()
    asked = rules.read(sides.control, sides.schema)
    with sides.source.transaction() as connection:
        plan, findings, looked = _of_source(connection, sides.source, there, sides.config, progress, quick=quick)
        findings += standing.of_labels(connection, plan, asked)
        size = int(connection.pragma("page_count")) * int(connection.pragma("page_size"))
    findings += _of_rows(looked, {one.table.name: _tried(sides, one.table, asked, quick=quick) for one in looked})
    findings += standing.of_names(sides.control, sides.schema, plan)
    findings += standing.of_promotions(promoted.tables(sides.control, sides.schema), there.tables, plan)
    findings += standing.of_triggers(plan, asked)
    findings += target.of_target(sides.control, sides.schema, plan, size)
    findings += shape.of_shape(sides.control, sides.schema, sides.config, plan, there.tables, quick=quick)
    return _report(plan, findings, looked, began, quick=quick)


def check_source_alone(
    config: Config, database: Database, error: SyncdError | None, progress: Progress, *, quick: bool = False
) -> CheckReport:
    """The same without the target, which cannot be used because of `error`; None where nobody asked for it."""
    began = time.monotonic()
    there = TargetSide({}, {})
    with database.transaction() as connection:
        plan, findings, looked = _of_source(connection, database, there, config, progress, quick=quick)
        doubled = {table.name: _doubled_in_source(connection, table) for table in plan.tables if not quick}
    unreachable = [target.unreachable(error)] if error else []
    return _report(plan, [*unreachable, *findings, *_of_rows(looked, doubled)], looked, began, quick=quick)


def _of_source(
    connection: SourceConnection,
    database: Database,
    there: TargetSide,
    config: Config,
    progress: Progress,
    *,
    quick: bool,
) -> tuple[Plan, list[Finding], list[Looked]]:
    plan, findings = settled_plan(connection, there, config, str(database.path))
    found = [*findings, *indexes.of_indexes(config, plan, there.tables), *source.of_file(connection, database.path)]
    looked = []
    for table in plan.tables:
        progress.note(f"{table.name}: looking at its rows")
        looked.append(of_rows := rows.of_table(connection, plan, table, config.table(table.name), quick=quick))
        if table.created and not quick:
            refusing = frozenset(finding.column for finding in of_rows.findings if finding.count) - {table.time_column}
            found += types.of_columns(connection, config, table, refusing)
        found += source.of_table(connection, config, table)
    return plan, [*found, *source.not_carried(plan, config)], looked


def _tried(sides: Sides, table: TablePlan, asked: Mapping[str, Rules], *, quick: bool) -> list[Finding]:
    """What only PostgreSQL can tell of the rows. Ask after the source's transaction, which must not wait for it."""
    of_table = asked.get(table.target, Rules())
    found = [] if table.created else tried.of_table(sides, table, of_table, quick=quick)
    if quick or duplicates.is_told(table):
        return found
    pairs = doubles.find(sides.control, sides.schema, sides.source, table)
    return [*rows.of_duplicates(table, pairs), *found]


def _doubled_in_source(connection: SourceConnection, table: TablePlan) -> list[Finding]:
    """Of keys that PostgreSQL would have to compare, those that SQLite sees to be one."""
    return [] if duplicates.is_told(table) else list(rows.of_duplicates(table, duplicates.find(connection, table)))


def _of_rows(looked: Iterable[Looked], refused: Mapping[str, list[Finding]]) -> Iterator[Finding]:
    """What was found in the rows of each table; `refused` is what PostgreSQL alone told, by table."""
    for one in looked:
        further = refused.get(one.table.name, [])
        yield from rows.over_the_ratio(one, sum(finding.count or 0 for finding in further))
        yield from (*one.findings, *further)


def _report(plan: Plan, findings: list[Finding], looked: Iterable[Looked], began: float, *, quick: bool) -> CheckReport:
    by_gravity = sorted(findings, key=lambda finding: finding.gravity)
    tables = len(plan.tables) + len(plan.refused)
    read = sum(one.rows for one in looked)
    return CheckReport(tuple(by_gravity), tables, read, not quick, time.monotonic() - began)


def _both(key: str, one: str, other: str) -> str:
    """Of two findings that settle one key the first decides, but each may leave columns out."""
    if key != "exclude":
        return one
    return listed(dict.fromkeys(TableConfig.model_validate({"exclude": f"{one}, {other}"}).exclude))


def suggested(report: CheckReport) -> Iterator[str]:
    """All that the findings say to write into the configuration, each section once."""
    sections: dict[str, dict[str, str]] = {}
    for finding in report.findings:
        if finding.lines:
            of_section = sections.setdefault(finding.header, {})
            for key, value in finding.lines.items():
                of_section[key] = _both(key, of_section[key], value) if key in of_section else value
    for section, lines in sections.items():
        yield f"[{section}]"
        yield from (f"{key} = {value}" for key, value in lines.items())
