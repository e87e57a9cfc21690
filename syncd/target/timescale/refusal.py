"""What PostgreSQL refuses of a setting, told with the table and the line to change."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from syncd.errors import RefusedError, RetryError, SchemaError, TargetError
from syncd.target.database import explain


@contextmanager
def refusing(where: str, advice: str) -> Iterator[None]:
    """Raise SchemaError for what PostgreSQL refuses. A server that is away, and a missing right, stay what they are."""
    try:
        yield
    except psycopg.Error as error:
        explained = explain(error, where)
        if isinstance(explained, RetryError | RefusedError | TargetError):
            raise explained from None
        # Without the context: it quotes TimescaleDB's own statements.
        said = (error.diag.message_primary or str(error), error.diag.message_detail, error.diag.message_hint)
        raise SchemaError("; ".join(filter(None, said)), where=where, advice=advice) from None
