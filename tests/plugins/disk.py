"""A disk that is small, and soon full."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Protocol

import pytest


class MakeDisk(Protocol):
    def __call__(self, kilobytes: int) -> Path: ...


@pytest.fixture
def make_disk() -> Iterator[MakeDisk]:
    """Mount disks of so many kilobytes, which everybody may enter. Only root can: for others the test is skipped."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk: a full one cannot be tested")
    with ExitStack() as stack:

        def make(kilobytes: int) -> Path:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="syncd-disk-")))
            folder.chmod(0o755)
            command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
            mounted = subprocess.run(command, capture_output=True, text=True, check=False)
            if mounted.returncode:
                pytest.skip(f"a small disk cannot be mounted: {mounted.stderr}")
            stack.callback(subprocess.run, ["umount", "--lazy", str(folder)], check=True)
            return folder

        yield make


def fill(disk: Path) -> None:
    """Leave not a byte."""
    with suppress(OSError), (disk / "rubbish").open("wb", buffering=0) as rubbish:
        while True:
            rubbish.write(bytes(4096))
