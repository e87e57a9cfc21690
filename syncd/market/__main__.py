"""The market from the shell: `python -m syncd.market create | trade PATH`."""

import argparse
import json
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import apsw

from syncd.market.build import FULL_SIZE, create
from syncd.market.trader import Commit, Trader, TradeStatistics

_ENDINGS = (signal.SIGTERM, signal.SIGINT)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0, or 1 with the reason on stderr."""
    options = parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], None] = options.command
    try:
        command(options)
    except (OSError, ValueError, apsw.Error) as error:
        sys.stderr.write(f"{options.path}: {type(error).__name__}: {error}\n")
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m syncd.market", description="A market application on one SQLite file."
    )
    commands = parser.add_subparsers(required=True)

    creating = commands.add_parser("create", help="make a new market")
    creating.set_defaults(command=_create)
    creating.add_argument("path", type=Path)
    creating.add_argument("--rows", type=int, default=FULL_SIZE.rows, help="of all tables together (%(default)s)")
    creating.add_argument("--seed", type=int, default=7)

    trading = commands.add_parser("trade", help="write on a market until the time is over or SIGTERM comes")
    trading.set_defaults(command=_trade)
    trading.add_argument("path", type=Path)
    trading.add_argument("--seconds", type=float, default=math.inf, help="how long (without end)")
    trading.add_argument("--rate", type=_positive, default=20.0, help="commits a second, or inf (%(default)s)")
    trading.add_argument("--no-inserts", action="store_true")
    trading.add_argument("--no-updates", action="store_true")
    trading.add_argument("--deletes", action="store_true", help="also cancel trades")
    trading.add_argument("--silent-updates", action="store_true", help="also update where no timestamp tells")
    trading.add_argument("--busy-timeout", type=float, default=5.0, metavar="SECONDS")
    trading.add_argument("--seed", type=int, default=7)
    trading.add_argument("--json", action="store_true", help="a line at the start, each second and at the end")
    return parser


def _positive(text: str) -> float:
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError(f"must be above 0: {text}")
    return number


def _create(options: argparse.Namespace) -> None:
    size = create(options.path, rows=options.rows, seed=options.seed)
    sys.stdout.write(f"{options.path}: {size.rows} rows\n")


def _trade(options: argparse.Namespace) -> None:
    # Blocked in every thread, so that a signal is always fetched below and never interrupts a transaction.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
    stop = threading.Event()
    with _trader(options) as trader, ThreadPoolExecutor(1) as pool:
        report = _reporter(trader) if options.json else None
        trading = pool.submit(trader.trade, options.seconds, options.rate, stop, report)
        while not trading.done():
            if signal.sigtimedwait(_ENDINGS, 0.05):
                stop.set()
        _report_end(trader.statistics, options.json)
        trading.result()


def _trader(options: argparse.Namespace) -> Trader:
    return Trader(
        options.path,
        inserts=not options.no_inserts,
        updates=not options.no_updates,
        deletes=options.deletes,
        silent_updates=options.silent_updates,
        busy_timeout=options.busy_timeout,
        seed=options.seed,
    )


def _reporter(trader: Trader) -> Callable[[Commit], None]:
    """Writes a line now, and then after the first commit of each second."""
    _write_line("start", trader.statistics)
    last = time.monotonic()

    def report(_: Commit) -> None:
        nonlocal last
        if time.monotonic() - last >= 1:
            last = time.monotonic()
            _write_line("progress", trader.statistics)

    return report


def _report_end(statistics: TradeStatistics, as_json: bool) -> None:
    if as_json:
        _write_line("end", statistics)
        return
    sys.stdout.write(
        f"{statistics.commits} commits: {statistics.inserted} rows inserted, {statistics.updated} updated,"
        f" {statistics.deleted} deleted; {statistics.busy} given up on a locked file\n"
        f"seconds a commit: p50 {statistics.p50:.6f}, p99 {statistics.p99:.6f}, max {statistics.max:.6f}\n"
    )


def _write_line(event: str, statistics: TradeStatistics) -> None:
    sys.stdout.write(json.dumps({"event": event, **asdict(statistics)}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
