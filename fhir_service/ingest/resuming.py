"""A file is imported once, and goes on where the process before was ended.

A file is known by a keyed digest of its contents, whatever its name. What a parser of
the same version has accounted for is passed over; the accounts of both processes add
up, but for the places of single measurements, which the one that read them has told.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from fhir_service.auth.bearer import Grant
from fhir_service.exchange import Services
from fhir_service.ingest import phd, sources
from fhir_service.ingest.files import Progress, import_file
from fhir_service.ingest.receipt import Fate, Receipt
from fhir_service.storage import file_imports
from fhir_service.storage.file_imports import FileImport, Place
from fhir_service.storage.patients import PatientState

_PIECE = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Importing:
    """What is the same for every file of an import.

    Attributes:
        services: Where they are stored.
        source: The vendor's name.
        patient: Whose they are.
        grant: Who imports them.
        zone: IANA name of the zone of local times, where somebody has said so.

    """

    services: Services
    source: str
    patient: PatientState
    grant: Grant
    zone: str | None = None

    def parser(self) -> str:
        """Return what reads the files: another one reads them anew.

        Raises:
            FHIRError: `not-supported` for a source that nobody knows.

        """
        if self.source == phd.SOURCE:
            return phd.PARSER
        with self.services.database.read() as snapshot:
            vendor = sources.find(snapshot, self.source)
        if vendor is None:
            raise FHIRError(
                IssueType.NOT_SUPPORTED,
                f"{self.source[:64]} is not imported from files.",
            )
        return vendor.parser if self.zone is None else f"{vendor.parser} {self.zone}"

    def place(self, path: Path) -> Place:
        """Return what a file is known by."""
        digest = hashlib.blake2b(
            digest_size=16, key=self.services.repository.content_secret
        )
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
        return self.patient.key, digest.digest(), self.source

    def known(self, place: Place) -> FileImport | None:
        """Return how far a file has come with today's parser, if it was begun."""
        with self.services.database.read() as snapshot:
            found = file_imports.find(snapshot, place)
        return found if found is not None and found.parser == self.parser() else None

    def take(
        self, path: Path, place: Place, progress: Progress = lambda _: None
    ) -> Receipt:
        """Import a file, from where an earlier import of it was ended.

        One that came to its end is read again, which changes nothing that is stored.

        Raises:
            FHIRError: as `import_file`.

        """
        known = self.known(place)
        services = self.services
        if known is None or known.finished is not None:
            known, parser = None, self.parser()
            services.database.write(
                lambda transaction: file_imports.begin(
                    transaction, place, parser, services.clock()
                )
            )
        before = _restored(self.source, known)
        taken = 0 if known is None else known.taken
        self._import(path, place, taken, before, progress)
        return before

    def _import(
        self,
        path: Path,
        place: Place,
        taken: int,
        before: Receipt,
        progress: Progress,
    ) -> None:
        """Import what follows, and add its account to the one before."""
        counted = _Counted(taken)

        def done(count: int, receipt: Receipt) -> None:
            counted.taken = taken + count
            self._advance(place, counted.taken, _sum(before, receipt))

        receipt = import_file(
            self.services,
            self.source,
            path,
            patient_id=self.patient.id,
            grant=self.grant,
            zone=self.zone,
            progress=progress,
            taken=taken,
            done=done,
        )
        before.merge(receipt)
        if is_unreadable(before):
            self._advance(place, 0, Receipt(source=self.source))
        else:
            self._advance(place, counted.taken, before, self.services.clock())

    def _advance(
        self, place: Place, taken: int, receipt: Receipt, finished: int | None = None
    ) -> None:
        counts = _told(receipt)
        self.services.database.write(
            lambda transaction: file_imports.advance(
                transaction, place, taken=taken, counts=counts, finished=finished
            )
        )


def is_unreadable(receipt: Receipt) -> bool:
    """Whether nothing of a file was understood; it is not done with then."""
    return 0 < receipt.received == receipt.counts[Fate.QUARANTINED]


@dataclass
class _Counted:
    taken: int


def _sum(one: Receipt, other: Receipt) -> Receipt:
    """Return the counts of both, without the places of single measurements."""
    both = Receipt(source=one.source)
    for receipt in (one, other):
        both.counts.update(receipt.counts)
        both.kinds.update(receipt.kinds)
        both.flags.update(receipt.flags)
    return both


def _told(receipt: Receipt) -> str:
    return fhir_json.dumps(
        {
            "kinds": [
                [kind, fate.value, reason, count]
                for (kind, fate, reason), count in sorted(receipt.kinds.items())
            ],
            "flags": dict(receipt.flags),
        }
    ).decode()


def _restored(source: str, known: FileImport | None) -> Receipt:
    """Return the account that an earlier process has left."""
    receipt = Receipt(source=source)
    if known is None or known.counts is None:
        return receipt
    told: dict[str, Any] = fhir_json.loads_object(known.counts.encode())
    for kind, fate, reason, count in told["kinds"]:
        receipt.kinds[kind, Fate(fate), reason] += count
        receipt.counts[Fate(fate)] += count
    receipt.flags.update(told["flags"])
    receipt.is_cut = bool(receipt.received)
    return receipt


Told = Callable[[Path, Receipt | Exception], None]
"""Told what became of a file."""
