"""The command that shows it all."""

import click

from syncd.cli.options import Command


@click.command(cls=Command)
def demo() -> int:
    """Watch a market of its own trade on SQLite while PostgreSQL keeps up.

    It brings its own database on both sides, takes less than a minute, and leaves nothing behind.

    \b
    Example: syncd demo
    """
    from syncd.demo import run_demo  # noqa: PLC0415 - no other command needs a market

    return run_demo()
