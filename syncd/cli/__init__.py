"""The command line: it parses, calls the engine and hands what comes back to the console.

A new command is a function under `@syncd.command` in a module that `app` imports.
"""

from collections.abc import Sequence

from syncd.collecting import collect_seldom


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    collect_seldom()
    # Importing makes 100,000 objects, and none of them is garbage.
    from syncd.cli.app import main as run  # noqa: PLC0415

    return run(arguments)


__all__ = ["main"]
