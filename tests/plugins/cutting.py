"""The night of a cutover: its settings, what is left of it, and a place where it can be made to wait."""

from contextlib import closing

import psycopg
import pytest

from tests.plugins.cli import RunSyncd, StartSyncd
from tests.plugins.patience import wait_until
from tests.plugins.scene import Scene
from tests.plugins.source import OpenWriter


def add(scene: Scene, **settings: str) -> None:
    """Add settings of [cutover] and [hooks] to the configuration."""
    hooks = {name: text for name, text in settings.items() if name.startswith("on_") or name == "timeout"}
    others = {name: text for name, text in settings.items() if name not in hooks}
    for section, keys in (("cutover", others), ("hooks", hooks)):
        lines = "".join(f"{name} = {text}\n" for name, text in keys.items())
        scene.config.write_text(f"{scene.config.read_text()}[{section}]\n{lines}")


def change(scene: Scene, script: str) -> None:
    """Change the target behind syncd's back."""
    with closing(psycopg.connect(scene.dsn, autocommit=True)) as connection:
        connection.execute(script.encode())


def state(scene: Scene) -> str:
    return str(scene.ask("SELECT state FROM syncd.cutover")[0][0])


def forms(scene: Scene) -> list[tuple[bool, ...]]:
    """Whether constraints of the tables can be deferred: false after promotion."""
    return scene.ask(
        "SELECT DISTINCT condeferrable FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
        " AND contype IN ('f', 'u', 'x') AND conname !~ 'tickers|etf_details_'"
    )


def assert_as_before(scene: Scene, run_syncd: RunSyncd, open_writer: OpenWriter) -> None:
    """Nothing of a cutover is left: writers write, syncd syncs, and no constraint has its final form."""
    writer = open_writer(scene.source)
    writer.execute("INSERT INTO exchange_rate_history (currency, rate, rate_date) VALUES ('CHF', 1, '2031-01-01')")
    writer.close()
    assert run_syncd("sweep", "-c", scene.config).returncode == 0
    assert scene.ask("SELECT count(*) FROM exchange_rate_history WHERE currency = 'CHF'") == [(1,)]
    assert (True,) in forms(scene)
    scene.assert_equal()


@pytest.fixture
def held_at(scene: Scene) -> None:
    """Let a cutover wait in the target before a step begins: see `hold`."""
    prepare_hold(scene)


def prepare_hold(scene: Scene) -> None:
    """Make what lets a cutover wait in the target; the schema `syncd` has to be there."""
    with closing(psycopg.connect(scene.dsn, autocommit=True)) as connection:
        connection.execute(
            "CREATE SCHEMA syncd_test; CREATE TABLE syncd_test.hold (step text);"
            "CREATE FUNCTION syncd_test.wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " WHILE EXISTS (SELECT FROM syncd_test.hold h WHERE h.step = to_jsonb(NEW) ->> TG_ARGV[0]) LOOP"
            " PERFORM pg_sleep(0.3); END LOOP; RETURN NEW; END $$;"
            "CREATE TRIGGER hold BEFORE INSERT ON syncd.cutover_step FOR EACH ROW"
            " EXECUTE FUNCTION syncd_test.wait('step');"
            "CREATE TRIGGER hold BEFORE UPDATE ON syncd.cutover FOR EACH ROW"
            " WHEN (NEW.state = 'promoted' AND OLD.state <> 'promoted') EXECUTE FUNCTION syncd_test.wait('state')"
        )


def hold(scene: Scene, step: str) -> None:
    """Let a cutover wait before that step begins; none where it is empty."""
    with closing(psycopg.connect(scene.dsn, autocommit=True)) as connection:
        connection.execute("DELETE FROM syncd_test.hold")
        if step:
            connection.execute("INSERT INTO syncd_test.hold VALUES (%s)", [step])


def is_sleeping(scene: Scene) -> bool:
    return bool(scene.ask("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"))


def killed_at(scene: Scene, step: str, start_syncd: StartSyncd) -> None:
    hold(scene, step)
    cutover = start_syncd("cutover", "--yes", "-c", scene.config)
    wait_until(lambda: is_sleeping(scene), f"at {step}")
    cutover.kill9()
    hold(scene, "")
    wait_until(lambda: not is_sleeping(scene), "the backend ended")
