"""The Grafana dashboard and the alert rules against the metrics that there are."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from syncd.engine.report import Report, judged
from syncd.service.metrics import Metrics
from tests.plugins.reports import FakeSampler, full_report

MONITORING = Path(__file__).parents[2] / "systemd" / "monitoring"
RULES = MONITORING / "syncd.rules.yml"
DASHBOARD = MONITORING / "grafana.json"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool is not installed (Debian: apt install prometheus)"
)
_NAME = re.compile(r"\bsyncd_[a-z_]+")
_EXPRESSION = re.compile(r"^ *expr: (.*)$", re.MULTILINE)


def page(report: Report) -> str:
    return Metrics(FakeSampler(report)).page().decode()


def names() -> set[str]:
    """Every name of a time series that a daemon offers."""
    return set(re.findall(r"^(syncd_\w+)[{ ]", page(judged(full_report())), re.MULTILINE))


def expressions() -> list[str]:
    panels = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    of_panels = [target["expr"] for panel in panels for target in panel["targets"]]
    return [*_EXPRESSION.findall(RULES.read_text("utf-8")), *of_panels]


def test_there_are_rules_and_panels() -> None:
    assert len(expressions()) > 20


@pytest.mark.parametrize("expression", expressions())
def test_every_metric_that_is_named_exists(expression: str) -> None:
    named = set(_NAME.findall(expression))

    assert named <= names()


def test_the_variables_of_the_dashboard_name_a_metric_that_exists() -> None:
    lists = json.dumps(json.loads(DASHBOARD.read_text("utf-8"))["templating"])

    assert set(_NAME.findall(lists)) <= names()


def test_every_label_that_is_grouped_by_exists() -> None:
    labels = set(re.findall(r'[{,](\w+)="', page(judged(full_report())))) | {"instance", "job"}
    grouped = {
        name for text in expressions() for found in re.findall(r"by \(([^)]*)\)", text) for name in found.split(", ")
    }

    assert grouped <= labels


@needs_promtool
def test_promtool_accepts_the_rules() -> None:
    checked = subprocess.run([str(PROMTOOL), "check", "rules", RULES], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout + checked.stderr


_ENDS = """
rule_files: ["{rules}"]
evaluation_interval: 15s
tests:
  - interval: 15s
    input_series:
      - {{series: 'up{{job="syncd", instance="promoted"}}', values: '1x20 0x40'}}
      - {{series: 'syncd_stage{{job="syncd", instance="promoted", stage="promoted"}}', values: '0x19 1 _x40'}}
      - {{series: 'up{{job="syncd", instance="killed"}}', values: '1x20 0x40'}}
      - {{series: 'syncd_stage{{job="syncd", instance="killed", stage="promoted"}}', values: '0x20 _x40'}}
      - {{series: 'up{{job="syncd", instance="never seen"}}', values: '0x60'}}
    alert_rule_test:
      - eval_time: 14m
        alertname: SyncdDown
        exp_alerts:
          - exp_labels: {{job: syncd, instance: killed, severity: critical}}
            exp_annotations:
              summary: The daemon on killed does not answer.
              description: Nobody copies meanwhile. Look at systemctl status syncd.
          - exp_labels: {{job: syncd, instance: never seen, severity: critical}}
            exp_annotations:
              summary: The daemon on never seen does not answer.
              description: Nobody copies meanwhile. Look at systemctl status syncd.
"""


@needs_promtool
def test_a_daemon_that_ended_at_its_promotion_is_not_down(tmp_path: Path) -> None:
    (told := tmp_path / "ends.yml").write_text(_ENDS.format(rules=RULES))
    checked = subprocess.run([str(PROMTOOL), "test", "rules", told], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout + checked.stderr


@needs_promtool
def test_promtool_finds_no_fault_in_the_metrics() -> None:
    told = page(judged(full_report()))
    checked = subprocess.run(
        [str(PROMTOOL), "check", "metrics"], input=told, capture_output=True, text=True, check=False
    )

    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
