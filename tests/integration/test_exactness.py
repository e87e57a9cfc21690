"""Whatever an application writes, and whenever syncd dies: after a pass and a sweep the target is the source.

SYNCD_TEST_EXAMPLES   how many stories to try, 20 unless given
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.plugins import shop
from tests.plugins.exactness import Exactness, MakeWorld

_EXAMPLES = int(os.environ.get("SYNCD_TEST_EXAMPLES", "20"))
_SECONDS_TO_SHRINK = 600


@pytest.mark.timeout(_SECONDS_TO_SHRINK + 20 * _EXAMPLES)
def test_the_target_and_the_rejects_are_the_source(make_world: MakeWorld) -> None:
    world = make_world(*shop.TABLES)

    class Here(Exactness):
        def __init__(self) -> None:
            super().__init__(world)

    run_state_machine_as_test(
        Here,
        settings=settings(
            database=None,
            deadline=None,
            max_examples=_EXAMPLES,
            stateful_step_count=15,
            report_multiple_bugs=False,
            print_blob=True,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
