"""The statements that shape a table, as each release of TimescaleDB writes them."""

from collections.abc import Iterable
from dataclasses import dataclass

from psycopg import sql

from syncd.plan import HypertablePlan
from syncd.target.timescale.detection import Timescale
from syncd.target.timescale.facts import TableIndex

PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000}
_SECONDS = {"year": 31_536_000, "mon": 2_592_000, "week": 604_800, "d": 86_400, "h": 3_600, "min": 60, "s": 1}
"""The length of each unit; a year and a month of an integer time column have 365 and 30 days."""


@dataclass(frozen=True)
class Shaping:
    """One table of the target, and the settings that stand for it by now: given, or proposed."""

    schema: str
    table: str
    plan: HypertablePlan
    epoch: str = "s"

    @property
    def relation(self) -> sql.Literal:
        return sql.Literal(sql.Identifier(self.schema, self.table).as_string())

    @property
    def name(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.table)

    def span(self, interval: str) -> sql.Composable:
        """An interval as the time column counts it."""
        if self.plan.is_integer:
            return sql.SQL("{}::bigint").format(sql.Literal(epoch_length(interval, self.epoch)))
        return sql.SQL("INTERVAL {}").format(sql.Literal(interval))

    def ago(self, interval: str) -> str:
        """The moment before which rows are older than the interval, as an SQL expression."""
        if self.plan.is_integer:
            return f"({_now(self.epoch)} - {epoch_length(interval, self.epoch)})"
        return sql.SQL("now() - INTERVAL {}").format(sql.Literal(interval)).as_string()


def epoch_length(interval: str, epoch: str) -> int:
    """An interval, such as `1 month`, in the units of an integer time column."""
    number = "".join(character for character in interval if character.isdigit())
    unit = interval.removeprefix(number).strip().lower()
    seconds = next(length for name, length in _SECONDS.items() if unit.startswith(name))
    return int(number) * seconds * PER_SECOND[epoch]


def _now(epoch: str) -> str:
    return f"(extract(epoch FROM now()) * {PER_SECOND[epoch]})::bigint"


def create_hypertable(ts: Timescale, shaping: Shaping, interval: str, *, migrate: bool) -> list[str]:
    """Make a table a hypertable; its rows move where it has some. An integer time column gets its clock."""
    # A session whose client was killed may still be at it: then it is waited for, and there is nothing left to do.
    form = "SELECT {}({}, {}({}, {}), create_default_indexes => false, if_not_exists => true{})"
    query = sql.SQL(form).format(
        ts.function("create_hypertable"),
        shaping.relation,
        ts.function("by_range"),
        sql.Literal(shaping.plan.time_column),
        shaping.span(interval),
        sql.SQL(", migrate_data => true" if migrate else ""),
    )
    return [query.as_string(), *integer_now(ts, shaping)]


def integer_now(ts: Timescale, shaping: Shaping) -> list[str]:
    """Tell TimescaleDB what time it is in an integer time column; policies need to know."""
    if not shaping.plan.is_integer:
        return []
    function = sql.Identifier(shaping.schema, f"{shaping.table[:59]}_now")
    make = sql.SQL("CREATE OR REPLACE FUNCTION {}() RETURNS {} LANGUAGE sql STABLE AS {}").format(
        function,
        sql.SQL(shaping.plan.time_type),
        sql.Literal(f"SELECT {_now(shaping.epoch)}::{shaping.plan.time_type}"),
    )
    tell = sql.SQL("SELECT {}({}, {}, replace_if_exists => true)").format(
        ts.function("set_integer_now_func"), shaping.relation, sql.Literal(function.as_string())
    )
    return [make.as_string(), tell.as_string()]


def set_interval(ts: Timescale, shaping: Shaping, interval: str) -> str:
    """Let the chunks to come span another time."""
    query = sql.SQL("SELECT {}({}, {})").format(
        ts.function("set_chunk_time_interval"), shaping.relation, shaping.span(interval)
    )
    return query.as_string()


def create_index(shaping_name: sql.Identifier, name: str, columns: Iterable[tuple[str, bool]], *, chunked: bool) -> str:
    """Create an index beside reads and writes. Hypertables know no CONCURRENTLY, but a transaction for each chunk."""
    query = sql.SQL("CREATE INDEX {}{} ON {} ({}){}").format(
        sql.SQL("" if chunked else "CONCURRENTLY "),
        sql.Identifier(name),
        shaping_name,
        sql.SQL(_members(columns)),
        sql.SQL(" WITH (timescaledb.transaction_per_chunk)" if chunked else ""),
    )
    return query.as_string()


def drop_index(schema: str, name: str, *, chunked: bool) -> str:
    query = sql.SQL("DROP INDEX {}{}").format(sql.SQL("" if chunked else "CONCURRENTLY "), sql.Identifier(schema, name))
    return query.as_string()


def _members(columns: Iterable[tuple[str, bool]]) -> str:
    return ", ".join(sql.Identifier(name).as_string() + (" DESC" if down else "") for name, down in columns)


def enable_compression(
    ts: Timescale, shaping: Shaping, segment_by: Iterable[str], order_by: Iterable[tuple[str, bool]]
) -> str:
    """Say how chunks are compressed; none is yet."""
    segments = ", ".join(sql.Identifier(name).as_string() for name in segment_by)
    new = ts.has_columnstore_names
    options = [sql.SQL("timescaledb.enable_columnstore = true" if new else "timescaledb.compress")]
    settings = [("segmentby" if new else "compress_segmentby", segments)] if segments else []
    settings.append(("orderby" if new else "compress_orderby", _members(order_by)))
    told = [sql.SQL(f"timescaledb.{key} = {{}}").format(sql.Literal(text)) for key, text in settings]
    query = sql.SQL("ALTER TABLE {} SET ({})").format(shaping.name, sql.SQL(", ").join([*options, *told]))
    return query.as_string()


def compress(ts: Timescale, chunk: str) -> str:
    """Compress one chunk."""
    form = "CALL {}({})" if ts.has_columnstore_names else "SELECT {}({}, if_not_compressed => true)"
    function = ts.function("convert_to_columnstore" if ts.has_columnstore_names else "compress_chunk")
    return sql.SQL(form).format(function, sql.Literal(chunk)).as_string()


def compression_policy(ts: Timescale, shaping: Shaping, after: str) -> str:
    new = ts.has_columnstore_names
    query = sql.SQL("CALL {}({}, after => {})" if new else "SELECT {}({}, compress_after => {})").format(
        ts.function("add_columnstore_policy" if new else "add_compression_policy"),
        shaping.relation,
        shaping.span(after),
    )
    return query.as_string()


def remove_compression_policy(ts: Timescale, shaping: Shaping) -> str:
    query = sql.SQL("SELECT {}({}, if_exists => true)").format(
        ts.function("remove_compression_policy"), shaping.relation
    )
    return query.as_string()


def retention_policy(ts: Timescale, shaping: Shaping, after: str) -> str:
    query = sql.SQL("SELECT {}({}, drop_after => {}, if_not_exists => true)").format(
        ts.function("add_retention_policy"), shaping.relation, shaping.span(after)
    )
    return query.as_string()


def create_aggregate(schema: str, name: str, query: str) -> str:
    """A continuous aggregate without rows; rows newer than its last refresh are aggregated when it is read."""
    head = sql.SQL(
        "CREATE MATERIALIZED VIEW {} WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS\n"
    ).format(sql.Identifier(schema, name))
    return f"{head.as_string()}{query.rstrip().rstrip(';')}\nWITH NO DATA"


def drop_aggregate(schema: str, name: str) -> str:
    return sql.SQL("DROP MATERIALIZED VIEW {}").format(sql.Identifier(schema, name)).as_string()


def refresh(ts: Timescale, schema: str, name: str, begin: str | None, end: str | None) -> str:
    """Refresh an aggregate from a moment to another; None is the beginning, or the end, of all rows."""
    query = sql.SQL("CALL {}({}, {}, {})").format(
        ts.function("refresh_continuous_aggregate"),
        sql.Literal(sql.Identifier(schema, name).as_string()),
        *(sql.SQL("NULL") if moment is None else sql.Literal(moment) for moment in (begin, end)),
    )
    return query.as_string()


def refresh_policy(ts: Timescale, schema: str, name: str, every: str) -> str:
    """Refresh whatever changed, however old it is."""
    query = sql.SQL("SELECT {}({}, start_offset => NULL, end_offset => NULL, schedule_interval => INTERVAL {})").format(
        ts.function("add_continuous_aggregate_policy"),
        sql.Literal(sql.Identifier(schema, name).as_string()),
        sql.Literal(every),
    )
    return query.as_string()


def remove_refresh_policy(ts: Timescale, schema: str, name: str) -> str:
    query = sql.SQL("SELECT {}({}, if_exists => true)").format(
        ts.function("remove_continuous_aggregate_policy"), sql.Literal(sql.Identifier(schema, name).as_string())
    )
    return query.as_string()


def relation(schema: str, table: str) -> sql.Identifier:
    return sql.Identifier(schema, table)


def widen_key(shaping: Shaping, index: TableIndex) -> str:
    """What puts the time column into a unique key; a person decides whether it is still the key that is meant."""
    members = ", ".join(sql.Identifier(name).as_string() for name, _ in index.columns if name)
    time = sql.Identifier(shaping.plan.time_column).as_string()
    table = shaping.name.as_string()
    if not index.constraint:
        dropped = sql.Identifier(shaping.schema, index.name).as_string()
        return f"DROP INDEX {dropped}; CREATE UNIQUE INDEX ON {table} ({members}, {time});"
    kind = "PRIMARY KEY" if index.primary else "UNIQUE"
    name = sql.Identifier(index.name).as_string()
    return f"ALTER TABLE {table} DROP CONSTRAINT {name}, ADD {kind} ({members}, {time});"
