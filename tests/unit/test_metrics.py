"""The metrics as Prometheus reads them."""

import re
import time
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from syncd.engine.report import Report, judged
from syncd.model import Applied, PassReport, Phase
from syncd.service.counters import BUCKETS, Counters
from syncd.service.metrics import Metrics
from tests.plugins.reports import ODD_NAME, FakeSampler, full_report, ready_report

MANY_TABLES = 300
QUICKLY = 0.5
"""Seconds for a scrape of 300 tables on a busy machine; the benchmark asks for 20 ms."""


def samples(report: Report) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by name and labels, read back by Prometheus' own parser."""
    families = text_string_to_metric_families(Metrics(FakeSampler(report)).page().decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_the_report_is_told() -> None:
    told = samples(judged(full_report()))

    assert told["syncd_lag_seconds", ()] == 2.0
    assert told["syncd_source_wal_bytes", ()] == 4096
    assert told["syncd_verify_differences", ()] == 0
    assert told["syncd_table_pending_rows", (("table", "orders"),)] == 3
    assert told["syncd_table_stopped", (("table", "prices"),)] == 1
    assert told["syncd_table_loaded", (("table", "prices"),)] == 0
    assert told["syncd_table_paused", (("table", "prices"),)] == 1
    assert told["syncd_rejects", (("reason", "value"), ("table", "orders"))] == 2


def test_the_work_is_counted() -> None:
    told = samples(full_report())

    assert told["syncd_rows_read_total", (("table", "orders"),)] == 5
    assert told["syncd_rows_applied_total", (("kind", "insert"), ("table", "orders"))] == 3
    assert told["syncd_rows_applied_total", (("kind", "delete"), ("table", "orders"))] == 1
    assert told["syncd_rows_rejected_total", (("table", "orders"),)] == 1
    assert told["syncd_sent_bytes_total", (("table", "orders"),)] == 700
    assert told["syncd_errors_total", (("class", "ValueError"),)] == 1
    assert told["syncd_retries_total", ()] == 1


def test_a_name_that_means_something_to_others_comes_through() -> None:
    assert samples(full_report())["syncd_table_lag_seconds", (("table", ODD_NAME),)] == 2.0


def test_readiness_for_the_cutover() -> None:
    assert samples(judged(full_report()))["syncd_cutover_ready", ()] == 0
    assert samples(ready_report())["syncd_cutover_ready", ()] == 1


def test_one_stage_is_the_current_one() -> None:
    told = samples(ready_report())

    stages = {dict(labels)["stage"]: value for (name, labels), value in told.items() if name == "syncd_stage"}
    assert [stage for stage, value in stages.items() if value] == ["ready"]


def test_before_anything_is_known_there_are_numbers_nevertheless() -> None:
    told = samples(Report(time.time(), "a.db", "db"))

    assert told["syncd_lag_seconds", ()] == 0
    assert not [name for name, _ in told if name.startswith("syncd_table")]


def test_a_histogram_adds_up() -> None:
    counters = Counters()
    for seconds in (0.0005, 0.02, 100.0):
        counters.passed(PassReport((), seconds + 0.001, 0.001))

    written = counters.tally().durations["pass_write"]

    assert sum(written.counts) == 3
    assert (written.counts[0], written.counts[-1]) == (1, 1)
    assert len(written.counts) == len(BUCKETS) + 1


def test_a_rate_is_what_moved_lately() -> None:
    counters = Counters()
    counters.batch("t", Applied(inserted=100), 0.1, 0.1)
    counters.rates(0.0)
    counters.batch("t", Applied(inserted=30, deleted=10), 0.1, 0.1)

    assert counters.rates(4.0) == {"t": pytest.approx(10.0)}
    for second in range(5, 16):
        counters.rates(float(second))
    assert counters.rates(16.0) == {"t": 0.0}


def test_names_follow_the_conventions() -> None:
    page = Metrics(FakeSampler(judged(full_report()))).page().decode()

    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", page, re.MULTILINE))
    assert all(name.startswith("syncd_") for name in kinds)
    assert all(name.endswith("_total") for name, kind in kinds.items() if kind == "counter")


def test_many_tables_are_scraped_quickly() -> None:
    table = full_report().tables[0]
    tables = tuple(replace(table, name=f"table_{n}", phase=Phase.CATCHUP) for n in range(MANY_TABLES))
    metrics = Metrics(FakeSampler(replace(full_report(), tables=tables)))

    began = time.perf_counter()
    page = metrics.page()

    assert time.perf_counter() - began < QUICKLY
    assert page.count(b"syncd_table_lag_seconds{") == MANY_TABLES
