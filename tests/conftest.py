"""What all tests may use: PostgreSQL, sources and their writers, a proxy that cuts connections, the command line."""

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
