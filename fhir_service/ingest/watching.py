"""A folder of files of one patient: each is imported once, now or as it comes.

Folders inside are walked too; what begins with a dot, what is still being written under
a name of its own, and links are passed over. A file is taken once its size and time
have stayed as they are from one look to the next.
"""

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fhir_service.ingest.files import Progress
from fhir_service.ingest.resuming import Importing, Told, is_unreadable

POLL_S = 1.0
"""Seconds between two looks."""

RETRY_S = (30.0, 3600.0)
"""Seconds after which a file that failed is tried again: at first, and at most."""

UNFINISHED = (".part", ".partial", ".tmp", ".crdownload", ".filepart")
"""Ends of names under which programs write files that are not complete."""

State = tuple[int, int]
"""Size in bytes and time of the last change in nanoseconds."""


def files_in(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder that may be complete, in the order of their names."""
    for place, folders, names in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(place, name)
            hidden = name.startswith(".") or name.lower().endswith(UNFINISHED)
            if not hidden and path.is_file() and not path.is_symlink():
                yield path


@dataclass
class _Failed:
    """A file that failed: how it was, and when it is tried again."""

    state: State
    again_s: float
    pause_s: float


@dataclass
class Folder:
    """Imports the files of a folder.

    Attributes:
        path: The folder.
        importing: How.
        told: Told what became of each file.
        progress: Told how many bytes of a file have been read.
        failed: Files that failed, until they succeed.

    """

    path: Path
    importing: Importing
    told: Told
    progress: Progress = lambda _: None
    failed: dict[Path, _Failed] = field(default_factory=dict)
    _seen: dict[Path, State] = field(default_factory=dict)
    _done: dict[Path, State] = field(default_factory=dict)

    def once(self) -> None:
        """Import every file that is there now and was not imported before."""
        for path in files_in(self.path):
            self._take(path, now_s=0.0)

    def look(self, now_s: float) -> None:
        """Import the files that are as they were at the look before."""
        seen: dict[Path, State] = {}
        for path in files_in(self.path):
            state = _state(path)
            if state is None:
                continue
            seen[path] = state
            if self._seen.get(path) == state and self._is_due(path, state, now_s):
                self._take(path, now_s)
        self._seen = seen
        self._done = {path: at for path, at in self._done.items() if path in seen}
        self.failed = {path: at for path, at in self.failed.items() if path in seen}

    def watch(self, stopping: threading.Event, clock_s: Callable[[], float]) -> None:
        """Look again and again until `stopping` is set."""
        while not stopping.is_set():
            self.look(clock_s())
            stopping.wait(POLL_S)

    def _is_due(self, path: Path, state: State, now_s: float) -> bool:
        failed = self.failed.get(path)
        if failed is not None and failed.state == state:
            return now_s >= failed.again_s
        return self._done.get(path) != state

    def _take(self, path: Path, now_s: float) -> None:
        """Import a file that is not known, and say what became of it."""
        state = _state(path)
        try:
            place = self.importing.place(path)
            known = self.importing.known(place)
            if known is None or known.finished is None:
                receipt = self.importing.take(path, place, self.progress)
                self.told(path, receipt)
                if is_unreadable(receipt):
                    self._fail(path, state, now_s)
                    return
        except Exception as error:  # noqa: BLE001 - one file must not keep others out
            self.told(path, error)
            self._fail(path, state, now_s)
            return
        self.failed.pop(path, None)
        if state is not None:
            self._done[path] = state

    def _fail(self, path: Path, state: State | None, now_s: float) -> None:
        """Try a file again later, each time after a longer pause."""
        before = self.failed.get(path)
        pause_s = RETRY_S[0]
        if before is not None and before.state == state:
            pause_s = min(before.pause_s * 2, RETRY_S[1])
        self.failed[path] = _Failed(state or (0, 0), now_s + pause_s, pause_s)


def _state(path: Path) -> State | None:
    """Return size and time of a file; None where it has gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
