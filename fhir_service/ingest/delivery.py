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
        accounts: The vendor's names of users whom the payload tells of, as far as it
            was read as a whole.
        clock_us: What time it is now, where that is later than `received_us`: parts
            that are tried again are no longer of the future.
        settled_us: What is stored since then has corrected what is tried again.
        of_batches: Only versions of these batches are amended: what others have
            corrected since stays.

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
    accounts: frozenset[str] = frozenset()
    clock_us: int | None = None
    settled_us: int | None = None
    of_batches: frozenset[int] | None = None

    @property
    def is_first(self) -> bool:
        """Whether it comes from its source now, and is not read again from here."""
        return self.settled_us is None and self.of_batches is None

    @property
    def now_us(self) -> int:
        """Return the time against which readings are held."""
        return self.received_us if self.clock_us is None else self.clock_us
