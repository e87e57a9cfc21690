"""The keys that passes applied since the last sweep, which the next one reads again: `syncd.touched`.

Those that the sweep at work settled lie in `syncd.settled`, and together they are `syncd.written`. The end of the sweep
forgets them; only where it does not come, the next sweep reads them again.

A row's `round` tells which sweep may forget it: the one that begins a later round. An empty target key stands for one
that is not known, an empty source key for a row of the target of which no source row is known.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from psycopg import sql

from syncd.target.database import Connection

_AT_ONCE = 10_000


@dataclass(frozen=True)
class Touch:
    """For which source keys are remembered, and in which round; whether the sweep at work settled them."""

    source_name: str
    round: int
    is_settled: bool = False

    def staged(self, table: str, stage: sql.Composable, source_key: str, target_key: str) -> sql.Composed:
        """The statement that remembers the keys on a stage, in the order of the index: in another it takes twice."""
        query = _STAGED_AS_SETTLED if self.is_settled else _STAGED
        return sql.SQL(query).format(
            source=sql.Literal(self.source_name),
            table=sql.Literal(table),
            key=sql.Identifier(source_key),
            mapped=sql.Identifier(target_key),
            round=sql.Literal(self.round),
            stage=stage,
        )


def remember(connection: Connection, touch: Touch, table: str, keys: Mapping[str, Iterable[str]]) -> None:
    """Remember source keys, each with its target keys, of rows that no stage holds."""
    pairs = [(key, known) for key, all_known in keys.items() for known in (list(all_known) or [""])]
    if pairs:
        query = _GIVEN_AS_SETTLED if touch.is_settled else _GIVEN
        connection.execute(query, [touch.source_name, table, touch.round, json.dumps(pairs)])


def keep(connection: Connection, touch: Touch, table: str, source_keys: Iterable[str]) -> None:
    """Take these source keys over into the round."""
    if keys := list(source_keys):
        connection.execute(_KEEP, [touch.round, touch.source_name, table, touch.round, keys], prepare=False)


def newest(connection: Connection, source_name: str) -> int:
    """The latest round of any key; 0 where there is none."""
    query = (
        "SELECT greatest((SELECT max(round) FROM syncd.touched WHERE source_name = %s),"
        " (SELECT max(round) FROM syncd.settled WHERE source_name = %s), 0)"
    )
    return int(connection.execute(query, [source_name, source_name]).fetchall()[0][0])


def target_keys(
    connection: Connection, source_name: str, table: str, source_keys: Iterable[str]
) -> Mapping[str, frozenset[str]]:
    """The target keys that are known for these source keys."""
    rows = connection.execute(_TARGET_KEYS, [source_name, table, list(source_keys)], prepare=False).fetchall()
    return {key: frozenset(known or ()) for key, known in rows}


def before(connection: Connection, source_name: str, table: str, round_: int) -> Iterator[tuple[str, list[str]]]:
    """The source keys of earlier rounds, each with its target keys, fetched as they are asked for.

    One statement for all: page by page each page would sort all the keys behind it. Call it in a transaction.
    """
    with connection.cursor(name="syncd_touched") as cursor:
        cursor.itersize = _AT_ONCE
        cursor.execute(_BEFORE, [source_name, table, round_])
        yield from cursor


def alone(connection: Connection, source_name: str, table: str) -> frozenset[str]:
    """The target keys of which no source key is known."""
    rows = connection.execute(
        "SELECT target_key FROM syncd.touched WHERE source_name = %s AND table_name = %s AND source_key = ''",
        [source_name, table],
    ).fetchall()
    return frozenset(key for (key,) in rows)


def forget(connection: Connection, source_name: str, tables: Iterable[str], round_: int) -> None:
    """Forget what earlier rounds touched in these tables; of a proven table it stays known that it is unproven."""
    known = {"source": source_name, "tables": list(tables), "round": round_}
    connection.execute(_FORGET, known)


# Keys are asked for as an array that the planner sees, never by a prepared statement: it looks them up in the index of
# `touched`, and hashes them for `settled`. A join with them went through all of `settled` for each: 60,000 keys took
# 7 s, and 150,000 did not end.
_TARGET_KEYS = (
    "SELECT source_key, array_agg(target_key) FILTER (WHERE target_key <> '') FROM syncd.written"
    " WHERE source_name = %s AND table_name = %s AND source_key <> '' AND source_key = ANY (%s::text[])"
    " GROUP BY source_key"
)
_BEFORE = (
    "SELECT source_key, coalesce(array_agg(target_key) FILTER (WHERE target_key <> ''), '{}') FROM syncd.written"
    " WHERE source_name = %s AND table_name = %s GROUP BY source_key HAVING min(round) < %s"
)
_KEEP = (
    "INSERT INTO syncd.touched (source_name, table_name, source_key, target_key, round)"
    " SELECT DISTINCT source_name, table_name, source_key, target_key, %s FROM syncd.written"
    " WHERE source_name = %s AND table_name = %s AND round < %s AND source_key = ANY (%s::text[])"
    " ON CONFLICT (source_name, table_name, source_key, target_key) DO UPDATE SET round = excluded.round"
)
_STAGED = (
    "INSERT INTO syncd.touched AS k (source_name, table_name, source_key, target_key, round)"
    " SELECT {source}, {table}, {key}, {mapped}, {round} FROM {stage} ORDER BY {key}"
    " ON CONFLICT (source_name, table_name, source_key, target_key)"
    " DO UPDATE SET round = excluded.round WHERE k.round <> excluded.round"
)
_STAGED_AS_SETTLED = (
    "INSERT INTO syncd.settled (source_name, table_name, round, source_keys, target_keys)"
    " SELECT {source}, {table}, {round}, array_agg({key}), array_agg({mapped}) FROM {stage} HAVING count(*) > 0"
)
_GIVEN = (
    "INSERT INTO syncd.touched AS k (source_name, table_name, source_key, target_key, round)"
    " SELECT %s, %s, p ->> 0, p ->> 1, %s FROM jsonb_array_elements(%s::jsonb) AS p ORDER BY 3"
    " ON CONFLICT (source_name, table_name, source_key, target_key)"
    " DO UPDATE SET round = excluded.round WHERE k.round <> excluded.round"
)
_GIVEN_AS_SETTLED = (
    "INSERT INTO syncd.settled (source_name, table_name, round, source_keys, target_keys)"
    " SELECT %s, %s, %s, array_agg(p ->> 0), array_agg(p ->> 1) FROM jsonb_array_elements(%s::jsonb) AS p"
)
_FORGET = """
WITH gone AS (
    DELETE FROM syncd.touched
     WHERE source_name = %(source)s AND table_name = ANY (%(tables)s) AND round < %(round)s
    RETURNING source_name, table_name, source_key, target_key),
settled AS (
    DELETE FROM syncd.settled
     WHERE source_name = %(source)s AND table_name = ANY (%(tables)s) AND round < %(round)s
    RETURNING source_name, table_name, source_keys, target_keys)
INSERT INTO syncd.unproven AS u (source_name, table_name, source_key, target_key)
SELECT gone.* FROM gone JOIN syncd.proven USING (source_name, table_name)
 UNION
SELECT s.source_name, s.table_name, k.source_key, k.target_key
  FROM settled s
  JOIN syncd.proven USING (source_name, table_name)
 CROSS JOIN LATERAL unnest(s.source_keys, s.target_keys) AS k(source_key, target_key)
    ON CONFLICT (source_name, table_name, source_key, target_key) DO UPDATE SET at = excluded.at
"""
