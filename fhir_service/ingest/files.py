"""`fhir-service import`: a file of any size, never held in memory as a whole."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from conformance.issues import FHIRError, IssueType
from consent.audit.entry import Interaction
from fhir_service.auth.bearer import Grant
from fhir_service.exchange import Services
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.intake import Origin, take
from fhir_service.ingest.receipt import Receipt
from mappings.vendors.table import VENDORS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

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
        FHIRError: `not-supported` for a vendor without a file format.

    """
    vendor = VENDORS.get(source)
    if vendor is None or vendor.parse_file is None:
        raise FHIRError(
            IssueType.NOT_SUPPORTED, f"{source[:64]} is not imported from files."
        )
    now_us = services.clock()
    readings = vendor.parse_file(
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
