"""What bounds a load, for loads of which we know it."""

from collections.abc import Mapping

import pytest

from syncd.engine.bound import Bound, Share, judge
from syncd.engine.profiling import LoadProfile, Spent
from syncd.engine.progress import Step
from syncd.target.waits import Waits

MIB = 1 << 20


def loaded(
    spent: Mapping[Step, Spent],
    *,
    alone: Mapping[Step, Spent] | None = None,
    seconds: float = 10.0,
    crew: float = 10.0,
    workers: int = 1,
    batches: int = 1,
    waits: Waits | None = None,
) -> LoadProfile:
    return LoadProfile(seconds, crew, workers, (), spent, alone or {}, batches, waits or Waits())


@pytest.mark.parametrize(
    ("profile", "bound", "said"),
    [
        (loaded({Step.RENDER: Spent(8, cpu=8), Step.COPY: Spent(2)}), Bound.SOURCE, "SQLite"),
        (loaded({Step.RENDER: Spent(8, cpu=1, bytes_read=9 * MIB), Step.COPY: Spent(2)}), Bound.DISK, "the source"),
        (loaded({Step.RENDER: Spent(8, cpu=1), Step.COPY: Spent(2)}), Bound.SOURCE, "SQLite"),
        (loaded({}, alone={Step.SNAPSHOT: Spent(8, cpu=1)}, crew=1), Bound.DISK, "state_dir"),
        (loaded({Step.COPY: Spent(9, cpu=8)}), Bound.PYTHON, "one thread at a time"),
        (loaded({Step.COPY: Spent(9, cpu=1, queued=7)}), Bound.PROCESSOR, "More processors than 2"),
        (loaded({Step.COPY: Spent(9)}), Bound.POSTGRESQL, "waiting for its answers"),
        (loaded({Step.COPY: Spent(9)}, waits=Waits(working=2, disk=8)), Bound.DISK, "pg_wal"),
        (loaded({Step.COPY: Spent(9)}, waits=Waits(working=2, locked=8)), Bound.POSTGRESQL, "held each other up"),
        (loaded({Step.COPY: Spent(9)}, waits=Waits(working=2, client=8)), Bound.POSTGRESQL, "the way between is slow"),
        (loaded({Step.COPY: Spent(1), Step.INDEX: Spent(8)}), Bound.POSTGRESQL, "max_parallel_maintenance_workers"),
        (loaded({Step.COPY: Spent(1), Step.MERGE: Spent(8)}), Bound.POSTGRESQL, "empty tables"),
        (loaded({Step.COPY: Spent(1)}, crew=1), Bound.PREPARATION, "Nothing to set"),
        (loaded({}, crew=0, seconds=0), Bound.SOURCE, ""),
    ],
)
def test_the_bound_is_named_with_what_follows(profile: LoadProfile, bound: Bound, said: str) -> None:
    judged = judge(profile, processors=2)
    assert judged.bound is bound
    assert said in " ".join((judged.because, *judged.advice))
    assert sum(judged.shares.values()) == pytest.approx(profile.seconds)


def test_more_workers_are_advised_only_where_they_can_help() -> None:
    def advised(profile: LoadProfile) -> bool:
        return any("workers = 8" in advice for advice in judge(profile, processors=8).advice)

    assert advised(loaded({Step.RENDER: Spent(38, cpu=38)}, workers=4))
    assert not advised(loaded({Step.RENDER: Spent(8, cpu=8)}, workers=4))
    assert not advised(loaded({Step.RENDER: Spent(38, cpu=28, queued=10)}, workers=4))
    assert not advised(loaded({Step.COPY: Spent(38, cpu=38)}, workers=4))


def test_workers_without_work_are_told() -> None:
    judged = judge(loaded({Step.COPY: Spent(10)}, workers=4), processors=8)
    assert judged.shares[Share.IDLE] == pytest.approx(7.5)
    assert any("nothing to do for 75 %" in advice for advice in judged.advice)


def test_a_lack_of_processors_is_told_beside_another_bound() -> None:
    judged = judge(loaded({Step.COPY: Spent(10, queued=4)}), processors=2)
    assert judged.bound is Bound.POSTGRESQL
    assert any("had none for 40 %" in advice for advice in judged.advice)


def test_larger_batches_are_advised_where_each_costs_much_anew() -> None:
    def advised(batches: int, commit: float) -> bool:
        profile = loaded({Step.COPY: Spent(10 - commit), Step.COMMIT: Spent(commit)}, batches=batches)
        return any("batch_rows" in advice for advice in judge(profile).advice)

    assert advised(100, 5) and not advised(100, 1) and not advised(1, 5)
