"""What bounds a load, judged by what was measured of it, and what follows from that."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from syncd.engine.profiling import LoadProfile, Spent
from syncd.engine.progress import Step

_WRITING = (Step.COPY, Step.MERGE, Step.INDEX, Step.COMMIT, Step.WAIT)
_MOST_WORKERS = 32
MUCH = 0.5
"""The share from which a part of something speaks for the whole of it."""
SOME = 0.2
"""The share from which a part is worth a word."""
PYTHON_AT_ITS_LIMIT = 0.7
"""Seconds of Python in a second of all workers: one thread at a time runs it, and the others queue for the lock."""
_READ_FROM_DISK = 1 << 20


class Share(StrEnum):
    """Where a second of a load goes."""

    PREPARATION = "preparation"
    SOURCE = "source"
    PYTHON = "Python"
    POSTGRESQL = "PostgreSQL"
    PROCESSOR = "processor"
    IDLE = "idle"


class Bound(StrEnum):
    """What a load would be faster with more of."""

    PREPARATION = "preparation"
    SOURCE = "source"
    PYTHON = "Python"
    POSTGRESQL = "PostgreSQL"
    DISK = "disk"
    PROCESSOR = "processor"


@dataclass(frozen=True)
class Judgement:
    """`shares` are seconds by the clock and add up to the load's; `because` and `advice` are sentences."""

    bound: Bound
    because: str
    advice: tuple[str, ...]
    shares: Mapping[Share, float]


def judge(profile: LoadProfile, processors: int | None = None) -> Judgement:
    """Name what bounds the load; `processors` are those of this machine that we may use."""
    shares = _shares(profile)
    bound, because = _bound(profile, shares)
    advice = tuple(_advice(profile, shares, bound, processors or len(os.sched_getaffinity(0))))
    return Judgement(bound, because, advice, shares)


def _shares(profile: LoadProfile) -> Mapping[Share, float]:
    """A second of one of n workers is an nth of a second of the load."""
    spent = {step: _part(seconds, profile.workers) for step, seconds in profile.spent.items()}
    rendering = spent.get(Step.RENDER, Spent())
    snapshot = profile.alone.get(Step.SNAPSHOT, Spent())
    last = profile.alone.get(Step.INDEX, Spent())
    writing = sum((spent.get(step, Spent()) for step in _WRITING), last)
    shares = {
        Share.SOURCE: rendering.cpu + rendering.waited + snapshot.cpu + snapshot.waited,
        Share.PYTHON: writing.cpu,
        Share.POSTGRESQL: writing.waited,
        Share.PROCESSOR: writing.queued + rendering.queued + snapshot.queued,
        Share.IDLE: max(profile.crew_seconds - profile.busy / profile.workers, 0.0),
    }
    return {Share.PREPARATION: max(profile.seconds - sum(shares.values()), 0.0), **shares}


def _part(spent: Spent, workers: int) -> Spent:
    return Spent(spent.seconds / workers, spent.cpu / workers, spent.queued / workers, spent.bytes_read)


def _bound(profile: LoadProfile, shares: Mapping[Share, float]) -> tuple[Bound, str]:
    python = sum(profile.spent[step].cpu for step in _WRITING if step in profile.spent)
    if shares[Share.PREPARATION] > MUCH * profile.seconds:
        return Bound.PREPARATION, "most of the time went before the first row and after the last"
    if python > PYTHON_AT_ITS_LIMIT * profile.crew_seconds:
        return Bound.PYTHON, f"it ran for {python:.1f} of {profile.crew_seconds:.1f} s, one thread at a time"
    able = (Share.SOURCE, Share.PYTHON, Share.POSTGRESQL, Share.PROCESSOR)
    largest = max(able, key=lambda share: shares[share])
    told = f"{_percent(shares[largest], profile.seconds)} of the time"
    match largest:
        case Share.SOURCE if _source_at_disk(profile):
            return Bound.DISK, f"{told} is the source, and most of that waiting for its disk"
        case Share.SOURCE:
            return Bound.SOURCE, f"{told} is SQLite at work on the rows"
        case Share.PYTHON:
            return Bound.PYTHON, f"{told} is our own work on what SQLite rendered"
        case Share.PROCESSOR:
            return Bound.PROCESSOR, f"{told} threads were ready to run and had none"
        case _ if _target_at_disk(profile):
            return Bound.DISK, f"{told} is waiting for PostgreSQL, and most of that PostgreSQL's for its disk"
        case _:
            return Bound.POSTGRESQL, f"{told} is waiting for its answers{_seen(profile)}"


def _seen(profile: LoadProfile) -> str:
    """What the server was at while we waited for it."""
    waits = profile.waits
    if _is_way_slow(profile):
        return "; it waited for us as well: the way between is slow"
    if waits.locked > MUCH * max(waits.serving, 1):
        return "; most of the time its sessions held each other up"
    return "; it was at work" if waits.serving else ""


def _is_way_slow(profile: LoadProfile) -> bool:
    """Whether in most of the time for which we waited for the server, the server waited for us."""
    waits = profile.waits
    return waits.client > waits.serving


def _target_at_disk(profile: LoadProfile) -> bool:
    waits = profile.waits
    return not _is_way_slow(profile) and waits.disk > MUCH * max(waits.serving, 1)


def _source_at_disk(profile: LoadProfile) -> bool:
    """Whether it was the disk that rendering and the private copy waited for.

    The copy speaks to nothing else. Rendering may also wait for Python's lock: only what was read from a disk tells.
    """
    rendering = _part(profile.spent.get(Step.RENDER, Spent()), profile.workers)
    copying = profile.alone.get(Step.SNAPSHOT, Spent())
    waited = copying.waited + (rendering.waited if rendering.bytes_read > _READ_FROM_DISK else 0.0)
    return waited > MUCH * (rendering + copying).seconds


def _advice(profile: LoadProfile, shares: Mapping[Share, float], bound: Bound, processors: int) -> Iterator[str]:
    match bound:
        case Bound.PREPARATION:
            yield "Nothing to set: planning and creating tables take the same time however many rows there are."
        case Bound.PYTHON:
            yield "A faster processor. More workers do not help: they wait for each other."
        case Bound.PROCESSOR:
            yield f"More processors than {processors}, or PostgreSQL on a machine of its own. More workers do not help."
        case Bound.DISK if _source_at_disk(profile):
            yield "A faster disk for the private copy, [sync] state_dir, or one that nobody else works on."
        case Bound.DISK:
            yield "A faster disk for PostgreSQL's data and log, or the log (pg_wal) on a disk of its own."
        case Bound.SOURCE:
            yield "Leave out columns that nobody needs (exclude); expressions that look into other tables cost most."
        case Bound.POSTGRESQL:
            yield from tuple(_advice_on_target(profile)) or ("PostgreSQL's own work on the rows: a faster processor.",)
    if bound is not Bound.PREPARATION:
        yield from _advice_on_workers(profile, shares, bound, processors)
    yield from _advice_on_batches(profile)


def _advice_on_target(profile: LoadProfile) -> Iterator[str]:
    spent = [*profile.spent.items(), *profile.alone.items()]
    writing = sum(s.seconds for step, s in spent if step in _WRITING)
    indexing = sum(s.seconds for step, s in spent if step is Step.INDEX)
    merging = sum(s.seconds for step, s in spent if step is Step.MERGE)
    if _is_way_slow(profile):
        yield "A faster or shorter network between syncd and PostgreSQL."
    if indexing > MUCH * writing:
        yield "Keys and indexes take most of that: raise PostgreSQL's max_parallel_maintenance_workers."
    if merging > MUCH * writing:
        yield "Merging takes most of that: a load into empty tables that syncd creates copies straight into them."
    if profile.waits.locked > MUCH * max(profile.waits.serving, 1):
        yield "See who holds them up: pg_stat_activity and pg_locks while it loads."


def _advice_on_workers(
    profile: LoadProfile, shares: Mapping[Share, float], bound: Bound, processors: int
) -> Iterator[str]:
    workers, crew = profile.workers, profile.crew_seconds
    if shares[Share.PROCESSOR] > SOME * crew and bound is not Bound.PROCESSOR:
        told = _percent(shares[Share.PROCESSOR], crew)
        yield f"More processors than {processors}: workers were ready to run and had none for {told} of their time."
    if shares[Share.IDLE] > SOME * crew:
        yield f"Workers had nothing to do for {_percent(shares[Share.IDLE], crew)} of their time: more would not help."
    if max(shares[Share.PROCESSOR], shares[Share.IDLE]) > SOME * crew or workers >= _MOST_WORKERS:
        return
    if bound is Bound.POSTGRESQL and _is_way_slow(profile):
        yield f"More workers wait at the same time: try [sync] workers = {min(2 * workers, _MOST_WORKERS)}."
    elif bound in (Bound.SOURCE, Bound.POSTGRESQL) and workers < processors:
        yield f"More workers, as there are {processors} processors: [sync] workers = {processors}."


def _advice_on_batches(profile: LoadProfile) -> Iterator[str]:
    """Fewer transactions, where what each costs anew is much beside its rows."""
    around = sum(profile.spent.get(step, Spent()).seconds for step in (Step.WAIT, Step.COMMIT))
    if profile.batches > profile.workers and around > SOME * profile.busy:
        told = _percent(around, profile.busy)
        yield f"Beginning and committing {profile.batches} batches took {told} of the workers' time: raise batch_rows."


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole if whole else 0:.0f} %"
