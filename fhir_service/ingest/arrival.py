"""One payload as bytes, through whichever door: read, stored, audited, accounted for.

The HTTP door, a vendor's push and the MQTT subscriber end here; they differ in who may
speak for which source, and in what they answer.
"""

import codecs
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from fhir_service.auth.bearer import Grant
from fhir_service.exchange import Services
from fhir_service.ingest import phd, sources
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.intake import Origin, take
from fhir_service.ingest.paired import paired_zone
from fhir_service.ingest.receipt import Receipt
from mappings.measurement import Deletion, Measurement, Reading
from mappings.vendors.hl7_phd import parts

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
        zone: IANA name of the zone of local times, where the request gives one; else
            that of the patient's pairing with the source holds, if it has one.
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
    if arrival.source == phd.SOURCE:
        return _uploaded(services, arrival)
    with services.database.read() as snapshot:
        vendor = sources.find(snapshot, arrival.source)
        zone = arrival.zone or paired_zone(
            snapshot, arrival.source, arrival.patient_id, arrival.received_us
        )
    if vendor is None:
        raise FHIRError(IssueType.NOT_FOUND, "There is no such source here.")
    body = arrival.body.removeprefix(codecs.BOM_UTF8)
    payload = fhir_json.loads_foreign(body)
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
        raw=body,
        zone=zone,
        gateway=arrival.gateway,
    )
    # A body that cannot be read as a whole is refused before any of it is stored.
    readings = list(vendor.parse(payload, received_at=received, zone=zone))
    delivery = replace(delivery, accounts=accounts_of(readings))
    receipt = take(services, delivery, arrival.origin, readings)
    _count(services, receipt)
    return receipt


def accounts_of(readings: Iterable[Reading]) -> frozenset[str]:
    """Return the vendor's names of the users whom readings tell of."""
    return frozenset(
        one.patient
        for one in readings
        if isinstance(one, Measurement | Deletion) and one.patient is not None
    )


def _uploaded(services: Services, arrival: Arrival) -> Receipt:
    """Store what a personal health gateway uploads: resources, no measurements."""
    delivery = Delivery(
        source=phd.SOURCE,
        parser=phd.PARSER,
        identifier_system=parts.SYSTEM,
        is_registered=False,
        patient_id=arrival.patient_id,
        grant=arrival.grant,
        payload_sha256=hashlib.sha256(arrival.body).digest(),
        received_us=arrival.received_us,
        raw=arrival.body.removeprefix(codecs.BOM_UTF8),
        gateway=arrival.gateway,
    )
    receipt = phd.take_upload(services, delivery, arrival.origin)
    _count(services, receipt)
    return receipt


def _count(services: Services, receipt: Receipt) -> None:
    for fate, count in receipt.counts.items():
        services.metrics.ingested(source=receipt.source, outcome=fate.word, count=count)
