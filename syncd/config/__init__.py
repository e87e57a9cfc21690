"""The INI file, the environment and the flags as one frozen `Config`."""

from syncd.config.reading import load
from syncd.config.sections import (
    AggregateConfig,
    BenchmarkConfig,
    Config,
    Expression,
    HypertableConfig,
    IndexConfig,
    LogConfig,
    SourceConfig,
    SyncConfig,
    TableConfig,
    TargetConfig,
    TypeOverride,
    Watermark,
)
from syncd.config.values import ForeignKeys, NameStyle, OnConflict, WatermarkKind

__all__ = [
    "AggregateConfig",
    "BenchmarkConfig",
    "Config",
    "Expression",
    "ForeignKeys",
    "HypertableConfig",
    "IndexConfig",
    "LogConfig",
    "NameStyle",
    "OnConflict",
    "SourceConfig",
    "SyncConfig",
    "TableConfig",
    "TargetConfig",
    "TypeOverride",
    "Watermark",
    "WatermarkKind",
    "load",
]
