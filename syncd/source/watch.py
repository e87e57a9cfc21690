"""Being told that the source's file changed. The telling is a hint: `Database.data_version` decides."""

from collections.abc import Callable
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

_WRITES = frozenset({"modified", "created", "deleted", "moved"})


class _Handler(FileSystemEventHandler):
    def __init__(self, path: Path, changed: Callable[[], None]) -> None:
        self._names = {str(path), f"{path}-wal", f"{path}-journal"}
        self._changed = changed

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in _WRITES and event.src_path in self._names:
            self._changed()


def watch(path: Path, changed: Callable[[], None]) -> BaseObserver:
    """Call `changed` from a thread of its own whenever the file or its journal is written; stop it by `.stop()`.

    Raises OSError where the system has no more inotify watches.
    """
    observer = Observer()
    observer.schedule(_Handler(path, changed), str(path.parent))
    observer.start()
    return observer
