"""What a comparison suspects is looked at again before it is called a difference, and then perhaps repaired.

The application goes on writing: of a row that changed since the image was taken nothing is known yet.
"""

from collections.abc import Callable, Mapping

import apsw

from syncd.engine.again import ReadAgain
from syncd.engine.catchup import Catchup
from syncd.engine.sides import Sides
from syncd.engine.sweep import FEW_DELETES
from syncd.engine.timescale import policies
from syncd.engine.verify.findings import Findings
from syncd.engine.verify.image import Camera
from syncd.engine.verify.look import Look, Looked
from syncd.engine.verify.scan import still_extra
from syncd.log import event
from syncd.plan import Plan, TablePlan
from syncd.target import reject
from syncd.target.compare import Unequal

ROUNDS = 3

Found = Mapping[str, Findings]


class Settling:
    """Looks again at what was found, each time after a pass, in the transaction in which the pass reads."""

    def __init__(self, sides: Sides, catchup: Catchup, sweep: Callable[[], None]) -> None:
        self._sides = sides
        self._catchup = catchup
        self._sweep = sweep

    def settle(self, found: Found) -> None:
        """Keep of the suspects the rows that the target still holds differently, with their source unchanged.

        A sweep brings what no mark shows. A row that changes from one look to the next is looked at again, and at
        last read again together with the look.
        """
        moving = {name: frozenset(one.suspects) for name, one in found.items() if one.is_open}
        for number in range(1, ROUNDS + 1):
            if not moving:
                return
            self._sweep()
            again = {name: _read_again(keys) for name, keys in moving.items()} if number == ROUNDS else {}
            looked = self._look(found, moving, again, extra=number == 1)
            moving = {
                name: left
                for name, keys in moving.items()
                if (left := _keep(found[name], keys, looked.get(name), is_last=number == ROUNDS))
            }

    def repair(self, found: Found) -> None:
        """Read every row that differs again from the source, and look at it once more."""
        wanted = {name: frozenset(one.suspects) for name, one in found.items() if one.is_open}
        if not wanted:
            return
        again = {
            name: ReadAgain(dict.fromkeys(one.suspects, frozenset()), _deletable(one))
            for name, one in found.items()
            if one.is_open
        }
        before = {name: _size(found[name]) for name in wanted}
        with policies.paused_for(self._sides, sum(before.values())):
            looked = self._look(found, wanted, again, extra=True)
        for name, keys in wanted.items():
            one = found[name]
            refused = len(one.suspects.keys() & one.rejected)
            _keep(one, keys, looked.get(name), is_last=True)
            one.repaired += before[name] - refused - _size(one)

    def _look(
        self, found: Found, wanted: Mapping[str, frozenset[str]], again: Mapping[str, ReadAgain], *, extra: bool
    ) -> Mapping[str, Looked]:
        """Make a pass and compare these rows with what it read; of extra rows, whether the source has them now."""
        look, camera = Look(lambda _, plan: sorted(wanted.get(plan.name, ()))), Camera(self._sides)
        doubtful: list[TablePlan] = []

        def observe(connection: apsw.Connection, plan: Plan) -> None:
            look.take(connection, plan)
            if extra:
                doubtful.extend(t for t in plan.tables if t.name in found and found[t.name].extra)
            if doubtful:
                camera.take(connection, plan)

        self._catchup.run(observe=observe, again=again)
        rejected = reject.keys(self._catchup.connection, self._sides.state.source_name)
        for name in wanted:
            found[name].rejected = frozenset(rejected.get(name, ()))
        if doubtful:
            with camera.taken() as image:
                for plan in doubtful:
                    one = found[plan.name]
                    one.extra = still_extra(self._sides, image, plan, one.extra)
        return look.compare(self._catchup.connection, self._sides.schema, found, self._sides.target.timezone)


def _deletable(found: Findings) -> frozenset[str]:
    """The extra rows; none where they are so many that the source may have been emptied by mistake."""
    if len(found.extra) <= FEW_DELETES or len(found.extra) * 2 <= found.target_rows:
        return frozenset(found.extra)
    said = f"{len(found.extra)} of {found.target_rows} rows would be deleted; if that is right: syncd sweep --force"
    event("ERROR", "repair_refused", f"{found.plan.name}: {said}", table=found.plan.name, rows=len(found.extra))
    return frozenset()


def _size(found: Findings) -> int:
    return len(found.suspects) + len(found.extra)


def _read_again(keys: frozenset[str]) -> ReadAgain:
    return ReadAgain(dict.fromkeys(keys, frozenset()))


def _keep(found: Findings, keys: frozenset[str], looked: Looked | None, *, is_last: bool) -> frozenset[str]:
    """Drop the suspects among `keys` that are equal now, rejected or gone; returns those that changed meanwhile.

    A row that gives way to another is none of these, though the target may hold the other with the same values.
    """
    seen = {row.source_key: row for row in looked.unequal} if looked else {}
    refused = (looked.refused.keys() if looked else set()) | (found.losers - found.rejected)
    moving = frozenset(key for key, row in seen.items() if not is_last and row.digest != found.suspects[key].digest)
    left: list[Unequal] = []
    for key, row in found.suspects.items():
        if key not in keys:
            left.append(row)
        elif key in seen or key in refused:
            left.append(seen.get(key, row))
    found.replace(left, looked.values if looked else {})
    return moving
