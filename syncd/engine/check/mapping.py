"""Planning in spite of tables that do not fit: each is reported, settled as its advice says, and looked at further."""

from collections.abc import Iterator, Mapping

from syncd.config import Config, Expression, TableConfig
from syncd.engine.check.findings import Finding, Gravity
from syncd.engine.sides import TargetSide, plan_sides
from syncd.errors import MappingError, SchemaError, UnnamedRowsError
from syncd.plan import Plan
from syncd.source.database import SourceConnection

_ROUNDS = 3


def settled_plan(
    connection: SourceConnection, there: TargetSide, config: Config, source_name: str
) -> tuple[Plan, tuple[Finding, ...]]:
    """The plan under the configuration that the findings' advice would make of it, and those findings.

    So one check finds as well what stands behind a column that has no counterpart.
    """
    findings: list[Finding] = []
    for _ in range(_ROUNDS):
        plan = plan_sides(connection, there, config, source_name)
        open_ones = [error for error in plan.refused if isinstance(error, MappingError) and _is_settled(error)]
        if not open_ones:
            break
        findings += [_finding(error) for error in open_ones]
        config = _settled(config, {error.where: error.lines for error in open_ones})
    findings += [_finding(error) for error in plan.refused if not isinstance(error, UnnamedRowsError)]
    return plan, tuple(findings)


def _is_settled(error: MappingError) -> bool:
    return bool(error.lines) and all(error.lines.values())


def _finding(error: SchemaError) -> Finding:
    lines = error.lines if isinstance(error, MappingError) else {}
    known = {key: text or "?" for key, text in lines.items()}
    advice = "" if lines else error.advice
    if "?" in known.values():
        advice = "For ? write an SQLite expression over the source's row"
    return Finding(Gravity.BLOCKER, error.what, error.where, lines=known, advice=advice)


def _settled(config: Config, lines: Mapping[str, Mapping[str, str]]) -> Config:
    tables = dict(config.tables)
    for name, of_table in lines.items():
        tables[name] = _with_lines(config.table(name), of_table)
    return config.model_copy(update={"tables": tables})


def _with_lines(settings: TableConfig, lines: Mapping[str, str]) -> TableConfig:
    columns = dict(settings.columns) | dict(_columns(lines))
    given = TableConfig.model_validate({"exclude": lines.get("exclude", "")})
    return settings.model_copy(
        update={
            "target": lines.get("target", settings.target),
            "columns": columns,
            "exclude": given.exclude or settings.exclude,
        }
    )


def _columns(lines: Mapping[str, str]) -> Iterator[tuple[str, Expression]]:
    for key, text in lines.items():
        kind, _, name = key.partition(".")
        if kind == "column":
            yield name, Expression(text=text, origin="the advice")
