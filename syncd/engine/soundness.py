"""Whether the source's structure is sound: what the last check said stays in the target until a later one ends.

A load checks its private copy. Whoever starts after a check that found damage, or that a kill ended, checks a copy
anew before going on with what is loaded.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from syncd.engine.sides import Sides
from syncd.errors import SourceError
from syncd.source import integrity, snapshot
from syncd.target.database import translated

_SOUND = "source_sound"
_DAMAGED = "source_damaged"
_UNCHECKED = "source_unchecked"


@contextmanager
def checked(sides: Sides, copy: Path, stopping: Callable[[], bool]) -> Iterator[None]:
    """Check a private copy of the source beside the block. Raises SourceError at its end where it is damaged."""
    _remember(sides, "INFO", _UNCHECKED)
    with integrity.looking(copy, stopping) as answer:
        yield
    _judge(sides, answer)


def confirm_sound(sides: Sides, stopping: Callable[[], bool] = lambda: False) -> None:
    """Check the source anew, unless the last check found it sound, or there never was one.

    Raises SourceError where it is damaged. Without room for a copy the last finding stands.
    """
    damage = last_damage(sides)
    if damage is None and not is_unchecked(sides):
        return
    if not snapshot.has_room(sides.source, sides.state_dir):
        if damage is not None:
            raise _damaged(sides, damage)
        return
    copy = snapshot.path_of(sides.state_dir, snapshot.take(sides.source, sides.state_dir))
    try:
        with integrity.looking(copy, stopping) as answer:
            pass
    finally:
        copy.unlink(missing_ok=True)
    _judge(sides, answer)


def last_damage(sides: Sides) -> str | None:
    """The damage that the last check which ended found; None where it found none."""
    last, detail = sides.state.last_detail(sides.control, (_SOUND, _DAMAGED)) or (_SOUND, "")
    return detail if last == _DAMAGED else None


def is_unchecked(sides: Sides) -> bool:
    """Whether the last check that began did not end."""
    last, _ = sides.state.last_detail(sides.control, (_SOUND, _DAMAGED, _UNCHECKED)) or (_SOUND, "")
    return last == _UNCHECKED


def _judge(sides: Sides, answer: integrity.Answer) -> None:
    if answer.damage:
        _remember(sides, "ERROR", _DAMAGED, answer.damage[0])
        raise _damaged(sides, answer.damage[0])
    if answer.damage is not None:
        _remember(sides, "INFO", _SOUND)


def _remember(sides: Sides, level: str, what: str, detail: str = "") -> None:
    with translated():
        sides.state.record(sides.control, level, what, detail=detail)


def _damaged(sides: Sides, what: str) -> SourceError:
    return SourceError(
        f"the database is damaged: {what}",
        where=str(sides.source.path),
        advice="What could be read is loaded. Run PRAGMA integrity_check on a copy, and .recover; then load anew",
    )
