"""After a promotion: PostgreSQL's rows are safe from the old file, and what the old file still gets is told."""

import json
import shutil
from pathlib import Path

import pytest

from tests.plugins.cli import RunSyncd, StartSyncd
from tests.plugins.cutting import add, change, hold, is_sleeping, killed_at, state
from tests.plugins.patience import wait_until
from tests.plugins.scene import MakeScene, Scene
from tests.plugins.source import MakeSource, OpenWriter

_COMMANDS = ("load --force", "sweep", "run", "verify --repair", "rejects replay", "cutover --yes", "check --quick")
_EDITED = "SELECT count(*) FROM exchange_rate_history WHERE rate = 4242"


@pytest.fixture
def scene(database: str, make_scene: MakeScene, run_syncd: RunSyncd) -> Scene:
    made = make_scene(database, rows=2000, interval="200ms")
    assert run_syncd("load", "-c", made.config).returncode == 0
    return made


def test_no_file_writes_to_a_table_that_was_promoted(
    scene: Scene,
    run_syncd: RunSyncd,
    start_syncd: StartSyncd,
    make_source: MakeSource,
    open_writer: OpenWriter,
    tmp_path: Path,
) -> None:
    copied = Path(shutil.copy(scene.source, tmp_path / "copy.db"))
    open_writer(copied).execute("CREATE TABLE own (id INTEGER PRIMARY KEY)")
    daemon = start_syncd("run", "--force", "-c", scene.config, "--source", copied)
    loaded = f"SELECT phase FROM syncd.checkpoint WHERE source_name = '{copied}' AND table_name = 'own'"
    wait_until(lambda: scene.ask(loaded) == [("catchup",)], "what the copy alone has is loaded")
    add(scene, seal="rename")
    assert run_syncd("cutover", "--yes", "-c", scene.config).returncode == 0
    assert daemon.wait(20) == 4, daemon.stderr
    change(scene, "UPDATE exchange_rate_history SET rate = 4242")
    edited = scene.ask(_EDITED)
    sealed = scene.source.with_name(f"{scene.source.name}.sealed")

    for command in _COMMANDS:
        refused = run_syncd(*command.split(), "-c", scene.config, "--source", sealed)
        said = refused.stdout + refused.stderr
        assert (refused.returncode, "PostgreSQL took over" in said) == (4, True), f"{command}: {said}"
    assert run_syncd("sync", "-c", scene.config, "--source", copied).returncode == 4
    assert scene.ask(_EDITED) == edited

    other = make_source("CREATE TABLE other (id INTEGER PRIMARY KEY); INSERT INTO other VALUES (1)")
    assert run_syncd("load", "-c", scene.config, "--source", other).returncode == 0
    assert scene.ask("SELECT id FROM other") == [(1,)]
    change(scene, "DROP TABLE exchange_rate_history")
    for command in ("load", "sync"):
        anew = run_syncd(command, "-c", scene.config, "--source", sealed, "--tables", "exchange_rate_history")
        assert anew.returncode == 0, anew.stderr


@pytest.mark.usefixtures("held_at")
def test_killed_behind_the_promotion_it_tells_what_the_old_file_got_since(
    scene: Scene, run_syncd: RunSyncd, start_syncd: StartSyncd, open_writer: OpenWriter
) -> None:
    add(scene, seal="rename")
    killed_at(scene, "verify", start_syncd)
    assert run_syncd("cutover", "--abort", "-c", scene.config).returncode == 0
    assert "nothing was promoted" in run_syncd("report", "-c", scene.config).stderr
    change(
        scene,
        "CREATE TRIGGER behind BEFORE UPDATE ON syncd.cutover_step FOR EACH ROW"
        " WHEN (OLD.step = 'finish' AND OLD.outcome = 'done') EXECUTE FUNCTION syncd_test.wait('outcome')",
    )
    hold(scene, "done")
    cutover = start_syncd("cutover", "--yes", "-c", scene.config)
    wait_until(lambda: is_sleeping(scene), "behind the promotion", 60)
    cutover.kill9()
    hold(scene, "")
    assert state(scene) == "promoted"
    assert "still to be done" in run_syncd("status", "-c", scene.config).stdout
    writer = open_writer(scene.source)
    writer.execute("INSERT INTO exchange_rate_history (currency, rate, rate_date) VALUES ('CHF', 1, '2031-01-01')")
    writer.close()

    went_on = run_syncd("cutover", "--yes", "-c", scene.config)

    said = "PostgreSQL has none of it: exchange_rate_history: 1 row new or changed"
    assert (went_on.returncode, said in went_on.stderr, scene.source.exists()) == (1, True, False), went_on.stderr
    assert "still to be done" not in run_syncd("status", "-c", scene.config).stdout
    report = json.loads(run_syncd("report", "--json", "-c", scene.config).stdout)
    assert [(step["step"], step["outcome"]) for step in report["steps"][-2:]] == [
        ("finish", "done"),
        ("promoted", "failed"),
    ]
    assert (report["outcome"], report["verified"], said in str(report["warnings"])) == ("promoted", "full", True)
    assert run_syncd("cutover", "--yes", "-c", scene.config).returncode == 0
