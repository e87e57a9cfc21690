"""What the benchmarks share: a server, whole commands timed, ratios of pairs."""

import os
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.plugins.postgres import OwnServer, running_server


@dataclass(frozen=True)
class Run:
    """A whole command: wall-clock seconds, peak resident memory in bytes, and what it said."""

    seconds: float
    peak: int
    said: str


def run(command: Sequence[str], **environment: str) -> Run:
    """Run a command to its end. Raises CalledProcessError, with what it said, when it fails."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.stdout.close()
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, said)
    return Run(seconds, usage.ru_maxrss * 1024, said)


def syncd(*arguments: str, source: Path, dsn: str, state_dir: Path, settings: str = "") -> list[str]:
    """The command line of a syncd on this source and target."""
    file = state_dir / "syncd.ini"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"[sync]\nstate_dir = {state_dir}\n{settings}")
    return [sys.executable, "-m", "syncd", "-c", str(file), "--source", str(source), "--target", dsn, *arguments]


@contextmanager
def database(server: OwnServer) -> Iterator[str]:
    """The DSN of a new, empty database."""
    name = f"bench_{secrets.token_hex(4)}"
    server.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    server.execute("CHECKPOINT")
    try:
        yield server.dsn(name)
    finally:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def show(title: str, ours: Sequence[float], theirs: Sequence[float], most: float) -> None:
    """Print the median of the pairs' ratios beside what is asked for."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    print(
        f"{title}: ratio {statistics.median(ratios):.2f} (asked: at most {most:g}); "
        f"pairs {' '.join(f'{a:.2f}/{b:.2f}' for a, b in zip(ours, theirs, strict=True))}",
        flush=True,
    )


def show_figure(title: str, value: float, unit: str, most: float) -> None:
    """Print one figure beside what is asked for."""
    print(f"{title}: {value:.2f} {unit} (asked: at most {most:g})", flush=True)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


__all__ = ["OwnServer", "Run", "database", "percentile", "run", "running_server", "show", "show_figure", "syncd"]
