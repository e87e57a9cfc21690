"""What is left to do for the configured indexes and continuous aggregates."""

from collections.abc import Iterator, Mapping

from syncd.engine.timescale.planning import Ground, index_step
from syncd.engine.timescale.steps import Kind, Step
from syncd.errors import SchemaError
from syncd.plan.named import confirm_index
from syncd.target.timescale import facts, probe, statements, tables


def index_steps(ground: Ground, name: str, loaded: Mapping[str, frozenset[str]]) -> Iterator[Step]:
    """The index of `[index:NAME]` where it is missing. `loaded` are the target's tables with their columns."""
    wanted = ground.config.indexes[name]
    line = f"[index:{name}]"
    confirm_index(ground.config, name, loaded)
    there = next((i for i in facts.indexes(ground.connection, ground.schema) if i.name == name), None)
    if there is None or (there.table == wanted.table and not there.valid):
        yield index_step(ground, wanted.table, name, wanted.columns, f"wanted by {line}")
    elif (there.table, there.columns) != (wanted.table, wanted.columns):
        told = ", ".join(column + (" DESC" if down else "") for column, down in there.columns)
        raise SchemaError(
            f"an index of this name is there, on {there.table} ({told})",
            where=f"index:{name}",
            advice=f"Choose another name for {line}, or drop that index",
        )


def check_aggregates(ground: Ground) -> None:
    """Raise SchemaError for the first aggregate whose query PostgreSQL refuses, or that is there with another query.

    Each is made for a moment and taken back; nobody sees it.
    """
    if not ground.config.aggregates:
        return
    ground.timescale.check_community(f"aggregate:{next(iter(ground.config.aggregates))}")
    queries = {name: aggregate.query.text for name, aggregate in ground.config.aggregates.items()}
    found = probe.aggregates(ground.connection, ground.schema, queries)
    if found is None:
        return
    section = f"aggregate:{found.name}"
    raise SchemaError(
        found.what,
        where=section,
        advice=f"Correct {ground.line(section)}" + (f"; or: {found.remedy}" if found.remedy else ""),
    )


def aggregate_steps(ground: Ground, name: str) -> Iterator[Step]:
    if name not in tables.aggregates(ground.connection, ground.schema):
        made = statements.create_aggregate(ground.schema, name, ground.config.aggregates[name].query.text)
        yield Step(Kind.AGGREGATE, name, (made,), f"wanted by [aggregate:{name}]")


def refresh_steps(ground: Ground, name: str) -> Iterator[Step]:
    """Fill an aggregate that has no policy yet: policies come last, so one without was never filled to its end."""
    if _refresh_job(ground, name) is None:
        # Buckets up to a year, weeks apart, end with a calendar year.
        windows = [*tables.refreshed_years(ground.connection, ground.schema, name), (None, None)]
        told = tuple(statements.refresh(ground.timescale, ground.schema, name, *window) for window in windows)
        yield Step(Kind.REFRESH, name, told, "aggregated once over all rows, a year at a time")


def refresh_policy_steps(ground: Ground, name: str) -> Iterator[Step]:
    every, job = ground.config.aggregates[name].refresh, _refresh_job(ground, name)
    if job is None or not _same_interval(ground, job.every, every):
        first = [statements.remove_refresh_policy(ground.timescale, ground.schema, name)] if job else []
        made = statements.refresh_policy(ground.timescale, ground.schema, name, every)
        yield Step(Kind.POLICY, name, (*first, made), f"what changed is aggregated again every {every}")


def _refresh_job(ground: Ground, name: str) -> tables.Job | None:
    known = tables.jobs(ground.connection, ground.schema)
    return next((job for job in known if job.relation == name and job.kind == "refresh"), None)


def _same_interval(ground: Ground, one: str, other: str) -> bool:
    return bool(ground.connection.execute("SELECT %s::interval = %s::interval", [one, other]).fetchall()[0][0])
