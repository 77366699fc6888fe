"""One payload as bytes, through whichever door: read, stored, audited, accounted for.

The HTTP door, a vendor's push and the MQTT subscriber end here; they differ in who may
speak for which source, and in what they answer.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from fhir_service.auth.bearer import Grant
from fhir_service.exchange import Services
from fhir_service.ingest import sources
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.intake import Origin, take
from fhir_service.ingest.receipt import Receipt

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A payload at a door that has let it in.

    Attributes:
        source: The vendor's name.
        body: JSON text, as it came.
        grant: For whom it is delivered.
        origin: What the audit says of how it came.
        received_us: When, microseconds since 1970.
        patient_id: The Patient that the request names, or None.
        zone: IANA name of the zone of local times, where the request gives one.
        gateway: What brought it, such as a broker's name; goes into Provenance.

    """

    source: str
    body: bytes
    grant: Grant
    origin: Origin
    received_us: int
    patient_id: str | None = None
    zone: str | None = None
    gateway: str | None = None


def arrive(services: Services, arrival: Arrival) -> Receipt:
    """Store what may be stored of a payload; return the account of all of it.

    Raises:
        FHIRError: `not-found` for a source nobody knows, whatever makes a body
            unreadable as a whole, and what interrupts it: what is stored then counts
            as duplicate when sent again.

    """
    with services.database.read() as snapshot:
        vendor = sources.find(snapshot, arrival.source)
    if vendor is None:
        raise FHIRError(IssueType.NOT_FOUND, "There is no such source here.")
    payload = fhir_json.loads_foreign(arrival.body)
    if not isinstance(payload, dict | list):
        raise FHIRError(
            IssueType.STRUCTURE, "The payload is a JSON object, or a list of them."
        )
    received = _EPOCH + timedelta(microseconds=arrival.received_us)
    delivery = Delivery(
        source=arrival.source,
        parser=vendor.parser,
        identifier_system=vendor.system,
        is_registered=vendor.is_registered,
        patient_id=arrival.patient_id,
        grant=arrival.grant,
        payload_sha256=hashlib.sha256(arrival.body).digest(),
        received_us=arrival.received_us,
        raw=arrival.body,
        zone=arrival.zone,
        gateway=arrival.gateway,
    )
    # A body that cannot be read as a whole is refused before any of it is stored.
    readings = list(vendor.parse(payload, received_at=received, zone=arrival.zone))
    receipt = take(services, delivery, arrival.origin, readings)
    for fate, count in receipt.counts.items():
        services.metrics.ingested(source=arrival.source, outcome=fate.word, count=count)
    return receipt
