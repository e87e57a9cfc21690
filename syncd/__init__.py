"""Move a live SQLite application to PostgreSQL without losing a row."""

from importlib.metadata import version

__version__ = version("syncd")
