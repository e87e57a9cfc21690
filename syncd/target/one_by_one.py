"""The slow way of a batch of which a row cannot land: row by row in one PL/pgSQL block, from a stage of text."""

import csv
import re
import sys
from collections.abc import Iterator

from psycopg import sql

from syncd.model import Refusal
from syncd.plan import TablePlan
from syncd.target.database import REFUSED

_UNTYPED = {"character": "bpchar", "bit": "bit varying"}
"""Types whose bare name means a length of one, and the same type without a length."""


def values(plan: TablePlan) -> sql.Composed:
    """The values of the row `r` of text, to be inserted."""
    return sql.SQL("VALUES ({})").format(sql.SQL(", ").join(casts(plan)))


def casts(plan: TablePlan) -> list[sql.Composed]:
    """The values of the row `r` of text in the columns' types, none cut to a length."""
    return [
        sql.SQL("CAST(r.{} AS {})").format(sql.Identifier(f"c{n}"), sql.SQL(_unlimited(column.type.name)))
        for n, column in enumerate(plan.columns)
    ]


def _unlimited(type_name: str) -> str:
    """The type without its length: a cast to varchar(3) truncates, the assignment that follows it refuses."""
    bare = re.sub(r"\([\d,\s-]+\)", "", type_name)
    return _UNTYPED.get(bare, bare)


def block(
    schema: str,
    plan: TablePlan,
    rows: sql.Composable,
    key: sql.Identifier,
    upsert: sql.Composed,
    is_new: sql.Composable,
) -> sql.Composed:
    """The block that runs `upsert` for each of `rows`, a query over the stage, whose column `key` has the source keys.

    It adds the rows that cannot land to `syncd_refused`, each with the column that is to blame, and its counts to
    `syncd_counted`. A failure that is no row's own ends it.
    """
    # Assigning is what INSERT does with a value; the column at which it fails is the one that cannot hold its own.
    # A variable of a domain that is NOT NULL must have its value from the beginning.
    assignments = [
        sql.SQL("tried := {}; DECLARE v {}%TYPE := {}; BEGIN END;").format(
            sql.Literal(column.name), sql.Identifier(schema, plan.target, column.name), cast
        )
        for column, cast in zip(plan.columns, casts(plan), strict=True)
    ]
    return sql.SQL(_BLOCK).format(
        rows=rows,
        upsert=upsert,
        is_new=is_new,
        key=key,
        assignments=sql.SQL("\n                    ").join(assignments),
        table=sql.Literal(sql.Identifier(schema, plan.target).as_string()),
        refused=sql.Literal(REFUSED),
    )


_BLOCK = """
#variable_conflict use_column
DECLARE
    r record; new boolean; inserted bigint := 0; updated bigint := 0;
    said text; more text; state text; col text; bound text; tried text; blamed text;
BEGIN
    FOR r IN {rows} LOOP
        BEGIN
            new := NULL;
            {upsert} RETURNING {is_new} INTO new;
            inserted := inserted + (new IS TRUE)::int;
            updated := updated + (new IS FALSE)::int;
        EXCEPTION WHEN OTHERS OR assert_failure THEN
            GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, more = PG_EXCEPTION_DETAIL, state = RETURNED_SQLSTATE,
                col = COLUMN_NAME, bound = CONSTRAINT_NAME;
            IF col = '' THEN
                SELECT coalesce(string_agg(a.attname, ', ' ORDER BY k.place), '') INTO col
                  FROM pg_constraint c CROSS JOIN unnest(c.conkey) WITH ORDINALITY AS k(attnum, place)
                  JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum
                 WHERE c.conrelid = {table}::regclass AND c.conname = bound;
            END IF;
            blamed := NULL;
            IF col = '' OR state !~ {refused} THEN
                BEGIN
                    {assignments}
                EXCEPTION WHEN OTHERS THEN
                    col := tried; blamed := SQLSTATE;
                END;
            END IF;
            -- Not of this row, unless one of its values alone raises the same, such as the name of no table.
            IF state !~ {refused} AND blamed IS DISTINCT FROM state THEN
                RAISE;
            END IF;
            said := said || CASE WHEN state IN ('23503', '23505') AND more <> '' THEN ': ' || more ELSE '' END;
            INSERT INTO pg_temp.syncd_refused VALUES (r.{key}, state, said, col);
        END;
    END LOOP;
    INSERT INTO pg_temp.syncd_counted VALUES (inserted, updated);
END
"""


def readable(plan: TablePlan, payload: bytes) -> tuple[bytes, list[Refusal]]:
    """The lines that are valid UTF-8, and refusals for the others."""
    good, refusals = [], []
    for line in lines(payload):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            # The fields before the odd byte are read as they are; what stands behind it need not be.
            position = len(_fields(line[: error.start].decode())) - 1
            key = source_key(line)
            column = plan.columns[position].name
            refusals.append(Refusal(key, "encoding", "text that is not valid UTF-8", column, sqlstate="22021"))
        else:
            good.append(line)
    return b"\n".join(good), refusals


def without(payload: bytes, source_keys: frozenset[str]) -> bytes:
    """The keyed lines but for those of these rows."""
    if not source_keys:
        return payload
    return b"\n".join(line for line in lines(payload) if source_key(line) not in source_keys)


def source_key(line: bytes) -> str:
    """The source key of a keyed line."""
    return _fields(line.decode(errors="replace"))[-2]


def _fields(line: str) -> list[str]:
    """The fields of a CSV line, which may end within one."""
    csv.field_size_limit(sys.maxsize)
    return next(csv.reader([line], quotechar="'"))


def lines(payload: bytes) -> Iterator[bytes]:
    """The CSV lines of a payload: a line end within quotes belongs to a value."""
    pending: list[bytes] = []
    quotes = 0
    for part in payload.split(b"\n"):
        pending.append(part)
        quotes += part.count(b"'")
        if quotes % 2 == 0:
            yield b"\n".join(pending)
            pending, quotes = [], 0
