"""What the last examination of the whole log found, and whether one goes on.

A file of the data folder keeps the last result, whichever process had it made. While
one goes on another file is locked; the lock is gone with the process that held it.

https://man7.org/linux/man-pages/man2/flock.2.html
"""

import fcntl
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from consent.audit.verification import Report
from fhir_service.compliance import integrity
from fhir_service.compliance.integrity import LogKey
from fhir_service.storage.engine import Database

LAST = "examination.json"
GOING_ON = ".examining"
_TRIES, _TRY_S = 5, 0.01


@dataclass(frozen=True, kw_only=True)
class Examination:
    """A look at the whole log.

    Attributes:
        began_us: When it began, microseconds since 1970.
        ended_us: When it ended.
        is_whole: Whether nothing is wrong.
        told: What it found, in sentences.

    """

    began_us: int
    ended_us: int
    is_whole: bool
    told: str


class Examinations:
    """Has the log examined, once at a time for all processes of a data folder.

    Args:
        database: Where the log is.
        key: By what is known that something is of this log.
        checkpoints: Folder of those that the service exported; what was found is kept
            beside it.
        clock: Microseconds since 1970.

    """

    def __init__(
        self,
        database: Database,
        key: LogKey,
        checkpoints: Path,
        clock: Callable[[], int],
    ) -> None:
        self._database = database
        self._key = key
        self._checkpoints = checkpoints
        self._folder = checkpoints.parent
        self._clock = clock

    def examine(self) -> Report:
        """Return what is wrong with the log, and keep no note of it."""
        return integrity.examine(self._database, self._key, self._checkpoints)

    def run(self) -> Report | None:
        """Return what an examination finds; None where another one goes on.

        A full disk loses the note of it, not the answer.
        """
        with self._alone() as file:
            if file is None:
                return None
            began = self._clock()
            with suppress(OSError):
                file.truncate(0)
                file.write(str(began))
                file.flush()
            report = self.examine()
            made = Examination(
                began_us=began,
                ended_us=self._clock(),
                is_whole=report.is_intact,
                told=integrity.told(report),
            )
            with suppress(OSError):
                self._keep(made)
            return report

    def last(self) -> Examination | None:
        """Return the last one that ended; None before the first."""
        with suppress(OSError, ValueError, TypeError):
            kept = json.loads((self._folder / LAST).read_text("utf-8"))
            return Examination(**kept)
        return None

    def goes_on_since(self) -> int | None:
        """Return when the one that goes on began; None where none does."""
        with suppress(OSError, ValueError):
            with self._alone() as file:
                if file is not None:
                    return None
            return int((self._folder / GOING_ON).read_text("ascii"))
        return None

    @contextmanager
    def _alone(self) -> Iterator[TextIO | None]:
        """Yield the file that is locked meanwhile; None where another has it."""
        with (self._folder / GOING_ON).open("a+", encoding="ascii") as file:
            yield file if _locked(file) else None

    def _keep(self, made: Examination) -> None:
        new = self._folder / f"{LAST}.new"
        new.write_text(json.dumps(asdict(made)), "utf-8")
        new.chmod(0o600)
        new.replace(self._folder / LAST)


def _locked(file: TextIO) -> bool:
    """Lock a file; one who only asks has it for an instant, an examination longer."""
    for _ in range(_TRIES):
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(_TRY_S)
    return False
