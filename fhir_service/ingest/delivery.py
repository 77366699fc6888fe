"""One payload on its way in: who brings it, for whom, and under which parser."""

from dataclasses import dataclass

from fhir_service.auth.bearer import Grant


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What is the same for every measurement of a payload.

    Attributes:
        source: The vendor's name, as in the URL.
        parser: Name and version of the parser, for Provenance.
        identifier_system: URI under which the source's own ids are kept.
        is_registered: Patient and room come from the device's registration; a
            device that nobody registered is not accepted.
        patient_id: The Patient named by the request, or None.
        grant: Who brings it.
        payload_sha256: Hash of the raw payload; None for a streamed file.
        received_us: When it came, microseconds since 1970.
        raw: The payload as it came, to be kept for a replay; None for a stream.
        zone: IANA name of the zone of its local times, where somebody has said so.
        gateway: What brought it, such as a broker's name; None for a client itself.

    """

    source: str
    parser: str
    identifier_system: str
    is_registered: bool
    patient_id: str | None
    grant: Grant
    payload_sha256: bytes | None
    received_us: int
    raw: bytes | None = None
    zone: str | None = None
    gateway: str | None = None
