"""The shape that tables get in TimescaleDB: planned from what is there, carried out step by step, told afterwards."""

from syncd.engine.timescale.shaping import ShapeReport, is_configured, preview, refresh, shape, shape_if_possible
from syncd.engine.timescale.steps import Step

__all__ = ["ShapeReport", "Step", "is_configured", "preview", "refresh", "shape", "shape_if_possible"]
