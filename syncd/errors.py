"""The errors of syncd, grouped by what to do about them.

SyncdError
├── RetryError                    try the same again
│   ├── SourceBusyError           the source is locked
│   └── TargetUnavailableError    PostgreSQL is away for a moment
├── RowError                      reject the row, go on with its batch
├── TableError                    stop the table, go on with the others
│   ├── TooManyRejectsError
│   ├── ConflictError
│   ├── MarkError
│   ├── ChangeRefusedError
│   └── SchemaError
│       ├── MappingError          the configuration has to say how the two sides match
│       └── SharedTableError      another source goes into the same table of the target
└── StopError                     stop
    ├── UsageError
    ├── ConfigError
    ├── NotReadyError
    │   ├── PromotedError         the target took over: nothing is written to it any more
    │   └── TablePromotedError    it took over the same tables, from another source
    ├── AbortedError              a cutover was given up; the source is still the truth
    │   └── DifferentError        because the two sides differ
    ├── LockHeldError
    ├── SourceError
    │   ├── SourceReplacedError
    │   └── SnapshotError         a private copy is gone, damaged, or too old to compare with
    ├── TargetError
    │   └── WrongTargetError      the configuration leads to no target: its database, its certificate
    └── RefusedError              a password, a role or a right that somebody must give
"""

from collections.abc import Mapping
from typing import ClassVar


class SyncdError(Exception):
    """What happened, where, and what to do: the three parts that a user is told.

    `where` names the table, key, column or file:line; `advice` says what to do. Both may be empty.
    `exit_code` is the exit status of a command that ends with this error.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str = "", advice: str = "") -> None:
        self.what = what
        self.where = where
        self.advice = advice
        super().__init__(what)

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}\n  {self.advice}" if self.advice else head


class RetryError(SyncdError):
    """A passing fault: the same work may succeed when it is tried again."""

    exit_code = 75


class SourceBusyError(RetryError):
    """The source stayed locked by another process until the deadline."""


class TargetUnavailableError(RetryError):
    """PostgreSQL cannot be reached, is starting, or ended the connection."""


class RowError(SyncdError):
    """One row cannot land; it is kept in `syncd.reject`."""


class TableError(SyncdError):
    """One table cannot go on; the others do."""


class TooManyRejectsError(TableError):
    """More of a table's rows were rejected than `max_reject_ratio` allows."""


class ConflictError(TableError):
    """`on_conflict = fail` and the target already holds a row of that key."""


class MarkError(TableError):
    """A table's mark cannot be trusted to find its new rows."""


class ChangeRefusedError(TableError):
    """The target refuses a change that makes no reject: a trigger keeps a row from being deleted."""


class SchemaError(TableError):
    """A table's two sides do not fit each other."""


class MappingError(SchemaError):
    """The two sides of a table do not match by themselves.

    `lines` are what to write into the table's section, by key; a value is empty where only a person knows it.
    """

    def __init__(self, what: str, *, where: str, lines: Mapping[str, str]) -> None:
        self.lines = lines
        written = "".join(f"\n    {key} = {text or 'an SQLite expression'}" for key, text in lines.items())
        super().__init__(what, where=where, advice=f"Write into [table:{where}]:{written}" if lines else "")


class UnnamedRowsError(SchemaError):
    """The rows of a table have no names, neither rowids nor keys, and nobody has said that they may stay behind."""


class SharedTableError(SchemaError):
    """Another source goes into the same table of the target: the rows of one would be taken for the other's."""


class StopError(SyncdError):
    """Nothing can go on until somebody acts."""


class UsageError(StopError):
    """The command line is wrong."""

    exit_code = 2


class ConfigError(StopError):
    """The configuration is wrong; `str()` lists every fault, one a line, with file:line."""

    exit_code = 78


class NotReadyError(StopError):
    """Something has to come first."""

    exit_code = 4


class PromotedError(NotReadyError):
    """The target took over from the source; no syncd writes to it from there again."""


class TablePromotedError(NotReadyError):
    """The target took over the source's tables from another source, such as this file under its former name."""


class AbortedError(StopError):
    """A cutover was given up before it promoted anything: the source is still the truth."""


class DifferentError(AbortedError):
    """The two sides differ at the frozen position."""

    exit_code = 3


class LockHeldError(StopError):
    """Another syncd works on this source."""

    exit_code = 5


class SourceError(StopError):
    """The source is missing, is no SQLite database, or is damaged."""


class SourceReplacedError(SourceError):
    """Another file stands where the source stood."""


class SnapshotError(SourceError):
    """A private copy of the source cannot be used: it is gone, damaged, or holds a table of another shape."""


class TargetError(StopError):
    """PostgreSQL cannot be the target as it is: it is a standby, or the embedded one does not start."""


class WrongTargetError(TargetError):
    """No such database, or a certificate that does not prove the server: no other try mends what is configured."""

    exit_code = 78


class RefusedError(StopError):
    """The operating system or PostgreSQL denies a right that syncd needs, or does not let its role in."""

    exit_code = 77
