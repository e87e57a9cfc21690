"""The command line: it parses, calls the engine and hands what comes back to the console.

A new command is a function under `@syncd.command` in a module that `app` imports.
"""

from syncd.cli.app import main

__all__ = ["main"]
