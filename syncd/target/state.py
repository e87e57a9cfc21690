"""The state of syncd, kept in the schema `syncd` of the target and changed in the transactions that move rows."""

import json
from dataclasses import dataclass, field

from psycopg import sql

from syncd.errors import LockHeldError, SourceReplacedError
from syncd.model import Identity, LastVerify, Mark, Phase, TableStatus
from syncd.plan.drift import Definition
from syncd.target.database import Connection, translated
from syncd.target.sql import statement

TABLE_PART = 0
"""The part of a table's own checkpoint; parts from 1 on are ranges of its load."""
FORGOTTEN = "table_forgotten"
"""The event that tells of a table whose checkpoint went."""
VERIFIED = "verified"
"""The event that tells the result of a verify."""


@dataclass(frozen=True)
class Checkpoint:
    """How far one table, or one range of its load, has come.

    `mark` of the table: see `Mark`. `place` and `until` of a range: literals of its source key, `until` inclusive.
    `fingerprint` is empty for a table that stopped before its load could begin.
    """

    table: str
    part: int
    phase: Phase
    fingerprint: str
    mark: Mark = field(default_factory=Mark)
    place: str | None = None
    until: int | None = None
    base_snapshot: str | None = None
    rows_applied: int = 0
    error: str = ""
    created: bool = False
    definition: Definition | None = None

    @property
    def is_begun(self) -> bool:
        """Whether a load of the table ever began."""
        return bool(self.fingerprint)

    @property
    def is_loaded(self) -> bool:
        """Whether a load of the table ever ended, be it by an error of the table's own."""
        return self.is_begun and self.phase is not Phase.LOAD


@dataclass(frozen=True)
class SourceState:
    """What the target remembers of the source."""

    identity: Identity
    epoch: int
    target_id: str


class State:
    """The state of one source. Methods run in the caller's transaction where one is open."""

    def __init__(self, source_name: str) -> None:
        self.source_name = source_name
        self.epoch = 0

    def create(self, connection: Connection) -> None:
        """Create the schema `syncd` where it is missing."""
        with translated("schema syncd"):
            if not self.is_current(connection):
                # IF NOT EXISTS asks for the right to create schemas even where this one is there already.
                if not self._has_schema(connection):
                    connection.execute("CREATE SCHEMA IF NOT EXISTS syncd")
                connection.execute(statement("schema"))

    def _has_schema(self, connection: Connection) -> bool:
        return bool(connection.execute("SELECT to_regnamespace('syncd') IS NOT NULL").fetchall()[0][0])

    def is_current(self, connection: Connection) -> bool:
        """Whether the schema `syncd` has all that this release keeps there."""
        with translated():
            query = (
                "SELECT to_regclass('syncd.promoted') IS NOT NULL AND to_regclass('syncd.written') IS NOT NULL"
                " AND (SELECT count(*) FROM pg_attribute"
                " WHERE (attrelid, attname) IN ((to_regclass('syncd.checkpoint'), 'definition'),"
                " (to_regclass('syncd.source'), 'schema_name'),"
                " (to_regclass('syncd.cutover'), 'application_stopped'))) = 3"
            )
            return bool(connection.execute(query).fetchall()[0][0])

    def exists(self, connection: Connection) -> bool:
        with translated():
            return bool(connection.execute("SELECT to_regclass('syncd.event') IS NOT NULL").fetchall()[0][0])

    def register(
        self, connection: Connection, identity: Identity, schema: str, *, accept_new_source: bool
    ) -> SourceState:
        """Take the source over: a new epoch, which every transaction of an older owner is refused by.

        `schema` is that of the tables which it goes into.

        Raises SourceReplacedError where the source is another file than before.
        """
        with translated():
            connection.execute(
                "INSERT INTO syncd.source (name, device, inode) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                [self.source_name, identity.device, identity.inode],
            )
            known = self.source(connection)
            if known is not None and known.identity != identity and not accept_new_source:
                raise SourceReplacedError(
                    "another file stands where the source stood",
                    where=self.source_name,
                    advice="Put the right file back, or go on with the new one: --accept-new-source",
                )
            epoch, target_id = connection.execute(
                "UPDATE syncd.source SET epoch = epoch + 1, device = %s, inode = %s, schema_name = %s WHERE name = %s"
                " RETURNING epoch, target_id",
                [identity.device, identity.inode, schema, self.source_name],
            ).fetchall()[0]
        self.epoch = epoch
        return SourceState(known.identity if known else identity, epoch, target_id)

    def supersede(self, connection: Connection) -> None:
        """Let every transaction of the source's owner be refused, as if another owner had taken over."""
        connection.execute("UPDATE syncd.source SET epoch = epoch + 1 WHERE name = %s", [self.source_name])

    def source(self, connection: Connection) -> SourceState | None:
        with translated():
            rows = connection.execute(
                "SELECT device::bigint, inode::bigint, epoch, target_id FROM syncd.source WHERE name = %s",
                [self.source_name],
            ).fetchall()
        return SourceState(Identity(rows[0][0], rows[0][1]), rows[0][2], rows[0][3]) if rows else None

    def confirm_epoch(self, connection: Connection) -> None:
        """Hold off a new owner until this transaction ends. Raises LockHeldError where there is one already."""
        rows = connection.execute(
            "SELECT epoch FROM syncd.source WHERE name = %s FOR SHARE", [self.source_name]
        ).fetchall()
        if not rows or rows[0][0] != self.epoch:
            raise LockHeldError("another syncd took over this source", where=self.source_name)

    def targets(self, connection: Connection) -> frozenset[str]:
        """The target's tables that hold the source's rows."""
        known = self.checkpoints(connection)
        return frozenset(c.definition.target if c.definition and c.definition.target else c.table for c in known)

    def checkpoints(self, connection: Connection, *, lock: bool = False) -> tuple[Checkpoint, ...]:
        """Every checkpoint of the source.

        With `lock` the answer waits for transactions that are still changing one: after a COMMIT whose answer was
        lost, the old backend may not have ended yet.
        """
        with translated():
            rows = connection.execute(
                "SELECT table_name, part, phase, fingerprint, mark, base_snapshot, rows_applied, error, created,"
                # A command that only looks may meet the schema of an older release.
                " to_jsonb(c) -> 'definition' FROM syncd.checkpoint c WHERE source_name = %s ORDER BY table_name, part"
                + (" FOR UPDATE" if lock else ""),
                [self.source_name],
            ).fetchall()
        return tuple(
            Checkpoint(
                table, part, Phase(phase), print_, Mark(mark.get("rowid"), mark.get("moment")),
                mark.get("place"), mark.get("until"), base, rows_applied, error, created,
                Definition.from_json(definition) if definition else None,
            )
            for table, part, phase, print_, mark, base, rows_applied, error, created, definition in rows
        )  # fmt: skip

    def hold(self, connection: Connection, table: str, part: int) -> str | None:
        """Where a range of a load stands, None at its beginning; its row stays locked until the transaction ends.

        It also tells what became of a COMMIT whose answer was lost: the lock waits for the old backend's end. Confirms
        the epoch as `confirm_epoch` does.
        """
        rows = connection.execute(
            "SELECT s.epoch, c.mark ->> 'place' FROM syncd.checkpoint c JOIN syncd.source s ON s.name = c.source_name"
            " WHERE c.source_name = %s AND c.table_name = %s AND c.part = %s FOR UPDATE OF c FOR SHARE OF s",
            [self.source_name, table, part],
        ).fetchall()
        if not rows or rows[0][0] != self.epoch:
            raise LockHeldError("another syncd took over this source", where=self.source_name)
        return str(rows[0][1]) if rows[0][1] is not None else None

    def save(self, connection: Connection, *checkpoints: Checkpoint) -> None:
        """Write checkpoints whole, all in one statement."""
        if checkpoints:
            rows = json.dumps([_row(checkpoint) for checkpoint in checkpoints])
            connection.execute(statement("save"), {"source": self.source_name, "rows": rows})

    def advance(self, connection: Connection, table: str, part: int, place: str, rows: int) -> None:
        """Move a range of a load on to `place`, in the transaction of its rows."""
        connection.execute(
            "UPDATE syncd.checkpoint SET mark = jsonb_set(mark, '{place}', to_jsonb(%s::text)),"
            " rows_applied = rows_applied + %s, updated_at = clock_timestamp()"
            " WHERE source_name = %s AND table_name = %s AND part = %s",
            [place, rows, self.source_name, table, part],
        )

    def drop_parts(self, connection: Connection, table: str) -> None:
        """Forget the ranges of a table's load."""
        connection.execute(
            "DELETE FROM syncd.checkpoint WHERE source_name = %s AND table_name = %s AND part > %s",
            [self.source_name, table, TABLE_PART],
        )

    def drop_unbegun(self, connection: Connection) -> None:
        """Forget the tables that stopped before their load could begin: whether they still do is seen anew."""
        connection.execute(
            "DELETE FROM syncd.checkpoint WHERE source_name = %s AND fingerprint = ''", [self.source_name]
        )

    def forget(self, connection: Connection, table: str, detail: str) -> None:
        """Forget all that is kept of a table, but for the event that tells of it; its rows stay where they are."""
        for kept in ("checkpoint", "touched", "settled", "reject", "control"):
            query = sql.SQL("DELETE FROM {} WHERE source_name = %s AND table_name = %s")
            connection.execute(query.format(sql.Identifier("syncd", kept)), [self.source_name, table])
        self.record(connection, "WARNING", FORGOTTEN, table, detail)

    def forgotten(self, connection: Connection) -> frozenset[str]:
        """The tables that were forgotten once."""
        if not self.exists(connection):
            return frozenset()
        with translated():
            query = "SELECT DISTINCT table_name FROM syncd.event WHERE source_name = %s AND event = %s"
            return frozenset(name for (name,) in connection.execute(query, [self.source_name, FORGOTTEN]))

    def forget_positions(self, connection: Connection) -> None:
        """Let every table be loaded again, what syncd created stays known: the source is another file."""
        connection.execute(
            "DELETE FROM syncd.checkpoint WHERE source_name = %s AND part > %s", [self.source_name, TABLE_PART]
        )
        connection.execute(
            "UPDATE syncd.checkpoint SET phase = 'load', mark = '{}', base_snapshot = NULL, rows_applied = 0"
            " WHERE source_name = %s",
            [self.source_name],
        )
        connection.execute("DELETE FROM syncd.touched WHERE source_name = %s", [self.source_name])
        connection.execute("DELETE FROM syncd.settled WHERE source_name = %s", [self.source_name])
        connection.execute("DELETE FROM syncd.proven WHERE source_name = %s", [self.source_name])

    def has_accepted(self, connection: Connection) -> bool:
        """Whether another file was ever accepted in the source's place."""
        query = "SELECT EXISTS (SELECT FROM syncd.event WHERE source_name = %s AND event = 'source_accepted')"
        return bool(connection.execute(query, [self.source_name]).fetchall()[0][0])

    def record(self, connection: Connection, level: str, event: str, table: str = "", detail: str = "") -> None:
        """Write a row of `syncd.event`."""
        connection.execute(
            "INSERT INTO syncd.event (source_name, level, event, table_name, detail) VALUES (%s, %s, %s, %s, %s)",
            [self.source_name, level, event, table, detail],
        )

    def may_record(self, connection: Connection) -> bool:
        """Whether our role may write a row of `syncd.event`: one that may only read can compare both sides, too."""
        with translated():
            query = "SELECT has_table_privilege('syncd.event', 'INSERT')"
            return bool(connection.execute(query).fetchall()[0][0])

    def reported(self, connection: Connection, event: str, table: str) -> frozenset[str]:
        """What the events of that name tell of in a table: their details up to the first colon."""
        with translated():
            rows = connection.execute(
                "SELECT split_part(detail, ': ', 1) FROM syncd.event"
                " WHERE source_name = %s AND event = %s AND table_name = %s",
                [self.source_name, event, table],
            ).fetchall()
        return frozenset(name for (name,) in rows)

    def last_detail(self, connection: Connection, events: tuple[str, ...]) -> tuple[str, str] | None:
        """The name and detail of the latest of these events; None where there was none."""
        with translated():
            rows = connection.execute(
                "SELECT event, detail FROM syncd.event WHERE source_name = %s AND event = ANY(%s)"
                " ORDER BY id DESC LIMIT 1",
                [self.source_name, list(events)],
            ).fetchall()
        return (rows[0][0], rows[0][1]) if rows else None

    def last_verify(self, connection: Connection) -> LastVerify | None:
        """The result of the last verify; None where there was none."""
        with translated():
            rows = connection.execute(
                "SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), detail FROM syncd.event"
                " WHERE source_name = %s AND event = %s ORDER BY id DESC LIMIT 1",
                [self.source_name, VERIFIED],
            ).fetchall()
        return LastVerify(rows[0][0], **json.loads(rows[0][1])) if rows else None

    def tables(self, connection: Connection) -> tuple[TableStatus, ...]:
        """One line of status per table."""
        with translated():
            rows = connection.execute(statement("status"), {"source": self.source_name}).fetchall()
        return tuple(
            TableStatus(table, Phase(phase), applied, Mark(mark.get("rowid"), mark.get("moment")), rejects, error, at)
            for table, phase, applied, mark, rejects, error, at in rows
        )


def _row(checkpoint: Checkpoint) -> dict[str, object]:
    """A row of `syncd.checkpoint` as JSON."""
    position = {
        "rowid": checkpoint.mark.rowid,
        "moment": checkpoint.mark.moment,
        "place": checkpoint.place,
        "until": checkpoint.until,
    }
    return {
        "table_name": checkpoint.table,
        "part": checkpoint.part,
        "phase": checkpoint.phase,
        "fingerprint": checkpoint.fingerprint,
        "mark": {name: value for name, value in position.items() if value is not None},
        "base_snapshot": checkpoint.base_snapshot,
        "rows_applied": checkpoint.rows_applied,
        "error": checkpoint.error,
        "created": checkpoint.created,
        "definition": checkpoint.definition.as_json() if checkpoint.definition else None,
    }
