"""The check: every problem that a load would meet, found before the first row moves. It writes nothing."""

from syncd.engine.check.checking import check
from syncd.engine.check.findings import CheckReport, Finding, Gravity
from syncd.engine.check.gate import NoGoError, confirm_go

__all__ = ["CheckReport", "Finding", "Gravity", "NoGoError", "check", "confirm_go"]
