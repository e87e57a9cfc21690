"""The cutover's state in the target: `syncd.cutover` and the steps of each attempt in `syncd.cutover_step`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from syncd.errors import PromotedError
from syncd.model import CutoverStatus, CutoverStep, Stage
from syncd.target.database import Connection, translated
from syncd.target.lock import Lock

_MOMENT = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"


def cutover_lock(connection: Connection, source_name: str) -> Lock:
    """The lock that keeps a second operator out, beside that of the source."""
    return Lock(connection, f"cutover of {source_name}")


@dataclass(frozen=True)
class Seal:
    """What became of the old file after promotion. `modes` are those that `readonly` took away; `done` is set when
    everything that follows a promotion is done."""

    kind: str
    modes: Mapping[str, int]
    done: bool = False


class CutoverState:
    """The cutover of one source. Methods run in the caller's transaction where one is open."""

    def __init__(self, source_name: str) -> None:
        self.source_name = source_name

    def exists(self, connection: Connection) -> bool:
        with translated():
            return bool(connection.execute("SELECT to_regclass('syncd.cutover_step') IS NOT NULL").fetchall()[0][0])

    def read(self, connection: Connection) -> CutoverStatus | None:
        """The last attempt, None where there was none."""
        if not self.exists(connection):
            return None
        with translated():
            rows = connection.execute(
                f"SELECT attempt, state, who, {_MOMENT.format('began')}, coalesce({_MOMENT.format('ended')}, ''),"
                " state = 'promoted' AND NOT coalesce((seal ->> 'done')::boolean, false)"
                " FROM syncd.cutover WHERE source_name = %s",
                [self.source_name],
            ).fetchall()
            if not rows:
                return None
            attempt, state, who, began, ended, unfinished = rows[0]
            steps = connection.execute(
                f"SELECT step, {_MOMENT.format('began')}, seconds, outcome, detail FROM syncd.cutover_step"
                " WHERE source_name = %s AND attempt = %s ORDER BY number",
                [self.source_name, attempt],
            ).fetchall()
        done = tuple(CutoverStep(*step) for step in steps)
        return CutoverStatus(attempt, Stage(state), who, began, ended, done, unfinished)

    def confirm_not_promoted(self, connection: Connection) -> None:
        """Raise PromotedError where this target took over from the source."""
        known = self.read(connection)
        if known is not None and known.state is Stage.PROMOTED:
            raise PromotedError(
                f"PostgreSQL took over at {known.ended}; no syncd writes to this target from this source again",
                where=self.source_name,
                advice="Write to PostgreSQL. What was done: syncd report -o FILE.html",
            )

    def begin(self, connection: Connection, who: str) -> int:
        """Begin an attempt; returns its number."""
        rows = connection.execute(
            "INSERT INTO syncd.cutover AS c (source_name, state, who) VALUES (%s, 'ready', %s)"
            " ON CONFLICT (source_name) DO UPDATE SET attempt = c.attempt + 1, state = 'ready', who = excluded.who,"
            " began = clock_timestamp(), ended = NULL, abort_asked = false, report = NULL RETURNING attempt",
            [self.source_name, who],
        ).fetchall()
        return int(rows[0][0])

    def enter(self, connection: Connection, attempt: int, number: int, stage: Stage) -> None:
        """A step begins."""
        connection.execute(
            "UPDATE syncd.cutover SET state = %s WHERE source_name = %s", [stage.value, self.source_name]
        )
        connection.execute(
            "INSERT INTO syncd.cutover_step (source_name, attempt, number, step) VALUES (%s, %s, %s, %s)",
            [self.source_name, attempt, number, stage.value],
        )

    def leave(self, connection: Connection, attempt: int, number: int, step: CutoverStep) -> None:
        """A step ended."""
        connection.execute(
            "UPDATE syncd.cutover_step SET seconds = %s, outcome = %s, detail = %s"
            " WHERE source_name = %s AND attempt = %s AND number = %s",
            [step.seconds, step.outcome, step.detail, self.source_name, attempt, number],
        )

    def promote(self, connection: Connection, seal: str) -> None:
        """PostgreSQL takes over when this transaction commits; whoever wrote from the source until then is refused."""
        connection.execute(
            "UPDATE syncd.cutover SET state = 'promoted', ended = clock_timestamp(), seal = %s,"
            " application_stopped = false WHERE source_name = %s",
            [json.dumps({"kind": seal, "modes": {}}), self.source_name],
        )
        # Nobody may be there afterwards to say that the step at work has ended.
        connection.execute(
            "UPDATE syncd.cutover_step s SET outcome = 'done', detail = 'committed',"
            " seconds = extract(epoch FROM clock_timestamp() - s.began) FROM syncd.cutover c"
            " WHERE c.source_name = s.source_name AND c.attempt = s.attempt AND c.source_name = %s AND s.outcome = ''",
            [self.source_name],
        )
        connection.execute("UPDATE syncd.source SET epoch = epoch + 1 WHERE name = %s", [self.source_name])

    def abort(self, connection: Connection, attempt: int) -> None:
        """That attempt ended, and the source is still the truth; of a promoted one nothing is changed."""
        connection.execute(
            "UPDATE syncd.cutover SET state = 'aborted', ended = clock_timestamp(), abort_asked = false"
            " WHERE source_name = %s AND attempt = %s AND state <> 'promoted'",
            [self.source_name, attempt],
        )

    def ask_to_abort(self, connection: Connection) -> None:
        """Let the process that works on it abort."""
        connection.execute("UPDATE syncd.cutover SET abort_asked = true WHERE source_name = %s", [self.source_name])

    def is_asked_to_abort(self, connection: Connection) -> bool:
        query = "SELECT abort_asked FROM syncd.cutover WHERE source_name = %s"
        rows = connection.execute(query, [self.source_name]).fetchall()
        return bool(rows and rows[0][0])

    def application_stopped(self, connection: Connection) -> bool:
        """Whether on_fence was run by some attempt, and on_abort was not run to a good end since."""
        # --abort may meet the schema of an older release.
        query = (
            "SELECT coalesce((to_jsonb(c) ->> 'application_stopped')::boolean, false) FROM syncd.cutover c"
            " WHERE source_name = %s"
        )
        with translated():
            rows = connection.execute(query, [self.source_name]).fetchall()
        return bool(rows and rows[0][0])

    def keep_application_stopped(self, connection: Connection, *, stopped: bool) -> None:
        connection.execute(
            "UPDATE syncd.cutover SET application_stopped = %s WHERE source_name = %s", [stopped, self.source_name]
        )

    def seal(self, connection: Connection) -> Seal | None:
        with translated():
            rows = connection.execute(
                "SELECT seal FROM syncd.cutover WHERE source_name = %s AND seal IS NOT NULL", [self.source_name]
            ).fetchall()
        return Seal(rows[0][0]["kind"], rows[0][0]["modes"], rows[0][0].get("done", False)) if rows else None

    def keep_seal(self, connection: Connection, seal: Seal) -> None:
        connection.execute(
            "UPDATE syncd.cutover SET seal = %s WHERE source_name = %s",
            [json.dumps({"kind": seal.kind, "modes": dict(seal.modes), "done": seal.done}), self.source_name],
        )

    def keep_report(self, connection: Connection, document: Mapping[str, Any]) -> None:
        connection.execute(
            "UPDATE syncd.cutover SET report = %s WHERE source_name = %s", [json.dumps(document), self.source_name]
        )

    def landed(self, connection: Connection) -> Mapping[str, int]:
        """How many rows of each table the last proof found in the target; none before there is a report."""
        document = self.report(connection)
        tables = document["tables"] if document and document["verified"] else ()
        return {table["table"]: table["target_rows"] for table in tables}

    def report(self, connection: Connection) -> Mapping[str, Any] | None:
        """The report of the last attempt; None where there is none yet."""
        if not self.exists(connection):
            return None
        query = "SELECT report FROM syncd.cutover WHERE source_name = %s AND report IS NOT NULL"
        with translated():
            rows = connection.execute(query, [self.source_name]).fetchall()
        document: Mapping[str, Any] | None = rows[0][0] if rows else None
        return document
