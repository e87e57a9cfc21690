"""The cutover: drain, fence, prove, switch, or go back.

What holds, whatever happens:

- Until the state `promoted` is committed in the target, the source is the truth, and aborting is always possible.
- Nothing that only promotion may do to the target is committed before the proof. The final form of the constraints, the
  drop of `_syncd_rowid` and the state `promoted` are one transaction: kill -9 at any instant leaves all of it or none.
- The fence is an open SQLite transaction of this process. A crash releases it, and so does the deadline.
- `promoted` takes the source's epoch away, so that no syncd, not even one believed dead, writes to this target from
  this source again; a daemon that sees it exits 0.

The steps, in their order: ready, drain, fence, final drain, sweep, verify, sequences, finish, promoted. Those before
the fence are what a daemon does all day. Those behind it either end in `promoted` or are undone by letting writers in
again: sequences are only ever set forward, which does no harm. A cutover that was killed therefore begins anew at the
ready check, and finds most of its work done. What follows a promotion (seal, hook, report) goes on where it stood.
"""

from syncd.engine.cutover.asked import Asked
from syncd.engine.cutover.progress import Checklist
from syncd.engine.cutover.ready import ReadyReport
from syncd.engine.cutover.running import CutoverReport, check, cut_over

__all__ = ["Asked", "Checklist", "CutoverReport", "ReadyReport", "check", "cut_over"]
