"""A full comparison while the application writes: no row that changes meanwhile is called different."""

import json

import pytest

from tests.plugins.cli import RunSyncd, StartSyncd
from tests.plugins.scene import MakeScene


@pytest.mark.parametrize("beside_daemon", [False, True])
def test_no_false_difference_beside_a_writer(
    make_scene: MakeScene, database: str, run_syncd: RunSyncd, start_syncd: StartSyncd, beside_daemon: bool
) -> None:
    scene = make_scene(database, rows=20_000)
    assert run_syncd("load", "-c", scene.config).returncode == 0
    trading = scene.trade(rate=150)
    if beside_daemon:
        start_syncd("run", "-c", scene.config).wait_for("started")

    for _ in range(4):
        verified = run_syncd("verify", "-c", scene.config, "--json")
        found = json.loads(verified.stdout)
        assert (verified.returncode, found["found"], found["differences"]) == (0, 0, []), verified.stdout
        assert sum(table["compared"] for table in found["tables"]) >= 20_000

    assert trading.stop()["commits"] > 0


def test_a_difference_is_found_and_repaired_beside_a_writer(
    make_scene: MakeScene, database: str, run_syncd: RunSyncd
) -> None:
    scene = make_scene(database, rows=5_000)
    assert run_syncd("load", "-c", scene.config).returncode == 0
    trading = scene.trade(rate=150)
    (table,), *_ = scene.ask(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'public' AND c.relkind = 'r' AND c.relname = 'ohlcv_data'"
    )
    scene.ask(f"UPDATE {table} SET close = close + 1 WHERE ctid = (SELECT min(ctid) FROM {table}) RETURNING 1")

    different = json.loads(run_syncd("verify", "-c", scene.config, "--json").stdout)
    repaired = run_syncd("verify", "-c", scene.config, "--repair", "--json")

    assert [(d["table"], d["kind"], d["detail"]) for d in different["differences"]] == [(table, "different", "close")]
    assert (repaired.returncode, json.loads(repaired.stdout)["repaired"]) == (0, 1)
    trading.stop()
    assert run_syncd("verify", "-c", scene.config).returncode == 0
