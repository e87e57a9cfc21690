"""Secrets of the service that stand in files of their own, or in systemd's keeping."""

from pathlib import Path

from syncd.errors import ConfigError, RefusedError
from syncd.service.systemd import credential

SHORTEST_TOKEN = 16


def kept_secret(path: Path | None, name: str, where: str) -> str | None:
    """The text of the file, else of systemd's credential of that name, else None. Raises ConfigError, RefusedError."""
    if path is None:
        return credential(name)
    try:
        text = path.read_text("utf-8").strip()
    except PermissionError:
        advice = "Give the user that runs syncd the right to read it"
        raise RefusedError("the file may not be read", where=f"{where}: {path}", advice=advice) from None
    except OSError as error:
        raise ConfigError(f"the file cannot be read: {error.strerror}", where=f"{where}: {path}") from None
    except UnicodeDecodeError:
        raise ConfigError("the file is no UTF-8 text", where=f"{where}: {path}") from None
    if not text:
        raise ConfigError("the file is empty", where=f"{where}: {path}")
    return text
