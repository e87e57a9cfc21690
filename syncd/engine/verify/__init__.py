"""Verify: are both sides equal? Counted, compared in random rows, or compared row by row, in the target's own types."""

from syncd.engine.verify.verifying import SAMPLE_ROWS, Asked, verify

__all__ = ["SAMPLE_ROWS", "Asked", "verify"]
