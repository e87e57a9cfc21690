"""Who looks at the report while the daemon works: the log of alarms, notifications, the dashboard."""

from collections.abc import Iterator
from contextlib import contextmanager

from syncd.config import Config
from syncd.service.sampler import Sampler


@contextmanager
def watched(config: Config, sampler: Sampler) -> Iterator[None]:
    """Sample the report within the block, and show it to those whom the configuration names."""
    sampler.start()
    try:
        yield
    finally:
        sampler.close()
