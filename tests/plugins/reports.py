"""Reports without a daemon, for the tests of those who show them."""

from dataclasses import replace

from syncd.engine.report import Report, TableNow, advised, judged
from syncd.model import Applied, LastVerify, Mark, PassReport, Phase, TableReport
from syncd.service.counters import Counters
from syncd.target.control import Control
from syncd.target.observe import Happening, RejectGroup

AT = 1_700_000_000.0
MOMENT = "2023-11-14T22:13:20Z"
ODD_NAME = "<script>alert('x')</script>\"\n\\"


def full_report() -> Report:
    """A report in which everything has a value."""
    return Report(
        at=AT,
        source="/srv/app/market.db",
        target="db.example/market",
        tables=(
            TableNow("orders", Phase.CATCHUP, 1200, 1203, 1200, Mark(1200), 0.4, 3, 12.5, 2, updated_at=MOMENT),
            TableNow(ODD_NAME, Phase.LOAD, 50, 100, 50, Mark(50), 2.0, 50, 100.0),
            TableNow(
                "prices",
                Phase.STOPPED,
                7,
                error="too <b>many</b> rejects",
                control=Control("prices", paused=True, who="ada@desk", since=MOMENT),
            ),
        ),
        lag=2.0,
        rate=112.5,
        wal_bytes=4096,
        retries=1,
        last_pass=MOMENT,
        last_sweep=MOMENT,
        last_verify=LastVerify(MOMENT, "full", 0, 1.5),
        rejects=(advised(RejectGroup("orders", "value", "due", 2, ("8", "'<i>'"), "no <date>")),),
        events=(Happening(1, MOMENT, "INFO", "table_catchup", "orders", ""),),
    )


def ready_report() -> Report:
    """A report with which the cutover may begin."""
    table = TableNow("orders", Phase.CATCHUP, 10, 10, 10, proven=MOMENT)
    report = replace(full_report(), tables=(table,), rejects=(), lag=0.0)
    return judged(report)


class FakeSampler:
    """Stands still at one report, until another is put in its place."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.counters = Counters()
        self.counters.passed(PassReport((TableReport("orders", Applied(5, 3, 1, 1, 1, 700), 0.01),), 0.02, 0.005))
        self.counters.succeeded("pass")
        self.counters.failed(ValueError("no"), again=True)

    def watch(self) -> Report:
        return self.report
