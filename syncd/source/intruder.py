"""A second process that tries to write, to prove a fence: `python intruder.py PATH`. It never writes anything."""

import sys

import apsw

GOT_IN = 1
KEPT_OUT = 17
"""No status that a failure of Python itself could have."""


def intrude(path: str) -> int:
    """Begin a write transaction if that is possible, and end it at once."""
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.set_busy_timeout(0)
    try:
        connection.execute("BEGIN IMMEDIATE")
    except apsw.BusyError:
        return KEPT_OUT
    connection.execute("ROLLBACK")
    return GOT_IN


if __name__ == "__main__":
    sys.exit(intrude(sys.argv[1]))
