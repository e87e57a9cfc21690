"""The results of what only looks: status, rejects."""

import json
import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from syncd.console.page import Column, Page, Paragraph, Table
from syncd.console.shaped import shape_blocks
from syncd.engine.status import StatusReport
from syncd.model import LastVerify, Phase, Reject, Stage, TableStatus
from syncd.target.control import Control
from syncd.wording import counted

EXAMPLES = 3
ON_A_TERMINAL = 50
_TEXT = re.compile("'(?:[^']|'')*'")
_NONE = Paragraph("no rejects")
_PHASES = {Phase.LOAD: "in load", Phase.CATCHUP: "in catchup", Phase.STOPPED: "stopped"}


def status_page(report: StatusReport) -> Page:
    """Where every table stands."""
    at_work = "running" if report.owner == "running" else "not running"
    head = (
        Paragraph("source  {}", (report.source,)),
        Paragraph("target  {}", (report.target,)),
        Paragraph("syncd   {}", (at_work,)),
        *_last_verify(report.last_verify),
        *_live(report),
        *_cutover(report),
    )
    document = {
        "source": report.source,
        "target": report.target,
        "owner": report.owner,
        "last_verify": asdict(report.last_verify) if report.last_verify else None,
        "controls": [asdict(asked) for asked in report.controls],
        "daemon": asdict(report.beat) if report.beat else None,
        "cutover": asdict(report.cutover) | {"at_work": report.cutting_over} if report.cutover else None,
        "tables": [_status_document(t) for t in report.tables],
        "timescale": report.shape.as_document,
    }
    if not report.tables:
        return Page(document, head, (Paragraph("nothing is loaded yet: syncd load"),))
    phases = Counter(t.phase for t in report.tables)
    told = ", ".join(f"{phases[phase]} {word}" for phase, word in _PHASES.items() if phases[phase])
    tables = Paragraph("tables  {}: {}", (len(report.tables), told))
    blocks = (_status_table(report), *_errors(report.tables), *shape_blocks(report.shape))
    return Page(document, (*head, tables, *blocks))


def _last_verify(last: LastVerify | None) -> tuple[Paragraph, ...]:
    if last is None:
        return ()
    told = (last.mode, counted(last.differences, "difference") if last.differences else "no difference")
    return (Paragraph("verify  {}: {}, {}", (*told, _moment(last.at)), "bold red" if last.differences else ""),)


def _live(report: StatusReport) -> tuple[Paragraph, ...]:
    """What the daemon told last, and what somebody asked of it."""
    told: list[Paragraph] = []
    if (beat := report.beat) and report.owner == "running":
        style = "bold red" if beat.trouble or beat.is_stale else ""
        told.append(Paragraph("lag     {} s, {} rows/s", (beat.lag, round(beat.rate)), style))
        told += [Paragraph("        {}", (said,), "bold red") for said in beat.trouble]
        if beat.is_stale:
            told.append(Paragraph("        the daemon has told nothing for {} s", (beat.age,), "bold red"))
        elif beat.ready:
            told.append(Paragraph("cutover ready", (), "green"))
        else:
            told += [Paragraph("cutover not ready: {}", (said,)) for said in beat.hindrances[:1]]
    return (*told, *(Paragraph("asked   {}", (_asked(asked),), "yellow") for asked in report.controls))


def _cutover(report: StatusReport) -> tuple[Paragraph, ...]:
    """Where the last cutover stands; one whose process is gone has let writers in again."""
    last = report.cutover
    if last is None:
        return ()
    if last.state is Stage.PROMOTED and last.unfinished and not report.cutting_over:
        said = "cutover PostgreSQL took over, {}; the seal or the hook is still to be done: syncd cutover --yes"
        return (Paragraph(said, (_moment(last.ended),), "bold red"),)
    if last.state is Stage.PROMOTED:
        return (Paragraph("cutover PostgreSQL took over, {}: {}", (_moment(last.ended), last.who), "bold green"),)
    if last.state is Stage.ABORTED:
        return (Paragraph("cutover aborted, {}: the source is the truth", (_moment(last.ended),), "yellow"),)
    if report.cutting_over:
        return (Paragraph("cutover at the step {}: {}", (str(last.state), last.who), "bold yellow"),)
    said = (
        "cutover interrupted at the step {}: its process is gone, and the fence with it; syncd cutover --yes or --abort"
    )
    return (Paragraph(said, (str(last.state),), "bold red"),)


def _asked(asked: Control) -> str:
    wanted = ["paused"] if asked.paused else []
    wanted += [f"at most {asked.rows_per_second} rows/s"] if asked.rows_per_second else []
    return f"{asked.table or 'every table'}: {' and '.join(wanted)}, by {asked.who}, {asked.since}"


def _status_table(report: StatusReport) -> Table:
    live = report.beat.tables if report.beat and report.owner == "running" else {}
    columns = (
        Column("table"),
        Column("phase", styles={"stopped": "bold red", "load": "cyan", "catchup": "green"}),
        Column("rows", number=True),
        Column("mark"),
        Column("lag", number=True),
        Column("rejects", number=True, alarm="yellow"),
        Column("changed"),
    )
    rows = tuple(
        (
            t.table,
            str(t.phase),
            int(t.rows_applied),
            _mark(t),
            float(live[t.table]["lag"]) if t.table in live else None,
            t.rejects,
            _moment(t.updated_at),
        )
        for t in report.tables
    )
    return Table(columns, rows)


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _mark(table: TableStatus) -> str | None:
    if table.mark.moment is not None:
        return table.mark.moment.strip("'")
    return None if table.mark.rowid is None else str(table.mark.rowid)


def _errors(tables: Sequence[TableStatus]) -> tuple[Paragraph, ...]:
    return tuple(_error(table) for table in tables if table.error)


def _error(table: TableStatus) -> Paragraph:
    """Why a table stands still; of one that goes on, what its last sweep did not dare."""
    told = (table.table, table.error.removeprefix(f"{table.table}: "))
    if table.phase is Phase.CATCHUP:
        return Paragraph("{} is kept current but was not swept: {}", told, "yellow")
    return Paragraph("{} stopped: {}", told, "bold red")


def _status_document(table: TableStatus) -> dict[str, object]:
    return {
        "table": table.table,
        "phase": str(table.phase),
        "rows_applied": int(table.rows_applied),
        "mark": {"rowid": table.mark.rowid, "moment": table.mark.moment},
        "rejects": table.rejects,
        "error": table.error,
        "updated_at": table.updated_at,
    }


def reject_groups_page(rejects: Sequence[Reject]) -> Page:
    """The rejects by their cause, most first, with keys to look at."""
    groups: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for reject in rejects:
        groups[reject.table, reject.reason, reject.column].append(reject.source_key)
    largest_first = sorted(groups.items(), key=lambda group: -len(group[1]))
    columns = (Column("table"), Column("reason"), Column("column"), Column("rows", number=True), Column("such as"))
    rows = tuple((*cause, len(keys), "  ".join(map(typed_key, keys[:EXAMPLES]))) for cause, keys in largest_first)
    document = {
        "rejects": [
            {"table": table, "reason": reason, "column": column, "rows": len(keys), "source_keys": keys[:EXAMPLES]}
            for (table, reason, column), keys in largest_first
        ]
    }
    return Page(document, (Table(columns, rows),) if rows else (), _advice(rejects))


def rejects_page(rejects: Sequence[Reject]) -> Page:
    """Every reject, oldest first."""
    columns = (Column("table"), Column("key"), Column("reason"), Column("column"), Column("message"))
    rows = tuple((r.table, typed_key(r.source_key), r.reason, r.column, r.message) for r in rejects)
    return Page(
        {"rejects": [_reject_document(r) for r in rejects]},
        (Table(columns, rows, at_most=ON_A_TERMINAL),) if rows else (),
        () if rows else (_NONE,),
    )


def reject_page(reject: Reject) -> Page:
    """One reject, whole."""
    told = {
        "table": reject.table,
        "key": reject.source_key,
        "reason": reject.reason,
        "column": reject.column,
        "message": reject.message,
        "SQLSTATE": reject.sqlstate,
        "first seen": reject.first_seen,
        "last tried": reject.last_tried,
        "attempts": str(reject.attempts),
    }
    blocks = [Paragraph("{} {}", (f"{name:<10}", value)) for name, value in told.items() if value]
    row = _row(reject)
    if row:
        width = max(len(name) for name in row)
        blocks.append(Paragraph("the row:"))
        blocks += [Paragraph("  {} {}", (f"{name:<{width}}", _json(value))) for name, value in row.items()]
    return Page(_reject_document(reject), tuple(blocks))


def _row(reject: Reject) -> dict[str, object]:
    row = json.loads(reject.row_data) if reject.row_data else {}
    return row if isinstance(row, dict) else {"": row}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _reject_document(reject: Reject) -> dict[str, object]:
    return asdict(reject) | {"row_data": json.loads(reject.row_data) if reject.row_data else None}


def _advice(rejects: Sequence[Reject]) -> tuple[Paragraph, ...]:
    if not rejects:
        return (_NONE,)
    first = rejects[0]
    words = (shlex.quote(first.table), shlex.quote(typed_key(first.source_key)))
    return (Paragraph("one of them, whole: syncd rejects show {} {}", words),)


def typed_key(source_key: str) -> str:
    """The key as a person types it: a text without SQL's quotes."""
    return source_key[1:-1].replace("''", "'") if _TEXT.fullmatch(source_key) else source_key
