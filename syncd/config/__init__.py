"""The INI file, the environment and the flags as one frozen `Config`."""

from syncd.config.reading import load
from syncd.config.sections import Config, LogConfig, SourceConfig, SyncConfig, TableConfig, TargetConfig, Watermark
from syncd.config.values import ForeignKeys, OnConflict, WatermarkKind

__all__ = [
    "Config",
    "ForeignKeys",
    "LogConfig",
    "OnConflict",
    "SourceConfig",
    "SyncConfig",
    "TableConfig",
    "TargetConfig",
    "Watermark",
    "WatermarkKind",
    "load",
]
