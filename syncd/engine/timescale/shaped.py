"""What shape the tables have: hypertables with their chunks and sizes, aggregates, policies with their last runs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from syncd.target.database import Connection
from syncd.target.timescale import detection, tables
from syncd.target.timescale.tables import Job


@dataclass(frozen=True)
class ShapedTable:
    """A hypertable, and its size in bytes: all of it, and its compressed chunks before and after compression."""

    table: str
    time_column: str
    interval: str
    chunks: int
    compressed_chunks: int
    bytes: int
    bytes_before: int | None
    bytes_after: int | None

    @property
    def ratio(self) -> float | None:
        """How many times smaller the compressed chunks have become."""
        return self.bytes_before / self.bytes_after if self.bytes_before and self.bytes_after else None


@dataclass(frozen=True)
class Shape:
    """All that TimescaleDB holds of a schema; `version` is empty where it is not installed."""

    version: str = ""
    tables: tuple[ShapedTable, ...] = ()
    aggregates: tuple[str, ...] = ()
    policies: tuple[Job, ...] = ()

    @property
    def as_document(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "version": self.version,
            "hypertables": [asdict(table) | {"ratio": table.ratio} for table in self.tables],
            "aggregates": list(self.aggregates),
            "policies": [
                asdict(job) | {"last_run": job.last_run.isoformat() if job.last_run else None} for job in self.policies
            ],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Shape":
        """What `as_document` gave."""
        tables = ({key: value for key, value in table.items() if key != "ratio"} for table in document["hypertables"])
        moments = (job["last_run"] and datetime.fromisoformat(job["last_run"]) for job in document["policies"])
        return cls(
            document["version"],
            tuple(ShapedTable(**table) for table in tables),
            tuple(document["aggregates"]),
            tuple(Job(**job | {"last_run": at}) for job, at in zip(document["policies"], moments, strict=True)),
        )


def read_shape(connection: Connection, schema: str) -> Shape:
    """Read the shape of a schema's tables; nothing is locked or changed."""
    timescale = detection.detect(connection)
    if not isinstance(timescale, detection.Timescale):
        return Shape()
    there = tables.hypertables(connection, schema)
    sizes = {name: tables.sizes(connection, timescale, schema, name) for name in there}
    return Shape(
        timescale.shown,
        tuple(
            ShapedTable(
                name,
                one.time_column,
                one.interval,
                one.chunks,
                one.compressed_chunks,
                sizes[name].total,
                sizes[name].before,
                sizes[name].after,
            )
            for name, one in there.items()
        ),
        tuple(tables.aggregates(connection, schema)),
        tables.jobs(connection, schema),
    )
