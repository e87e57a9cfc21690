"""What a pass has read waits here, in memory or on disk when it is large, so that the source need not wait."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from syncd.errors import StopError
from syncd.model import Batch, Refusal

IN_MEMORY = 64 * 2**20
"""Bytes that stay in memory; what comes after them is written to a file without a name in `state_dir`."""


@contextmanager
def kept_in(directory: Path, what: str) -> Iterator[None]:
    """Turn a fault of the disk into StopError."""
    try:
        yield
    except OSError as error:
        raise StopError(
            f"{what} cannot be kept: {error.strerror}",
            where=str(directory),
            advice="Free some space, or set [sync] state_dir to a disk with more",
        ) from error


def discard(file: BinaryIO) -> None:
    """Close a file that nobody reads again: what a full disk has no room for now is not wanted any longer."""
    with suppress(OSError):
        file.close()


@dataclass(frozen=True)
class Held:
    """A batch whose payload lies in the spool. `swept`: the sweep at work reads its rows again."""

    offset: int
    length: int
    rows: int
    read: int
    refusals: tuple[Refusal, ...]
    digest: bytes
    swept: bool = False


class Spool:
    """The payloads of one pass, in the order in which they came."""

    def __init__(self, directory: Path) -> None:
        self._file = cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=IN_MEMORY, dir=str(directory)))  # noqa: SIM115
        self._directory = directory
        self._size = 0
        self.rows = 0

    def add(self, batch: Batch) -> Held:
        """Keep a batch. Raises StopError where the disk is full."""
        held = Held(
            self._size,
            len(batch.payload),
            batch.rows,
            batch.read,
            batch.refusals,
            hashlib.sha256(batch.payload).digest(),
        )
        with kept_in(self._directory, "what a pass has read"):
            self._file.seek(self._size)
            self._file.write(batch.payload)
        self._size += len(batch.payload)
        self.rows += batch.rows
        return held

    def payload(self, held: Held) -> bytes:
        """What was kept. Raises StopError where the disk is full: the last of it may reach the disk only now."""
        with kept_in(self._directory, "what a pass has read"):
            self._file.seek(held.offset)
            return self._file.read(held.length)

    @property
    def is_large(self) -> bool:
        """Whether it has outgrown the memory, and with it one transaction."""
        return self._size > IN_MEMORY

    def close(self) -> None:
        discard(self._file)
