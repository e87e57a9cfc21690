"""Rendered target keys in a temporary table of the key's own types, where PostgreSQL compares them as it does rows.

A key that these types cannot hold, of a row that was rejected, is left out: the target has no such row.
"""

from collections.abc import Sequence
from dataclasses import replace

from psycopg import sql

from syncd.plan import TablePlan
from syncd.target import one_by_one
from syncd.target.database import REFUSED, Connection, PostgresError, is_row_fault, savepoint
from syncd.target.lines import CSV, TARGET_KEY, copy


def stage_keys(
    connection: Connection, name: sql.Identifier, target: sql.Identifier, plan: TablePlan, keys: Sequence[str]
) -> None:
    """Make the temporary table anew, until the transaction ends: the keys, and beside each the line that it was."""
    members = sql.SQL(", ").join(map(sql.Identifier, plan.key))
    connection.execute(
        sql.SQL(
            "DROP TABLE IF EXISTS {0};"
            " CREATE TEMP TABLE {0} ON COMMIT DROP AS SELECT {1}, NULL::text AS {2} FROM {3} WITH NO DATA"
        ).format(name, members, sql.Identifier(TARGET_KEY), target)
    )
    if not keys:
        return
    lines = "\n".join(f"{key},'{key.replace(chr(39), chr(39) * 2)}'" for key in keys).encode()
    try:
        with savepoint(connection):
            _copy(connection, name, lines)
    except PostgresError as error:
        if not is_row_fault(error):
            raise
        _copy_possible(connection, name, plan, lines)


def _copy(connection: Connection, table: sql.Identifier, lines: bytes) -> None:
    copy(connection, sql.SQL("COPY {} FROM STDIN ({})").format(table, sql.SQL(CSV)), lines)


def _copy_possible(connection: Connection, name: sql.Identifier, plan: TablePlan, lines: bytes) -> None:
    """Bring over from a table of text, one by one, what the types can hold."""
    text = sql.Identifier("pg_temp", "syncd_keys_as_text")
    columns = [sql.Identifier(f"c{n}") for n in range(len(plan.key))]
    fields = sql.SQL(", ").join(sql.SQL("{} text").format(column) for column in (*columns, sql.Identifier(TARGET_KEY)))
    connection.execute(sql.SQL("CREATE TEMP TABLE {} ({}) ON COMMIT DROP").format(text, fields))
    _copy(connection, text, lines)
    block = sql.SQL(_BLOCK).format(
        text=text,
        keys=name,
        values=sql.SQL(", ").join(one_by_one.casts(replace(plan, columns=plan.key_columns))),
        line=sql.Identifier(TARGET_KEY),
        refused=sql.Literal(REFUSED),
    )
    connection.execute(sql.SQL("DO {}").format(sql.Literal(block.as_string())))
    connection.execute(sql.SQL("DROP TABLE {}").format(text))


_BLOCK = """
DECLARE
    r record;
BEGIN
    FOR r IN SELECT * FROM {text} LOOP
        BEGIN
            INSERT INTO {keys} VALUES ({values}, r.{line});
        EXCEPTION WHEN OTHERS THEN
            IF SQLSTATE !~ {refused} THEN
                RAISE;
            END IF;
        END;
    END LOOP;
END
"""
