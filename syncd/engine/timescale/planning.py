"""What is left to do for the tables of the configuration, one kind of step at a time, by what the target holds now."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, count

from syncd.config import Config
from syncd.engine.timescale.steps import Kind, Step
from syncd.errors import SchemaError
from syncd.plan import HypertablePlan
from syncd.plan.shape import Layout, Proposal, chunk_interval, epoch_unit, layout, why_configured
from syncd.target.database import Connection
from syncd.target.timescale import facts, statements, tables
from syncd.target.timescale.detection import Timescale
from syncd.target.timescale.statements import Shaping
from syncd.wording import counted

_MIGRATE_SECONDS_A_ROW = 5.2e-6
_INDEX_SECONDS_A_ROW = 1.0e-6
_COMPRESS_SECONDS_A_ROW = 5.0e-6
"""Measured with 926,325 rows of 10 columns on 2 processors."""


@dataclass(frozen=True)
class Ground:
    """What every plan starts from; `wanted` are the hypertables to be, by the name of the target's table."""

    connection: Connection
    timescale: Timescale
    schema: str
    config: Config
    wanted: Mapping[str, HypertablePlan]

    def there(self) -> Mapping[str, tables.Hypertable]:
        return tables.hypertables(self.connection, self.schema)

    def shaping(self, table: str) -> Shaping:
        """The table with the unit of its time column, told or guessed."""
        plan = self.wanted[table]
        epoch = plan.epoch or (epoch_unit(self.extent(table).greatest) if plan.is_integer else "s")
        return Shaping(self.schema, table, plan, epoch)

    def extent(self, table: str) -> facts.Extent:
        plan = self.wanted[table]
        return facts.extent(self.connection, self.schema, table, plan.time_column, is_integer=plan.is_integer)

    def line(self, section: str) -> str:
        """What to change in a section of the configuration, and where it stands if that is known."""
        kind, _, name = section.partition(":")
        return (
            f"[{section}] query, {self.config.aggregates[name].query.origin}" if kind == "aggregate" else f"[{section}]"
        )

    def same(self, shaping: Shaping, given: str, found: str) -> bool:
        """Whether an interval of the configuration is the one that was found."""
        if shaping.plan.is_integer:
            return str(statements.epoch_length(given, shaping.epoch)) == found
        rows = self.connection.execute("SELECT %s::interval = %s::interval", [given, found]).fetchall()
        return bool(rows[0][0])


def steps(ground: Ground, table: str, kind: Kind) -> tuple[Step, ...]:
    """What is left of one kind for one wanted hypertable. Raises SchemaError where its settings cannot be had."""
    return tuple(_PLANNERS[kind](ground, table))


def _hypertable(ground: Ground, table: str) -> Iterator[Step]:
    shaping, there = ground.shaping(table), ground.there().get(table)
    if there is None:
        yield _new(ground, shaping)
        return
    if there.time_column != shaping.plan.time_column:
        raise SchemaError(
            f"it is a hypertable already, cut by {there.time_column}, not by {shaping.plan.time_column}",
            where=table,
            advice=f"Write [hypertable:{table}] time_column = {there.time_column}",
        )
    given = shaping.plan.chunk_interval
    if given and not ground.same(shaping, given, there.interval):
        statement = statements.set_interval(ground.timescale, shaping, given)
        why = f"chunks to come span {given}; those that are there keep {there.interval}"
        yield Step(Kind.HYPERTABLE, table, (statement,), why)
    if shaping.plan.is_integer and there.integer_now is None:
        clock = tuple(statements.integer_now(ground.timescale, shaping))
        yield Step(Kind.HYPERTABLE, table, clock, f"its times are numbers, counted in {shaping.epoch}")


def _new(ground: Ground, shaping: Shaping) -> Step:
    table = shaping.table
    seen = ground.extent(table)
    _check_rows(seen, shaping)
    check_keys(ground, shaping)
    interval = proposed_interval(ground.connection, shaping, seen)
    made = statements.create_hypertable(ground.timescale, shaping, interval.value, migrate=seen.rows > 0)
    why = f"chunks of {interval.value}: {interval.why}"
    if seen.rows:
        why += f"; {seen.rows:,} rows move, and the table is locked meanwhile"
    return Step(Kind.HYPERTABLE, table, tuple(made), why, seen.rows * _MIGRATE_SECONDS_A_ROW)


def proposed_interval(connection: Connection, shaping: Shaping, seen: facts.Extent) -> Proposal:
    """The interval of the configuration, else the one that suits the rows."""
    if shaping.plan.chunk_interval:
        return Proposal(shaping.plan.chunk_interval, "as configured")
    return chunk_interval(seen.rows, seen.seconds, facts.cache_bytes(connection))


def _check_rows(seen: facts.Extent, shaping: Shaping) -> None:
    if seen.without_time:
        raise SchemaError(
            f"{counted(seen.without_time, 'row')} without {shaping.plan.time_column}, and each row of a hypertable"
            " needs its time",
            where=shaping.table,
            advice=f"Give them one, or choose another column: [hypertable:{shaping.table}] time_column",
        )


def check_keys(ground: Ground, shaping: Shaping) -> None:
    """Raise SchemaError, with the statements that would settle it, where a key lacks the time column."""
    time, table = shaping.plan.time_column, shaping.table
    there = facts.indexes(ground.connection, ground.schema)
    narrow = [i for i in there if i.table == table and i.unique and time not in [name for name, _ in i.columns]]
    if narrow:
        raise SchemaError(
            f"unique keys of a hypertable hold its time column, {time}; these do not: "
            + ", ".join(f"{i.name} ({', '.join(name for name, _ in i.columns)})" for i in narrow),
            where=table,
            advice="Widen them, and load the table again, or leave out [hypertable:"
            + f"{table}]: "
            + " ".join(statements.widen_key(shaping, i) for i in narrow),
        )
    wanted = ground.wanted.keys() | ground.there().keys()
    for link in facts.foreign_links(ground.connection, ground.schema, table):
        ends = [name.rpartition(".")[2].strip('"') for name in (link.table, link.parent)]
        if set(ends) <= wanted:
            raise SchemaError(
                f"the foreign key {link.name} goes from a hypertable to a hypertable, which TimescaleDB does not have",
                where=table,
                advice=f"ALTER TABLE {link.table} DROP CONSTRAINT {link.name}; or leave out one of the two sections",
            )


def _time_index(ground: Ground, table: str) -> Iterator[Step]:
    plan = ground.wanted[table]
    there = [i for i in facts.indexes(ground.connection, ground.schema) if i.table == table]
    by_time = [i for i in there if i.columns[:1] and i.columns[0][0] == plan.time_column]
    if any(i.valid for i in by_time):
        return
    columns = ((plan.time_column, True),)
    interrupted = next((i.name for i in by_time if i.columns == columns), None)
    name = interrupted or _free_name(ground, f"{table[:38]}_{plan.time_column[:17]}_idx")
    yield index_step(ground, table, name, columns, "rows of a time are found by it")


def _free_name(ground: Ground, name: str) -> str:
    """The name, or where it is taken the name with a number, as PostgreSQL does it."""
    taken = facts.taken_names(ground.connection, ground.schema)
    return next(free for free in chain([name], (f"{name}{number}" for number in count(1))) if free not in taken)


def index_step(ground: Ground, table: str, name: str, columns: tuple[tuple[str, bool], ...], why: str) -> Step:
    """Create an index; one that was left invalid by an interruption is dropped first."""
    chunked = table in ground.there() or table in ground.wanted
    broken = any(i.name == name and not i.valid for i in facts.indexes(ground.connection, ground.schema))
    first = [statements.drop_index(ground.schema, name, chunked=chunked)] if broken else []
    relation = Shaping(ground.schema, table, HypertablePlan("", "")).name
    made = statements.create_index(relation, name, columns, chunked=chunked)
    rows = facts.row_estimate(ground.connection, ground.schema, table)
    return Step(Kind.INDEX, table, (*first, made), why, rows * _INDEX_SECONDS_A_ROW)


def _compression(ground: Ground, table: str) -> Iterator[Step]:
    shaping, there = ground.shaping(table), ground.there().get(table)
    plan = shaping.plan
    if plan.compress_after is None:
        return
    ground.timescale.check_compression(table)
    if there and there.compression:
        if not _differs(plan, there):
            return
        if there.compressed_chunks:
            raise SchemaError(
                f"its chunks are compressed already, by {_shown(there.segment_by, there.order_by)}",
                where=table,
                advice=f"Write [hypertable:{table}] segment_by = {', '.join(there.segment_by)} and "
                f"order_by = {_ordered(there.order_by)}; or decompress its chunks first",
            )
    found = proposed_layout(ground, table)
    statement = statements.enable_compression(ground.timescale, shaping, found.segment_by, found.order_by)
    yield Step(Kind.COMPRESSION, table, (statement,), found.why)


def _differs(plan: HypertablePlan, there: tables.Hypertable) -> bool:
    return bool(
        (plan.segment_by and plan.segment_by != there.segment_by) or (plan.order_by and plan.order_by != there.order_by)
    )


def _shown(segments: tuple[str, ...], order: tuple[tuple[str, bool], ...]) -> str:
    return f"segments of {', '.join(segments) or 'nothing'}, ordered by {_ordered(order)}"


def _ordered(order: tuple[tuple[str, bool], ...]) -> str:
    return ", ".join(name + (" DESC" if down else "") for name, down in order)


def proposed_layout(ground: Ground, table: str) -> Layout:
    """Segments and order as configured; what is not, from the key and the rows of the largest chunk."""
    plan = ground.wanted[table]
    found = _layout_by_rows(ground, table)
    if not (plan.segment_by or plan.order_by):
        return found
    segments = plan.segment_by or tuple(n for n in found.segment_by if n not in [name for name, _ in plan.order_by])
    order = plan.order_by or tuple((n, down) for n, down in found.order_by if n not in segments)
    if plan.segment_by and not plan.order_by:
        order = ((plan.time_column, True),)
    relation = statements.relation(*_largest(ground, table))
    rows, *groups = facts.distinct(ground.connection, relation, segments)
    return replace(found, segment_by=segments, order_by=order, why=why_configured(rows, groups[-1] if groups else 1))


def _largest(ground: Ground, table: str) -> tuple[str, str]:
    """Schema and name of the table's largest chunk, its own where it has none."""
    return facts.largest_chunk(ground.connection, ground.schema, table) or (ground.schema, table)


def _layout_by_rows(ground: Ground, table: str) -> Layout:
    plan = ground.wanted[table]
    there = facts.indexes(ground.connection, ground.schema)
    unique = sorted((i for i in there if i.table == table and i.unique), key=lambda index: not index.primary)
    keys = [[name for name, _ in i.columns] for i in unique if all(name for name, _ in i.columns)]
    key = [name for name in (keys[0] if keys else []) if name != plan.time_column]
    if not key:
        return Layout((), ((plan.time_column, True),), "it has no key beside its time")
    relation = statements.relation(*_largest(ground, table))
    alone = {name: facts.distinct(ground.connection, relation, [name])[1] for name in key}
    # A column with one value divides nothing: it is neither segment nor order.
    ordered = sorted((name for name in key if alone[name] > 1), key=lambda name: alone[name])
    rows, *groups = facts.distinct(ground.connection, relation, ordered)
    return layout(ordered, plan.time_column, rows, groups)


def _chunks(ground: Ground, table: str) -> Iterator[Step]:
    shaping = ground.shaping(table)
    after = shaping.plan.compress_after
    if after is None or table not in ground.there():
        return
    old = tables.uncompressed_before(ground.connection, ground.schema, table, shaping.ago(after))
    if old:
        rows = facts.row_estimate(ground.connection, ground.schema, table) * len(old) / ground.there()[table].chunks
        told = tuple(statements.compress(ground.timescale, chunk) for chunk in old)
        why = f"{len(old)} chunks are older than {after}; the newest comes last"
        yield Step(Kind.CHUNKS, table, told, why, rows * _COMPRESS_SECONDS_A_ROW)


def _policy(ground: Ground, table: str) -> Iterator[Step]:
    shaping = ground.shaping(table)
    after = shaping.plan.compress_after
    known = [job for job in tables.jobs(ground.connection, ground.schema) if job.relation == table]
    job = next((job for job in known if job.kind == "compression"), None)
    if after is None or (job and ground.same(shaping, after, job.after)):
        return
    ground.timescale.check_compression(table)
    first = [statements.remove_compression_policy(ground.timescale, shaping)] if job else []
    made = statements.compression_policy(ground.timescale, shaping, after)
    yield Step(Kind.POLICY, table, (*first, made), f"chunks are compressed when they are older than {after}")


def _retention(ground: Ground, table: str) -> Iterator[Step]:
    shaping = ground.shaping(table)
    after = shaping.plan.retain
    known = [job for job in tables.jobs(ground.connection, ground.schema) if job.relation == table]
    if after and not any(job.kind == "retention" for job in known):
        ground.timescale.check_community(table)
        made = statements.retention_policy(ground.timescale, shaping, after)
        why = f"rows older than {after} are dropped, but not before promotion: until then the source decides"
        yield Step(Kind.RETENTION, table, (made,), why, waits=True)


_PLANNERS = {
    Kind.HYPERTABLE: _hypertable,
    Kind.INDEX: _time_index,
    Kind.COMPRESSION: _compression,
    Kind.CHUNKS: _chunks,
    Kind.POLICY: _policy,
    Kind.RETENTION: _retention,
}
