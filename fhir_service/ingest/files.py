"""`fhir-service import`: a file of any size, never held in memory as a whole.

A vendor whose payloads are small JSON is read as at the device door; then the file is
held in memory, and is at most `MAX_JSON_BYTES` long.
"""

import codecs
import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from consent.audit.entry import Interaction
from fhir_service.auth.bearer import Grant
from fhir_service.exchange import Services
from fhir_service.ingest import phd, sources
from fhir_service.ingest.arrival import Arrival, arrive
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.intake import Origin, take
from fhir_service.ingest.paired import paired_zone
from fhir_service.ingest.receipt import Receipt
from mappings.measurement import Reading, Reason, Refusal
from mappings.vendors.table import Vendor

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MAX_JSON_BYTES = 256 * 1024 * 1024
"""Of a file that is held in memory."""

MAX_KEPT_BYTES = 16 * 1024 * 1024
"""Of an imported file that is kept as it came, for a replay."""

Progress = Callable[[int], None]
"""Told how many bytes of the file have been read."""


def import_file(  # noqa: PLR0913 - what the command line says
    services: Services,
    source: str,
    path: Path,
    *,
    patient_id: str,
    grant: Grant,
    zone: str | None = None,
    progress: Progress = lambda _: None,
    taken: int = 0,
    done: Callable[[int, Receipt], None] = lambda _count, _receipt: None,
) -> Receipt:
    """Import a vendor's file for one patient; return the account of all of it.

    Args:
        services: Where it is stored.
        source: The vendor's name.
        path: The file.
        patient_id: Whose it is.
        grant: Who imports it.
        zone: IANA name of the zone of local times; else that of her pairing holds.
        progress: Told how many bytes were read.
        taken: Readings at its beginning that are accounted for already.
        done: As `intake.take` tells it, of those after.

    Raises:
        FHIRError: `not-supported` for a vendor that nobody knows.

    """
    if source == phd.SOURCE:
        return _upload(services, path, patient_id=patient_id, grant=grant)
    with services.database.read() as snapshot:
        vendor = sources.find(snapshot, source)
        zone = zone or paired_zone(snapshot, source, patient_id, services.clock())
    if vendor is None:
        raise FHIRError(
            IssueType.NOT_SUPPORTED, f"{source[:64]} is not imported from files."
        )
    now_us = services.clock()
    parse = _parse_json(vendor) if vendor.parse_file is None else vendor.parse_file
    readings = parse(
        path,
        received_at=_EPOCH + timedelta(microseconds=now_us),
        zone=zone,
        progress=progress,
    )
    is_small = vendor.parse_file is None and path.stat().st_size <= MAX_KEPT_BYTES
    delivery = Delivery(
        source=source,
        parser=vendor.parser,
        identifier_system=vendor.system,
        is_registered=vendor.is_registered,
        patient_id=patient_id,
        grant=grant,
        payload_sha256=_sha256(path),
        received_us=now_us,
        raw=_body(path) if is_small and not taken else None,
        zone=zone,
    )
    origin = Origin(
        interaction=Interaction.IMPORT,
        request=f"import {source}",
        user=grant.client_name,
    )
    return take(services, delivery, origin, islice(readings, taken, None), done)


def _upload(
    services: Services, path: Path, *, patient_id: str, grant: Grant
) -> Receipt:
    """Import what a personal health gateway has written: FHIR resources.

    Raises:
        FHIRError: `too-long` for a file longer than what is held in memory; what
            makes it unreadable as a whole.

    """
    if path.stat().st_size > MAX_JSON_BYTES:
        raise FHIRError(IssueType.TOO_LONG, "The file is too long to be read at once.")
    body = path.read_bytes()
    origin = Origin(
        interaction=Interaction.IMPORT,
        request=f"import {phd.SOURCE}",
        user=grant.client_name,
    )
    return arrive(
        services,
        Arrival(
            source=phd.SOURCE,
            body=body,
            grant=grant,
            origin=origin,
            received_us=services.clock(),
            patient_id=patient_id,
        ),
    )


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _body(path: Path) -> bytes:
    return path.read_bytes().removeprefix(codecs.BOM_UTF8)


def _parse_json(vendor: Vendor) -> Callable[..., Iterator[Reading]]:
    """Return what reads a JSON file as the device door reads a body."""

    def parse(
        path: Path, *, received_at: datetime, zone: str | None, progress: Progress
    ) -> Iterator[Reading]:
        size = path.stat().st_size
        if size > MAX_JSON_BYTES:
            yield _unreadable("The file is longer than what is read as one JSON text.")
            return
        try:
            payload = fhir_json.loads_foreign(_body(path))
        except FHIRError:
            yield _unreadable("The file is not JSON.")
            return
        yield from vendor.parse(payload, received_at=received_at, zone=zone)
        progress(size)

    return parse


def _unreadable(detail: str) -> Refusal:
    return Refusal("$", Reason.MALFORMED, None, detail)
