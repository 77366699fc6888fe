"""`fhir-service import`: a file of any size, never held in memory as a whole.

A vendor whose payloads are small JSON is read as at the device door; then the file is
held in memory, and is at most `MAX_JSON_BYTES` long.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from consent.audit.entry import Interaction
from fhir_service.auth.bearer import Grant
from fhir_service.exchange import Services
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.intake import Origin, take
from fhir_service.ingest.receipt import Receipt
from mappings.measurement import Reading, Reason, Refusal
from mappings.vendors.table import VENDORS, Vendor

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MAX_JSON_BYTES = 256 * 1024 * 1024
"""Of a file that is held in memory."""

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
) -> Receipt:
    """Import a vendor's file for one patient; return the account of all of it.

    Raises:
        FHIRError: `not-supported` for a vendor that nobody knows.

    """
    vendor = VENDORS.get(source)
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
    delivery = Delivery(
        source=source,
        parser=vendor.parser,
        identifier_system=vendor.system,
        is_registered=vendor.is_registered,
        patient_id=patient_id,
        grant=grant,
        payload_sha256=None,
        received_us=now_us,
    )
    origin = Origin(
        interaction=Interaction.IMPORT,
        request=f"import {source}",
        user=grant.client_name,
    )
    return take(services, delivery, origin, readings)


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
            payload = fhir_json.loads_foreign(path.read_bytes())
        except FHIRError:
            yield _unreadable("The file is not JSON.")
            return
        yield from vendor.parse(payload, received_at=received_at, zone=zone)
        progress(size)

    return parse


def _unreadable(detail: str) -> Refusal:
    return Refusal("$", Reason.MALFORMED, None, detail)
