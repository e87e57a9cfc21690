"""What a declared type of SQLite asks for: SQLite takes any word there, and holds nobody to it."""

import re
from enum import Enum
from functools import cache


class Family(Enum):
    """Declared types with one purpose; the value is the PostgreSQL type for it where the values tell nothing else."""

    BOOLEAN = "boolean"
    ZONED_MOMENT = "timestamp with time zone"
    MOMENT = "timestamp without time zone"
    DATE = "date"
    TIME = "time without time zone"
    JSON = "jsonb"
    UUID = "uuid"
    SMALL_INTEGER = "smallint"
    INTEGER = "bigint"
    TEXT = "text"
    BYTES = "bytea"
    DOUBLE = "double precision"
    DECIMAL = "numeric"
    ANY = ""


_FAMILIES = (
    (r"BOOL", Family.BOOLEAN),
    (r"TIMESTAMPTZ|WITH TIME ?ZONE", Family.ZONED_MOMENT),
    (r"DATETIME|TIMESTAMP", Family.MOMENT),
    (r"\bDATE\b", Family.DATE),
    (r"\bTIME\b", Family.TIME),
    (r"JSON", Family.JSON),
    (r"UUID|GUID", Family.UUID),
    (r"SMALLINT|TINYINT|\bINT2\b", Family.SMALL_INTEGER),
    (r"INT", Family.INTEGER),
    (r"CHAR|CLOB|TEXT|STRING", Family.TEXT),
    (r"BLOB|BINARY|BYTEA|IMAGE", Family.BYTES),
    (r"REAL|FLOA|DOUB", Family.DOUBLE),
    (r"NUMERIC|DECIMAL|\bDEC\b|NUMBER|MONEY", Family.DECIMAL),
)
_ARGUMENTS = re.compile(r"\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)")


@cache
def family_of(declared_type: str) -> Family:
    """The first family whose words the declared type contains; ANY where it contains none."""
    words = declared_type.upper()
    return next((family for pattern, family in _FAMILIES if re.search(pattern, words)), Family.ANY)


def precision_and_scale(declared_type: str) -> tuple[int, int] | None:
    """Those of a declared decimal, (10, 2) of DECIMAL(10,2), where PostgreSQL knows them; else None."""
    found = _ARGUMENTS.search(declared_type)
    if not found or family_of(declared_type) is not Family.DECIMAL:
        return None
    precision, scale = int(found.group(1)), int(found.group(2) or 0)
    return (precision, scale) if 0 < precision <= 1000 and scale <= precision else None
