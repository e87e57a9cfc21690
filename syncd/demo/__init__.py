"""The demo: a market trades on SQLite while you watch PostgreSQL keep up. Everything is temporary."""

from syncd.demo.story import run_demo

__all__ = ["run_demo"]
