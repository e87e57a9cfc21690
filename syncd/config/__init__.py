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
    NotifyConfig,
    SourceConfig,
    SyncConfig,
    TableConfig,
    TargetConfig,
    TypeOverride,
    Watermark,
    WebConfig,
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
    "NotifyConfig",
    "OnConflict",
    "SourceConfig",
    "SyncConfig",
    "TableConfig",
    "TargetConfig",
    "TypeOverride",
    "Watermark",
    "WatermarkKind",
    "WebConfig",
    "load",
]
