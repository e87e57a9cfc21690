"""Which rows to read: ranges beyond a mark, and keys to read again."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import apsw

from syncd.model import Mark, Range
from syncd.plan import TablePlan
from syncd.quoting import identifier, literal
from syncd.source import catalog
from syncd.source.database import query

_EPOCH_UNITS = ((1e14, 1e6), (1e11, 1e3), (1e8, 1.0))
"""A number from 1e14 on counts microseconds since 1970, from 1e11 milliseconds, from 1e8 seconds."""
_LEAST_ROWID = -(2**63)
_JULIAN_DAYS = (1_700_000.0, 5_400_000.0)
_SECONDS_A_DAY = 86_400


def safe_literal(expression: str) -> str:
    """An SQLite expression that writes a column's value as a literal which reads back to the same bytes.

    `quote()` stops at a NUL and passes invalid text through; hexadecimal does neither. In a UTF-16 database both the
    digits and the cast back from them are UTF-16.
    """
    odd = f"typeof({expression})='text' AND (instr({expression},char(0)) OR {expression} GLOB '*[^ -~]*')"
    return f"iif({odd},'CAST(X'''||hex({expression})||''' AS TEXT)',quote({expression}))"


def source_key(plan: TablePlan) -> str:
    """An SQLite expression for the text that names one source row: its rowid, or its key as a list of literals."""
    return key_text(plan.source_key, by_rowid=plan.by_rowid)


def key_text(members: tuple[str, ...], *, by_rowid: bool) -> str:
    """The same from SQLite expressions for the members of the key."""
    return f"CAST({members[0]} AS TEXT)" if by_rowid else "||','||".join(map(safe_literal, members))


def whole(plan: TablePlan, until: int | None = None, after: str | None = None) -> Range:
    """Every row in the order of the source key; of a table with rowids those up to `until`, inclusive."""
    if until is None:
        return Range(plan.source_key, plan.where, after=after)
    return Range(plan.source_key, _belonging(plan, f"{plan.source_key[0]} <= ?"), (until,), after, until)


def _belonging(plan: TablePlan, condition: str) -> str:
    """The condition, for the rows alone that the configuration says belong."""
    return condition if plan.where == "1" else f"{condition} AND {plan.where}"


def after(rows: Range, place: str) -> Range:
    """What is left of a range behind a place in it."""
    return replace(rows, after=place)


def condition(rows: Range) -> str:
    """The SQLite condition for the rows of a range, with its question marks."""
    behind = f" AND ({','.join(rows.order)}) > ({rows.after})" if rows.after is not None else ""
    return f"{rows.where}{behind}"


def without(rows: Range, plan: TablePlan, left_out: frozenset[str]) -> Range:
    """The range less the rows of these source keys."""
    if not left_out:
        return rows
    return replace(rows, where=f"{rows.where} AND NOT ({of_keys(plan, left_out).where})", until=None)


def spans(
    connection: apsw.Connection, plan: TablePlan, most: int, least_rows: int
) -> list[tuple[str | None, int | None]]:
    """Cut a table into at most `most` ranges of rowids: (after, until) of each, together the whole table as it is now.

    A table without rowids is one range. Rowids may be sparse, so ranges may hold fewer than `least_rows` rows.
    """
    if not plan.by_rowid:
        return [(None, None)]
    rowid, of = plan.source_key[0], identifier(plan.source.name)
    first, last = query(connection, f"SELECT (SELECT min({rowid}) FROM {of}), (SELECT max({rowid}) FROM {of})")[0]
    if first is None:
        return []
    count = max(1, min(most, (last - first) // least_rows))
    edges = [first - 1 + (last - first + 1) * n // count for n in range(count)] + [last]
    return [(str(after) if n else None, until) for n, (after, until) in enumerate(pairwise(edges))]


def of_keys(plan: TablePlan, keys: Iterable[str]) -> Range:
    """The rows of these source keys, those that are still there."""
    if plan.by_rowid:
        return Range(plan.source_key, _belonging(plan, f"{plan.source_key[0]} IN ({','.join(keys)})"))
    rows = ",".join(f"({key})" for key in keys)
    return Range(plan.source_key, _belonging(plan, f"({','.join(plan.source_key)}) IN (VALUES {rows})"))


def bound(connection: apsw.Connection, plan: TablePlan) -> tuple[Mark, frozenset[str]]:
    """How far the table reaches in this transaction: the mark that a pass over it will leave.

    Also the storage classes of its date column, of which a mark that sorts by time has one.
    """
    of = identifier(plan.source.name)
    rowid = f"(SELECT max({plan.mark.rowid}) FROM {of})" if plan.mark.rowid else "NULL"
    if not plan.mark.moment:
        return Mark(query(connection, f"SELECT {rowid}")[0][0]), frozenset()
    high = safe_literal("high")
    ends = catalog.ends(connection, plan.source.name, plan.mark.moment)
    found, low_kind, high_kind, moment = query(
        connection, f"SELECT {rowid}, typeof(low), typeof(high), {high} FROM ({ends})"
    )[0]
    return Mark(found, None if high_kind == "null" else moment), catalog.classes((low_kind, high_kind))


def beyond(plan: TablePlan, mark: Mark, until: Mark, *, ties: bool = True) -> tuple[Range, ...]:
    """The rows between a mark and a bound.

    By rowid: those after the mark. By date: those from the mark on, `ties` included, less the lookback; rows that are
    new by rowid are left to the first range, so no row comes twice.
    """
    ranges = []
    if plan.mark.rowid and until.rowid is not None and (mark.rowid is None or until.rowid > mark.rowid):
        ranges.append(whole(plan, until.rowid, None if mark.rowid is None else str(mark.rowid)))
    if plan.mark.moment and until.moment:
        ranges.append(_from_moment(plan, mark, until, ties=ties))
    return tuple(ranges)


def _from_moment(plan: TablePlan, mark: Mark, until: Mark, *, ties: bool) -> Range:
    """Rows from the mark's moment to the bound's; all that have a moment where the mark has none yet."""
    column = identifier(plan.mark.moment or "")
    high, parameters = _bind(until.moment or "")
    where = f"{column} <= {high}"
    if mark.moment:
        low, lowest = _bind(earlier(mark.moment, plan.mark.lookback))
        where = f"{column} {'>=' if ties else '>'} {low} AND {where}"
        parameters = lowest + parameters
    if plan.mark.rowid:
        where += f" AND {plan.mark.rowid} <= ?"
        parameters += (_LEAST_ROWID if mark.rowid is None else mark.rowid,)
    return Range((column, *plan.source_key), _belonging(plan, where), parameters)


def _bind(written: str) -> tuple[str, tuple[int | float | str, ...]]:
    """A literal as a question mark and its value where Python can hold it, else as it is written."""
    if written.startswith("'"):
        return "?", (written[1:-1].replace("''", "'"),)
    for kind in (int, float):
        with suppress(ValueError):
            return "?", (kind(written),)
    return written, ()


def earlier(moment: str, lookback: timedelta) -> str:
    """The literal of a moment that lies `lookback` before the given one, in its own notation, or the same one.

    Text loses its fraction and zone: a prefix sorts before all that it begins, so nothing in between is missed.
    """
    if not lookback:
        return moment
    if moment.startswith("'"):
        text = moment[1:-1]
        time = datetime.fromisoformat(text[:19]) - lookback
        return literal(time.strftime("%Y-%m-%d" if len(text) == 10 else f"%Y-%m-%d{text[10]}%H:%M:%S"))
    number = float(moment)
    if _JULIAN_DAYS[0] <= number <= _JULIAN_DAYS[1]:
        return repr(number - lookback.total_seconds() / _SECONDS_A_DAY)
    unit = next((unit for least, unit in _EPOCH_UNITS if number >= least), 1.0)
    return repr(number - lookback.total_seconds() * unit)
