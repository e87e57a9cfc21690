"""The runbook taken at its word: its blocks, and a place where they are run as they stand."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.plugins.postgres import OwnServer, own_folder

DOCS = Path(__file__).parents[2] / "syncd" / "docs"
TEXT = (DOCS / "runbook.md").read_text("utf-8")
_FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: the part in which it stands, the tag, the text."""

    part: int
    language: str
    text: str


def _read() -> Iterator[Block]:
    for chapter in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]:
        yield from (Block(int(chapter.partition(".")[0]), tag, text) for tag, text in _FENCED.findall(chapter))


BLOCKS = tuple(_read())


def block(part: int, language: str, number: int = 1) -> str:
    """The text of a part's so many-th block in a language, counted from 1."""
    return [one.text for one in BLOCKS if (one.part, one.language) == (part, language)][number - 1]


class Site:
    """The machine of a server of its own, seen by the person who works through the runbook there."""

    def __init__(self, server: OwnServer, folder: Path) -> None:
        self.server = server
        self.folder = folder

    def shell(self, text: str, *, cwd: Path | None = None, **environment: str | Path) -> str:
        """Run a block of shell as it stands; its output. The account is the server's own."""
        account = self.server.account
        ended = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", text],
            cwd=cwd or self.folder,
            env={
                "PATH": f"{self.server.bin}:{os.defpath}",
                "LC_ALL": "C",
                "PGHOST": "127.0.0.1",
                "PGPORT": str(self.server.port),
                "PGUSER": "postgres",
                **{name: str(value) for name, value in environment.items()},
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, f"{text}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout

    def sql(self, text: str, database: str = "postgres") -> list[str]:
        """Run a block of SQL as it stands, by psql; its rows, columns parted by `|`."""
        (self.folder / "block.sql").write_text(text)
        psql = "psql --no-psqlrc --set=ON_ERROR_STOP=1 --quiet --tuples-only --no-align --file=block.sql"
        return self.shell(f"{psql} --dbname={database}").splitlines()

    def make_roles(self) -> None:
        """Part 2."""
        shutil.copy(DOCS / "roles.sql", self.folder)
        self.shell(block(2, "sh"))


@pytest.fixture
def site(own_server: OwnServer) -> Iterator[Site]:
    with own_folder() as folder:
        yield Site(own_server, folder)
