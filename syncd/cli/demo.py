"""The command that shows it all."""

import importlib

import click

from syncd.cli.options import Command


@click.command(cls=Command)
def demo() -> int:
    """Watch a market of its own trade on SQLite while PostgreSQL keeps up.

    \b
    Example: syncd demo
    """
    # Only here: nobody else needs a market.
    return int(importlib.import_module("syncd.demo").run_demo())
