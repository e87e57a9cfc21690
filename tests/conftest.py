"""What all tests may use: PostgreSQL, sources and their writers, a proxy that cuts connections, the command line."""

import signal

# A shell lets what it starts behind a `&` ignore SIGINT, and with it every process that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = [
    "tests.plugins.postgres",
    "tests.plugins.source",
    "tests.plugins.moving",
    "tests.plugins.proxy",
    "tests.plugins.cli",
    "tests.plugins.scene",
    "tests.plugins.cutting",
    "tests.plugins.disk",
    "tests.plugins.browser",
    "tests.plugins.exactness",
    "tests.plugins.runbook",
    "tests.plugins.settings",
    "tests.plugins.logs",
    "tests.plugins.consoles",
]
