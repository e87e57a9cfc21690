"""The report and the counters in Prometheus' words. Nothing is kept here: each scrape translates what is there."""

import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from importlib.metadata import version

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from syncd.engine.report import Report, Stage, TableNow
from syncd.model import Applied, Phase
from syncd.service.counters import BUCKETS, Durations, Tally
from syncd.service.sampler import Sampled

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The metrics of one daemon. Labels are tables, kinds, reasons, stages and classes of errors: few, and known."""

    def __init__(self, sampler: Sampled) -> None:
        self._sampler = sampler
        self._version = version("syncd")

    def page(self) -> bytes:
        """All of them as text (https://prometheus.io/docs/instrumenting/exposition_formats/).

        The client's own writer checks each name of each sample again: with 300 tables it took twice as long.
        """
        return "".join(line for metric in self.collect() for line in _lines(metric)).encode()

    def collect(self) -> Iterator[Metric]:
        report, tally = self._sampler.watch(), self._sampler.counters.tally()
        self._sampler.counters.fetched = time.time()
        yield _gauge("syncd_build_info", "The release at work.", [(("version",), (self._version,), 1)])
        yield from _whole(report)
        yield from _tables(report.tables)
        yield from _work(report, tally)


def _lines(metric: Metric) -> Iterator[str]:
    name = f"{metric.name}_total" if metric.type == "counter" else metric.name
    yield f"# HELP {name} {metric.documentation}\n# TYPE {name} {metric.type}\n"
    for sample in metric.samples:
        labels = ",".join([f'{label}="{_escaped(value)}"' for label, value in sample.labels.items()])
        yield (
            f"{sample.name}{{{labels}}} {float(sample.value)}\n" if labels else f"{sample.name} {float(sample.value)}\n"
        )


@lru_cache(maxsize=10_000)
def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


_Sample = tuple[tuple[str, ...], tuple[str, ...], float]


def _gauge(name: str, said: str, samples: Iterable[_Sample]) -> GaugeMetricFamily:
    found = list(samples)
    family = GaugeMetricFamily(name, said, labels=found[0][0] if found else ())
    for _, values, number in found:
        family.add_metric(values, number)
    return family


def _plain(name: str, said: str, number: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, said, value=number)


def _counter(name: str, said: str, labels: tuple[str, ...], samples: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    family = CounterMetricFamily(name, said, labels=labels)
    for values, number in samples:
        family.add_metric(values, number)
    return family


def _whole(report: Report) -> Iterator[Metric]:
    yield _plain("syncd_lag_seconds", "The age of the oldest change that was not applied yet.", report.lag)
    yield _plain("syncd_source_reachable", "Whether the source can be read: 1 or 0.", report.source_reachable)
    yield _plain("syncd_target_reachable", "Whether the target answers: 1 or 0.", report.target_reachable)
    yield _plain("syncd_cutover_ready", "Whether every line of the checklist is fulfilled: 1 or 0.", report.is_ready)
    yield _plain("syncd_source_wal_bytes", "The size of the source's -wal file.", report.wal_bytes or 0)
    yield _plain("syncd_report_age_seconds", "How old the numbers are.", max(time.time() - report.at, 0.0))
    paused = report.control is not None and report.control.paused
    yield _plain("syncd_paused", "Whether somebody paused all tables: 1 or 0.", paused)
    yield _gauge(
        "syncd_stage",
        "Where the move stands: 1 for its stage.",
        [(("stage",), (str(stage),), stage is report.stage) for stage in Stage],
    )
    if report.last_verify:
        verified = datetime.fromisoformat(report.last_verify.at).timestamp()
        yield _plain("syncd_verify_differences", "What the last verify found.", report.last_verify.differences)
        yield _plain("syncd_verify_timestamp_seconds", "When the last verify ended.", verified)


def _tables(tables: tuple[TableNow, ...]) -> Iterator[Metric]:
    def gauge(name: str, said: str, samples: Iterable[tuple[TableNow, float | None]]) -> Metric:
        family = GaugeMetricFamily(name, said, labels=("table",))
        for table, number in samples:
            if number is not None:
                family.add_metric((table.name,), number)
        return family

    yield gauge("syncd_table_lag_seconds", "The same for one table.", ((t, t.lag) for t in tables))
    yield gauge("syncd_table_pending_rows", "Rows beyond the mark.", ((t, t.pending) for t in tables))
    yield gauge("syncd_table_source_rows", "Rows of the source, as last counted.", ((t, t.source_rows) for t in tables))
    yield gauge("syncd_table_target_rows", "Rows of the target, as last counted.", ((t, t.target_rows) for t in tables))
    yield gauge("syncd_table_rejects", "Rows that wait in syncd.reject.", ((t, t.rejects) for t in tables))
    yield gauge(
        "syncd_table_stopped", "Whether the table stopped: 1 or 0.", ((t, t.phase is Phase.STOPPED) for t in tables)
    )
    yield gauge(
        "syncd_table_loaded",
        "Whether the table is loaded and has not stopped: 1 or 0.",
        ((t, t.phase is Phase.CATCHUP) for t in tables),
    )
    yield gauge("syncd_table_paused", "Whether somebody paused the table: 1 or 0.", ((t, t.is_paused) for t in tables))


def _work(report: Report, tally: Tally) -> Iterator[Metric]:
    applied = sorted(tally.applied.items())
    yield _counter("syncd_rows_read", "Rows read from the source.", ("table",), (((t,), a.read) for t, a in applied))
    yield _counter(
        "syncd_rows_applied",
        "Rows changed in the target.",
        ("table", "kind"),
        (((table, kind), number) for table, a in applied for kind, number in _kinds(a)),
    )
    yield _counter(
        "syncd_rows_rejected", "Refusals, one for each try.", ("table",), (((t,), a.rejected) for t, a in applied)
    )
    yield _counter("syncd_sent_bytes", "Bytes sent by COPY.", ("table",), (((t,), a.size) for t, a in applied))
    yield _gauge(
        "syncd_rejects",
        "Rows that wait in syncd.reject.",
        ((("table", "reason"), reason, rows) for reason, rows in _by_reason(report)),
    )
    histogram = HistogramMetricFamily("syncd_batch_duration_seconds", "How long batches took.", labels=("stage",))
    for stage, durations in sorted(tally.durations.items()):
        histogram.add_metric((stage,), _buckets(durations), durations.total)
    yield histogram
    yield _gauge(
        "syncd_last_success_timestamp_seconds",
        "When a stage ended well for the last time.",
        ((("stage",), (stage,), at) for stage, at in sorted(tally.succeeded.items())),
    )
    yield _counter("syncd_retries", "Faults that passed, or may pass.", (), [((), tally.retries)])
    yield _counter(
        "syncd_errors", "Faults by class.", ("class",), (((name,), n) for name, n in sorted(tally.errors.items()))
    )


def _kinds(applied: Applied) -> tuple[tuple[str, int], ...]:
    return ("insert", applied.inserted), ("update", applied.updated), ("delete", applied.deleted)


def _by_reason(report: Report) -> list[tuple[tuple[str, str], int]]:
    """The largest groups of rejects added up by table and reason: columns and messages are too many to be labels."""
    rows: dict[tuple[str, str], int] = {}
    for group in report.rejects:
        rows[group.table, group.reason] = rows.get((group.table, group.reason), 0) + group.rows
    return sorted(rows.items())


def _buckets(durations: Durations) -> list[tuple[str, float]]:
    total, found = 0, []
    for bound, count in zip((*map(str, BUCKETS), "+Inf"), durations.counts, strict=True):
        total += count
        found.append((bound, float(total)))
    return found
