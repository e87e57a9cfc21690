"""Who looks at the report while the daemon works: the dashboard, and those who are notified."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from syncd.config import Config, NotifyConfig
from syncd.engine.sides import state_home
from syncd.errors import ConfigError
from syncd.log import hide
from syncd.model import digest
from syncd.service.notify import Notifications
from syncd.service.sampler import Sampler
from syncd.service.secrets import SHORTEST_TOKEN, kept_secret
from syncd.service.systemd import credential

if TYPE_CHECKING:
    from syncd.service.web.server import WebServer


@contextmanager
def watched(config: Config, sampler: Sampler) -> Iterator[None]:
    """Sample the report within the block, and show it to those whom the configuration names. Raises ConfigError."""
    with ExitStack() as stack:
        if _is_wanted(config.notify):
            memory = state_home(config) / f"{digest(sampler.report.source, sampler.report.target)}.told"
            stack.enter_context(_notified(config.notify, sampler, memory))
        if config.web.listen:
            stack.callback(_serve(config, sampler).close)
        stack.enter_context(closing(sampler))
        sampler.start()
        yield


@contextmanager
def _notified(settings: NotifyConfig, sampler: Sampler, memory: Path) -> Iterator[None]:
    """Tell people what is new, to the very end: what happened just before it, and the fault that brought it."""
    notifications = Notifications(settings, sampler.report.source, memory)
    sampler.listen(notifications.hear)
    notifications.start()
    fault: Exception | None = None
    try:
        yield
    except Exception as error:
        fault = error
        raise
    finally:
        notifications.end(sampler.report, fault)


def _is_wanted(settings: NotifyConfig) -> bool:
    return bool(settings.urls or settings.urls_file or settings.command or credential("notifyurls"))


def _serve(config: Config, sampler: Sampler) -> "WebServer":
    try:
        # Imported here: who wants no dashboard need not wait for it, nor install it.
        from syncd.service.web.server import WebServer  # noqa: PLC0415
    except ModuleNotFoundError as error:
        advice = "pip install 'syncd[web]'"
        raise ConfigError(f"the dashboard needs {error.name}", where="[web] listen", advice=advice) from None
    token = kept_secret(config.web.token_file, "webtoken", "[web] token_file")
    if token is not None and len(token) < SHORTEST_TOKEN:
        raise ConfigError(f"the token has fewer than {SHORTEST_TOKEN} characters", where="[web] token_file")
    hide(token or "")
    server = WebServer(sampler, str(config.web.listen), config.web.hosts, token)
    server.start()
    return server
