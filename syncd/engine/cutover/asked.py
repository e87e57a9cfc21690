"""What is asked of a cutover."""

import getpass
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

VerifyMode = Literal["full", "changed"]


@dataclass(frozen=True)
class Asked:
    """How much is verified behind the fence, and how many rejects of which table are accepted."""

    verify: VerifyMode = "full"
    accepted: Mapping[str, int] = field(default_factory=dict)


def who() -> str:
    """Who runs this process, and where."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"user id {os.geteuid()}"
    return f"{user}@{socket.gethostname()}, process {os.getpid()}"
