"""Where the time of a load went, and what bounds it."""

from collections.abc import Iterator, Mapping

from syncd.console.page import Cell, Column, Page, Paragraph, Table
from syncd.engine.bound import Judgement, Share
from syncd.engine.profiling import LoadProfile, Spent, TableProfile
from syncd.engine.progress import Step

_STEPS = (Step.RENDER, Step.WAIT, Step.COPY, Step.MERGE, Step.INDEX, Step.COMMIT)
_SHARES = {
    Share.PREPARATION: "planning, creating tables",
    Share.SOURCE: "source: copying and rendering it",
    Share.PYTHON: "our own work on the rows",
    Share.POSTGRESQL: "waiting for PostgreSQL",
    Share.PROCESSOR: "waiting for a processor",
    Share.IDLE: "workers without work",
}


def with_profile(page: Page, profile: LoadProfile, judged: Judgement) -> Page:
    """A load's page, and its profile."""
    document = {**page.document, "profile": _document(profile, judged)}
    return Page(document, (*page.blocks, *_blocks(profile, judged)), page.notes)


def _blocks(profile: LoadProfile, judged: Judgement) -> Iterator[Table | Paragraph]:
    if profile.tables:
        columns = (Column("seconds of workers"), *(Column(_title(step), number=True) for step in _STEPS))
        total = _row("total", _total(profile))
        yield Table(
            (*columns, Column("together", number=True)), tuple(_row(t.table, t.spent) for t in profile.tables), total
        )
    yield Table(
        (Column("of the whole"), Column("seconds", number=True), Column("%", number=True)),
        tuple((told, judged.shares[share], _percent(judged.shares[share], profile)) for share, told in _SHARES.items()),
        ("total", profile.seconds, 100),
    )
    yield Paragraph("What bounds it: {}, for {}.", (judged.bound, judged.because), "bold")
    yield from (Paragraph("  {}", (advice,)) for advice in judged.advice)


def _title(step: Step) -> str:
    return "COPY" if step is Step.COPY else step


def _total(profile: LoadProfile) -> Mapping[Step, Spent]:
    spent = [table.spent for table in profile.tables]
    return {step: sum((one.get(step, Spent()) for one in spent), Spent()) for step in _STEPS}


def _row(name: str, spent: Mapping[Step, Spent]) -> tuple[Cell, ...]:
    seconds = [spent.get(step, Spent()).seconds for step in _STEPS]
    return (name, *seconds, sum(seconds))


def _percent(seconds: float, profile: LoadProfile) -> int:
    return round(100 * seconds / profile.seconds) if profile.seconds else 0


def _document(profile: LoadProfile, judged: Judgement) -> Mapping[str, object]:
    waits = profile.waits
    return {
        "seconds": round(profile.seconds, 3),
        "workers": profile.workers,
        "worker_seconds": round(profile.crew_seconds * profile.workers, 3),
        "batches": profile.batches,
        "tables": [_table(table) for table in profile.tables],
        "shares": {share.lower(): round(seconds, 3) for share, seconds in judged.shares.items()},
        "sessions_seen": {
            "working": waits.working,
            "disk": waits.disk,
            "locked": waits.locked,
            "waiting_for_us": waits.client,
        },
        "bound": judged.bound.lower(),
        "because": judged.because,
        "advice": list(judged.advice),
    }


def _table(table: TableProfile) -> Mapping[str, object]:
    spent = {step: table.spent.get(step, Spent()) for step in _STEPS}
    return {
        "table": table.table,
        **{f"{step}_seconds": round(one.seconds, 3) for step, one in spent.items()},
        "cpu_seconds": round(sum(one.cpu for one in spent.values()), 3),
        "seconds": round(table.seconds, 3),
    }
