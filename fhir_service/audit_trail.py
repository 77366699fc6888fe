"""The audit log of this deployment: its name, its signature, its checkpoints.

https://c2sp.org/tlog-checkpoint
"""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from consent.audit import checkpoint
from consent.audit.checkpoint import Checkpoint, CheckpointError
from consent.audit.entry import AuditRecord, Interaction, Outcome, encode
from fhir_service.auth.events import AuthEvent, AuthEventKind
from fhir_service.logs import describe
from fhir_service.storage import audit_log
from fhir_service.storage.audit_counting import HOUR_US
from fhir_service.storage.audit_index import AuditIndex
from fhir_service.storage.body import RequestSeal
from fhir_service.storage.engine import Database
from fhir_service.storage.keys import Keys
from fhir_service.storage.tables import SHARED

_log = structlog.get_logger()

FILE = "{size:020d}.checkpoint"

HEARTBEATS = "heartbeats"
"""Folder, beside the checkpoints, of those that were signed while nothing happened."""

HEARTBEAT = "{hour}.checkpoint"
"""Name of the one of an hour since 1970."""

_INTERACTIONS = {
    AuthEventKind.TOKEN_GRANTED: Interaction.TOKEN,
    AuthEventKind.TOKEN_REFUSED: Interaction.TOKEN,
    AuthEventKind.LOGIN: Interaction.LOGIN,
    AuthEventKind.LOGIN_FAILED: Interaction.LOGIN,
    AuthEventKind.LOGIN_THROTTLED: Interaction.LOGIN,
    AuthEventKind.LOGOUT: Interaction.LOGOUT,
    AuthEventKind.CLIENT_ADDED: Interaction.REGISTER,
    AuthEventKind.CLIENT_ROTATED: Interaction.KEY_ROTATION,
    AuthEventKind.CLIENT_REMOVED: Interaction.REVOKE,
    AuthEventKind.USER_ADDED: Interaction.USER_CHANGE,
    AuthEventKind.USER_REMOVED: Interaction.USER_CHANGE,
    AuthEventKind.USER_CHANGED: Interaction.USER_CHANGE,
    AuthEventKind.AUTHORIZED: Interaction.TOKEN,
    AuthEventKind.AUTHORIZATION_REFUSED: Interaction.TOKEN,
    AuthEventKind.AUTHORIZATION_ENDED: Interaction.REVOKE,
    AuthEventKind.CODE_REPLAYED: Interaction.TOKEN,
    AuthEventKind.REFRESH_REPLAYED: Interaction.TOKEN,
    AuthEventKind.TOKEN_REVOKED: Interaction.REVOKE,
    AuthEventKind.REVOCATION_REFUSED: Interaction.REVOKE,
    AuthEventKind.TOKEN_INTROSPECTED: Interaction.TOKEN,
    AuthEventKind.INTROSPECTION_REFUSED: Interaction.TOKEN,
    AuthEventKind.LAUNCHED: Interaction.TOKEN,
    AuthEventKind.PATIENT_CHOSEN: Interaction.TOKEN,
    AuthEventKind.PATIENTS_LOOKED_UP: Interaction.SEARCH,
    AuthEventKind.SECOND_FACTOR_SET: Interaction.USER_CHANGE,
    AuthEventKind.SECOND_FACTOR_FAILED: Interaction.LOGIN,
    AuthEventKind.SECOND_FACTOR_REMOVED: Interaction.USER_CHANGE,
    AuthEventKind.BREAK_GLASS: Interaction.BREAK_GLASS,
    AuthEventKind.BREAK_GLASS_REFUSED: Interaction.BREAK_GLASS,
    AuthEventKind.BREAK_GLASS_LISTED: Interaction.AUDIT_READ,
    AuthEventKind.BREAK_GLASS_REVIEWED: Interaction.USER_CHANGE,
    AuthEventKind.SIGNING_KEY_ROTATED: Interaction.KEY_ROTATION,
}


def origin_of(keys: Keys) -> str:
    """Return the name under which this log signs."""
    return f"fhir-interop-service/{keys.identity}"


def signer(keys: Keys, clock: Callable[[], int]) -> audit_log.Sign:
    """Return what signs a head: (size, root) → note."""
    origin = origin_of(keys)
    signed = checkpoint.signer(origin, keys.audit_signing)

    def sign(size: int, root: bytes) -> str:
        made = Checkpoint(origin=origin, size=size, root=root, time_us=clock())
        return signed(made).decode()

    return sign


@dataclass(frozen=True, kw_only=True)
class AuthSink:
    """Makes audit leaves of what authorization tells."""

    database: Database
    seal: RequestSeal
    pseudonym: Callable[[str], bytes]

    def leaf(self, event: AuthEvent) -> bytes:
        """Return the leaf for `event`."""
        with self.database.read() as snapshot:
            seal = self.seal.sealer(snapshot, SHARED)
        return encode(
            AuditRecord(
                time_us=event.at,
                interaction=_INTERACTIONS[event.kind],
                outcome=Outcome.ALLOWED if event.succeeded else Outcome.DENIED,
                request=f"{event.kind.value} {event.scopes}".strip(),
                user=event.user_id or "",
                client=_client(event),
                address=event.address or "",
                token=event.token_id or b"",
                purposes=event.purposes,
                patients=(
                    () if event.patient is None else (self.pseudonym(event.patient),)
                ),
                reason=event.reason or "",
            ),
            seal=seal,
        )


def _client(event: AuthEvent) -> str:
    if event.client_id is None:
        return ""
    return event.client_id if event.proven else f"claims {event.client_id}"


class CheckpointWriter:
    """Writes the signed head to a folder outside the database, at intervals.

    A removed tail and an older copy of the database are found against these files;
    so they belong on a disk that the database's administrator cannot write. In an
    hour in which nothing was recorded the same head is signed once more, so that the
    silence is one that the service has witnessed.

    Args:
        database: Where the log is.
        folder: Where checkpoints go.
        interval_s: Seconds between them.
        keys: Sign a head.
        clock: Microseconds since 1970.

    """

    def __init__(
        self,
        database: Database,
        folder: Path,
        interval_s: float,
        keys: Keys,
        clock: Callable[[], int],
    ) -> None:
        self._database = database
        self._folder = folder
        self._interval_s = interval_s
        self._keys = keys
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._loop, name="checkpoints", daemon=True
        )

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Write the last checkpoint and end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        export_checkpoint(self._database, self._folder)

    def _loop(self) -> None:
        while not self._stop.wait(self._interval_s):
            _once(self._export)

    def _export(self) -> None:
        export_checkpoint(self._database, self._folder)
        export_heartbeat(self._database, self._folder, self._keys, self._clock())


class AuditIndexer:
    """Brings the index of the log up to its end, so that a question need not.

    What goes wrong is told by the log and tried again: a question catches up itself.
    """

    INTERVAL_S = 2.0

    def __init__(self, database: Database, index: AuditIndex) -> None:
        self._database = database
        self._index = index
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._loop, name="audit index", daemon=True
        )

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _loop(self) -> None:
        while not self._stop.wait(self.INTERVAL_S):
            _once(lambda: self._index.catch_up(self._database))


def _once(work: Callable[[], object]) -> None:
    """Do a part of what goes on for ever; what fails is told and tried again."""
    try:
        work()
    except Exception as error:  # noqa: BLE001 - a full disk must not end the thread
        _log.error("failed", **describe(error))


def export_checkpoint(database: Database, folder: Path) -> Path | None:
    """Write the newest signed head; return its file, or None for an empty log."""
    with database.read() as snapshot:
        head = audit_log.head(snapshot)
    if head is None:
        return None
    path = folder / FILE.format(size=head.frontier.size)
    _write(path, head.note)
    return path


def export_heartbeat(
    database: Database, folder: Path, keys: Keys, now_us: int
) -> Path | None:
    """Sign the head again in an hour without a row; None where there is one.

    Only what was signed before is: a head that somebody has put there gets no
    signature by waiting for an hour.

    Args:
        database: Where the log is.
        folder: Of the checkpoints.
        keys: Sign a head.
        now_us: The time.

    Raises:
        CheckpointError: where the head is not the one that was signed.

    """
    with database.read() as snapshot:
        head = audit_log.head(snapshot)
    if head is None:
        return None
    signed = checkpoint.verify(
        head.note.encode(),
        origin=origin_of(keys),
        public_key=keys.audit_signing.public_key(),
    )
    if signed.head != head.frontier.head():
        raise CheckpointError("The head of the log is not the one that was signed.")
    hour = now_us // HOUR_US
    if signed.time_us // HOUR_US >= hour:
        return None
    path = folder / HEARTBEATS / HEARTBEAT.format(hour=hour)
    if not path.exists():
        _write(path, signer(keys, lambda: now_us)(signed.size, signed.root))
    return path


def _write(path: Path, note: str) -> None:
    """Write a note durably, once."""
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as sink:
        sink.write(note.encode())
        sink.flush()
        os.fsync(sink.fileno())
    part.rename(path)


def checkpoints_in(folder: Path) -> list[bytes]:
    """Return every exported checkpoint."""
    return [path.read_bytes() for path in sorted(folder.glob("*.checkpoint"))]
