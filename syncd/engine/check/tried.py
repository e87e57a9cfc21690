"""Findings about rows that PostgreSQL alone can judge: a stand-in of their table takes them, and nothing is kept."""

import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace

from syncd.config import OnConflict
from syncd.engine.check.findings import Finding, Gravity
from syncd.engine.progress import Silent
from syncd.engine.sides import Sides
from syncd.engine.trying import Cause, Try, Worker
from syncd.errors import SyncdError
from syncd.model import Range, Refusal
from syncd.plan import TablePlan
from syncd.source import faults
from syncd.source.labels import labelled
from syncd.target.rules import Rule, Rules
from syncd.types import is_left_to_postgresql

_BY_RULE = ("check", "unique", "exclusion")
_OF_DOMAIN = ("domain", "not null")
_DETAIL = re.compile(r"\(.*\)=\(.*\)")


@dataclass
class _Judged(Try):
    """Of the refusals only those are kept that SQLite's look at the rows has not counted already."""

    wanted: frozenset[tuple[str, str]] = field(default_factory=frozenset)

    def add(self, rows: int, size: int, refusals: Iterable[Refusal]) -> None:
        super().add(rows, size, [refusal for refusal in refusals if self._is_new(refusal)])

    def _is_new(self, refusal: Refusal) -> bool:
        if refusal.reason in _BY_RULE:
            return True
        return bool(refusal.sqlstate) and (refusal.reason, refusal.column) in self.wanted


def of_table(sides: Sides, plan: TablePlan, rules: Rules, *, quick: bool) -> list[Finding]:
    """What a table that is there refuses by its own rules; of `quick` among the first and the last rows alone.

    Rows without a label are left out: they are told apart. Of a unique value the rows of the source alone are asked.
    """
    limiting = tuple(rule for rule in rules.rules if not _is_key(rule, plan))
    if not limiting and not _left_to_postgresql(plan, rules):
        return []
    asked = replace(_with_labels(plan, rules), on_conflict=OnConflict.UPDATE)
    tried = _Judged(asked, frozenset(), Silent(), wanted=_wanted(plan, rules))
    try:
        _try(sides, tried, quick=quick)
    except SyncdError as error:
        tried.error = error.what
    if tried.error:
        return [_undecided(plan, limiting, tried.error)]
    return [_finding(plan, limiting, cause) for cause in tried.causes]


def _try(sides: Sides, tried: Try, *, quick: bool) -> None:
    with sides.source.transaction() as connection:
        scopes, _ = faults.sampled(connection, tried.plan) if quick else ([tried.plan.where], True)
    with closing(Worker(sides.source, sides.schema, sides.connect())) as worker:
        for scope in scopes:
            worker.read(tried, Range(tried.plan.source_key, scope))


def _is_key(rule: Rule, plan: TablePlan) -> bool:
    return rule.kind == "unique" and set(rule.columns) == set(plan.key)


def _left_to_postgresql(plan: TablePlan, rules: Rules) -> frozenset[str]:
    """The columns of types that SQLite's look at the values lets pass, but for enums."""
    told = {labels.column for labels in rules.labels}
    return frozenset(c.name for c in plan.columns if is_left_to_postgresql(c.type) and c.name not in told)


def _wanted(plan: TablePlan, rules: Rules) -> frozenset[tuple[str, str]]:
    """Reasons with their columns: values of those types, and the NULLs that a domain alone refuses."""
    counted = {column.name for column in plan.columns if column.not_null} | set(plan.key)
    values = {("value", name) for name in _left_to_postgresql(plan, rules)}
    nulls = {(rule.kind, name) for rule in rules.rules if rule.kind == "not null" for name in rule.columns}
    return frozenset(values | {(kind, name) for kind, name in nulls if name not in counted})


def _with_labels(plan: TablePlan, rules: Rules) -> TablePlan:
    columns = {column.name: column for column in plan.columns}
    for one in rules.labels:
        if one.column in columns:
            plan = replace(plan, where=f"{plan.where} AND {labelled(columns[one.column], one.labels)}")
    return plan


def _undecided(plan: TablePlan, rules: Iterable[Rule], why: str) -> Finding:
    named = ", ".join(rule.name for rule in rules)
    what = f"its rows could not be tried in the target, so what {named or 'its types'} will refuse is not known: {why}"
    return Finding(Gravity.WARNING, what, plan.name, advice="After the load: syncd rejects list")


def _finding(plan: TablePlan, rules: Iterable[Rule], cause: Cause) -> Finding:
    blamed = tuple(_blamed(rules, cause))
    gravity = Gravity.BLOCKER if any(rule.kind in _OF_DOMAIN for rule in blamed) else Gravity.WARNING
    return Finding(
        gravity,
        _what(plan, cause, blamed),
        plan.name,
        cause.column,
        cause.rows,
        tuple(_example(refusal) for refusal in cause.examples),
        advice=_advice(plan, cause, blamed),
    )


def _blamed(rules: Iterable[Rule], cause: Cause) -> Iterator[Rule]:
    """The rules of that kind over those columns; of an index over an expression PostgreSQL names no column."""
    kinds = ("check", "domain") if cause.reason == "check" else (cause.reason,)
    for rule in rules:
        if rule.kind in kinds and (
            ", ".join(rule.columns) == cause.column or (not cause.column and "" in rule.columns)
        ):
            yield rule


def _what(plan: TablePlan, cause: Cause, blamed: tuple[Rule, ...]) -> str:
    said = " or ".join(f"{rule.name}: {rule.definition}" for rule in blamed)
    if cause.reason in ("unique", "exclusion"):
        return f"rows with a value that another row of the source has, which the target refuses by {said or 'an index'}"
    if blamed or cause.reason == "check":
        return f"rows that the target refuses by {said or 'a CHECK constraint'}"
    of_type = next((column.type.name for column in plan.columns if column.name == cause.column), "the target")
    return f"values that {of_type} refuses"


def _advice(plan: TablePlan, cause: Cause, blamed: tuple[Rule, ...]) -> str:
    if not blamed and cause.reason not in _BY_RULE:
        alter = f'ALTER TABLE "{plan.target}" ALTER COLUMN "{cause.column}" TYPE text'
        return f"Mend these rows in the source, or give the target's column a type that holds them: {alter}"
    drops = "; ".join(rule.drop for rule in blamed)
    let = f"; to let them land as they are: {drops}" if drops else ""
    return f"They are rejected and kept, and land once they are mended in the source{let}"


def _example(refusal: Refusal) -> str:
    detail = _DETAIL.search(refusal.message) if refusal.reason in ("unique", "exclusion") else None
    return f"{refusal.source_key}: {detail.group()}" if detail else refusal.source_key
