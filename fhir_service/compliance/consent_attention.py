"""Consents that somebody should look at: faulty ones, and those that end soon.

https://hl7.org/fhir/R4/consent.html
"""

from collections.abc import Iterator
from dataclasses import dataclass

from conformance import fhir_json
from consent.provisions import read
from fhir_service.compliance.rows import Reader
from fhir_service.compliance.zones import DAY_US
from fhir_service.storage import organization_consents, rows, types
from fhir_service.storage.resources import Stored

SOON_US = 30 * DAY_US
"""How long before its end a consent is told."""

PAGE = 500
"""Consents that are looked at for one page."""


@dataclass(frozen=True, kw_only=True)
class Attention:
    """A consent, and why it is told.

    Attributes:
        name: `Consent/id/_history/2`.
        patient: Id of the Patient.
        ends_us: When it ends; None where it does not end soon.
        faults: Sentences about what is wrong with it.

    """

    name: str
    patient: str
    ends_us: int | None
    faults: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What was found among some consents.

    Attributes:
        found: Those that are told.
        looked: How many were looked at.
        after: Row after which the next ones begin; None where these were the last.

    """

    found: tuple[Attention, ...]
    looked: int
    after: int | None


def look(reader: Reader, after: int) -> Looked:
    """Return what needs attention among the next consents of the officer's patients."""
    number = types.number_of("Consent")
    [organization] = reader.officer.organizations or ("",)
    page = organization_consents.page(
        reader.snapshot, organization, number, after=after, count=PAGE
    )
    return Looked(
        found=tuple(_needing(reader, page)),
        looked=len(page),
        after=page[-1].row if len(page) == PAGE else None,
    )


def _needing(reader: Reader, page: list[Stored]) -> Iterator[Attention]:
    now = reader.services.clock()
    repository = reader.services.repository
    for stored in page:
        body = repository.body(reader.snapshot, stored)
        parsed = read(fhir_json.loads_object(body), deployment=repository.deployment)
        if not parsed.is_active:
            continue
        ends = parsed.period.end
        is_soon = ends is not None and now <= ends < now + SOON_US
        faults = tuple(
            f"{one.expression or 'Consent'}: {one.diagnostics}" for one in parsed.alerts
        )
        if is_soon or faults:
            yield Attention(
                name=f"Consent/{rows.public_id(stored.row)}/_history/{stored.version}",
                patient=(parsed.patient or "").removeprefix("Patient/"),
                ends_us=ends if is_soon else None,
                faults=faults,
            )
