"""Which data came from a device or a vendor, when, and which consents stood then.

A device is of one patient, whose data alone is looked at. A vendor's deliveries are
read from the newest backwards, `MAX_BATCHES` at most.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from consent.signature import UNDATED_US
from fhir_service.compliance.reports.report import (
    ALWAYS,
    Period,
    Report,
    cut_at,
    heading,
    moment,
    moment_or_none,
    patient,
    table,
)
from fhir_service.compliance.reports.timeline import place_of
from fhir_service.compliance.rows import Reader
from fhir_service.explaining.displays import name_of
from fhir_service.explaining.instant import Instant
from fhir_service.storage import batches, patients, released, resources, types
from fhir_service.storage.batches import Batch
from fhir_service.storage.patients import PatientState
from fhir_service.storage.released import BatchPart
from fhir_service.storage.signatures import Signature

MAX_BATCHES = 10_000
"""Deliveries that are looked at for a vendor."""

_EVER = 2**62


class Collected(NamedTuple):
    """What one delivery brought of one kind of data, as it is stored now."""

    received: datetime
    batch: int
    vendor: str
    parser: str
    client: str
    organisation: str
    gateway: str
    patient: str
    kind: str
    versions: int
    data_from: datetime | None
    data_to: datetime | None
    consents_then: tuple[str, ...]


class Delivered(NamedTuple):
    """A delivery of a vendor."""

    received: datetime
    batch: int
    parser: str
    client: str
    organisation: str
    gateway: str


def of_device(reader: Reader, device: str) -> Report:
    """Return what came from a device.

    Args:
        reader: Of the officer.
        device: `Device/id`.

    Raises:
        FHIRError: `not-found` for a device that is not here, or of another
            organisation's patient.

    """
    state = _wearer(reader, device)
    known = {
        one.id: one
        for one in reader.services.repository.signatures.of(reader.snapshot, state)
        if one.facets.origin.device == device
    }
    return Report(
        heading=heading(
            reader, "Data of a device", about=f"{device} of Patient/{state.id}"
        ),
        tables=(table("collected", Collected, _collected(reader, state, known, None)),),
        notes=(
            (
                "Consents are those in force when the delivery came; which of them "
                "let it be collected is asked with `could see`, action collect."
            ),
            "Versions are counted as they are stored now.",
        ),
    )


def of_vendor(
    reader: Reader,
    vendor: str,
    *,
    patient_id: str | None = None,
    period: Period = ALWAYS,
) -> Report:
    """Return what came from a vendor: of one patient, or every delivery.

    Args:
        reader: Of the officer.
        vendor: The name of the source, such as `open-mhealth`.
        patient_id: Whose; None for every delivery of the officer's organisation.
        period: When deliveries came; for every delivery alone.

    Raises:
        FHIRError: `not-found` for a patient who is not the officer's.

    """
    if patient_id is not None:
        state = patient(reader, patient_id)
        signatures = reader.services.repository.signatures.of(reader.snapshot, state)
        known = {one.id: one for one in signatures}
        lines = _collected(reader, state, known, vendor)
        about = f"{vendor}, Patient/{state.id}"
        made = table("collected", Collected, lines)
        return Report(
            heading=heading(reader, "Data of a vendor", about=about), tables=(made,)
        )
    until_us = _EVER if period.until_us is None else period.until_us
    found, reached = released.deliveries(
        reader.snapshot, vendor, range(period.since_us or 0, until_us), MAX_BATCHES
    )
    made_of = Report(
        heading=heading(reader, "Deliveries of a vendor", about=vendor, period=period),
        tables=(table("deliveries", Delivered, _delivered(reader, found)),),
    )
    is_cut = reached > (period.since_us or 0)
    return cut_at(reader, made_of, reached if is_cut else None)


def _wearer(reader: Reader, device: str) -> PatientState:
    type_, _, id_ = device.partition("/")
    place = None
    if type_ == "Device":
        place = resources.locate(reader.snapshot, types.number_of(type_), id_)
    state = None if place is None else patients.by_key(reader.snapshot, place[0])
    if not place or state is None or not reader.officer.is_over(state.organization):
        raise FHIRError(IssueType.NOT_FOUND, f"There is no {device[:80]} here.")
    if state.id:
        return state
    return _named_wearer(reader, place[1], device)


def _named_wearer(reader: Reader, row: int, device: str) -> PatientState:
    """Return the patient whom a Device that is nobody's names."""
    stored = resources.current(reader.snapshot, row)
    if stored is not None and not stored.deleted:
        body = reader.services.repository.body(reader.snapshot, stored)
        named = fhir_json.loads_object(body).get("patient", {}).get("reference")
        if named:
            return patient(reader, named)
    raise FHIRError(IssueType.NOT_FOUND, f"{device[:80]} is of no patient.")


def _collected(
    reader: Reader,
    state: PatientState,
    known: dict[int, Signature],
    vendor: str | None,
) -> Iterator[Collected]:
    parts = released.by_batch(reader.snapshot, state.key, known.keys())
    then: dict[int, tuple[str, ...]] = {}
    for part in parts:
        batch = batches.read(reader.snapshot, part.batch_id)
        if batch is None or vendor not in {None, batch.source}:
            continue
        at_us = batch.received_us
        if at_us not in then:
            then[at_us] = tuple(_consents(reader, state, at_us))
        yield _line(reader, state, batch, (part, known[part.signature_id], then[at_us]))


def _line(
    reader: Reader,
    state: PatientState,
    batch: Batch,
    told: tuple[BatchPart, Signature, tuple[str, ...]],
) -> Collected:
    part, signature, consents = told
    is_dated = part.first_us != UNDATED_US
    return Collected(
        received=moment(reader, batch.received_us),
        batch=batch.id,
        vendor=batch.source,
        parser=batch.parser,
        client=batch.client_id,
        organisation=batch.organization or "",
        gateway=batch.gateway or "",
        patient=f"Patient/{state.id}",
        kind=name_of(signature.facets),
        versions=part.versions,
        data_from=moment_or_none(reader, part.first_us if is_dated else None),
        data_to=moment_or_none(reader, part.last_us if is_dated else None),
        consents_then=consents,
    )


def _consents(reader: Reader, state: PatientState, at_us: int) -> Iterable[str]:
    """Return the versions of consents that were in force at an instant."""
    place = place_of(reader)
    instant = Instant(
        repository=place.repository,
        gate=place.gate,
        snapshot=place.snapshot,
        at_us=at_us,
        is_past=at_us < place.now_us,
    )
    return sorted(
        f"{one.reference}/_history/{one.version}"
        for one in instant.consents(state)
        if one.is_active and one.period.contains(at_us)
    )


def _delivered(reader: Reader, found: Iterable[Batch]) -> Iterator[Delivered]:
    for batch in found:
        if reader.officer.is_over(batch.organization):
            yield Delivered(
                received=moment(reader, batch.received_us),
                batch=batch.id,
                parser=batch.parser,
                client=batch.client_id,
                organisation=batch.organization or "",
                gateway=batch.gateway or "",
            )
