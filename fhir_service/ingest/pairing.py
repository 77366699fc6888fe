"""Pairs a device or a vendor's account with a patient, and ends it; each is audited.

Only who acts for the patient's custodian pairs, or the patient: to anybody else the
patient is unknown, as one who is not here. Consent decides whether the unit's Device
is collected, and later on each reading. Where a sensor stands in a room, nothing of it
is stored until it is recorded that those who live there were told.

docs/device-data.md has what a pairing means.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from conformance.issues import FHIRError, IssueType
from consent.audit import entry
from consent.audit.entry import AuditRecord, Interaction, Outcome
from fhir_service.auth.bearer import Grant
from fhir_service.exchange import Services
from fhir_service.ingest.intake import Origin
from fhir_service.ingest.pairing_asked import Asked, Period, checked
from fhir_service.ingest.pairing_resources import UseWriter
from fhir_service.storage import batches, patients, rows, source_grants, types
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.patients import PatientState
from fhir_service.storage.source_grants import SourceGrant

LABEL_FORM: Final = 3
"""Bound to a sealed label, so that it is never taken for a part of a payload."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairer:
    """Who pairs, revokes or records a notice.

    Attributes:
        grant: Under which consent is asked, and resources are written.
        name: Of who does it, as the pairing keeps it.
        origin: What the audit says of how it came.
        may: Whether the pairings of a patient are hers to change.

    """

    grant: Grant
    name: str
    origin: Origin
    may: Callable[[PatientState], bool]


def pair(services: Services, pairer: Pairer, asked: Asked) -> SourceGrant:
    """Store a pairing; return it.

    Raises:
        FHIRError: `not-found` for a patient whom the pairer does not know, `value` for
            what cannot be paired, `duplicate` where the patient has it paired then
            already, `suppressed` where consent does not let its Device be collected.

    """

    def work(transaction: Transaction) -> SourceGrant:
        state = living(transaction, pairer, asked.patient)
        period = checked(services, transaction, asked)
        _refuse_second(services, transaction, state, asked, period)
        grant = _made(services, transaction, pairer, state, asked, period)
        written: list[int] = []
        if asked.unit is not None:
            writer = _writer(services, transaction, pairer)
            device = writer.device(state, asked)
            use = writer.begin(state, grant, device)
            grant = replace(grant, device_row=device, use_row=use)
            written = writer.written
        source_grants.add(transaction, grant)
        _audit(services, transaction, pairer, state, written)
        return grant

    return services.database.write(work)


def tell(services: Services, pairer: Pairer, id_: str) -> SourceGrant:
    """Record that those who live in the room were told; return the pairing.

    Raises:
        FHIRError: `not-found` for a pairing that the pairer does not know,
            `business-rule` for one that has no room or was revoked.

    """

    def work(transaction: Transaction) -> SourceGrant:
        state, grant = found(transaction, pairer, id_)
        if grant.location is None or grant.revoked is not None:
            raise FHIRError(
                IssueType.BUSINESS_RULE,
                "A notice is recorded for a pairing with a room that is not revoked.",
            )
        source_grants.notice(
            transaction, grant.grant_id, by=pairer.name, at_us=services.clock()
        )
        _audit(services, transaction, pairer, state, [])
        return found(transaction, pairer, id_)[1]

    return services.database.write(work)


def revoke(services: Services, pairer: Pairer, id_: str) -> SourceGrant:
    """End a pairing at once; return it. One that has ended so stays as it is.

    Raises:
        FHIRError: `not-found` for a pairing that the pairer does not know.

    """

    def work(transaction: Transaction) -> SourceGrant:
        state, grant = found(transaction, pairer, id_)
        written: list[int] = []
        now = services.clock()
        is_new = source_grants.revoke(
            transaction, grant.grant_id, by=pairer.name, at_us=now
        )
        if is_new and grant.use_row is not None:
            writer = _writer(services, transaction, pairer)
            writer.end(grant, now)
            written = writer.written
        _audit(services, transaction, pairer, state, written)
        return found(transaction, pairer, id_)[1]

    return services.database.write(work)


def found(
    snapshot: Snapshot, pairer: Pairer, id_: str
) -> tuple[PatientState, SourceGrant]:
    """Return a pairing and its patient.

    Raises:
        FHIRError: `not-found` where there is none, or none that the pairer knows.

    """
    number = rows.row_of(id_)
    grant = None if number is None else source_grants.find(snapshot, number)
    state = None if grant is None else patients.by_key(snapshot, grant.patient_key)
    if grant is None or state is None or not pairer.may(state):
        raise FHIRError(IssueType.NOT_FOUND, "There is no such pairing here.")
    return state, grant


def living(snapshot: Snapshot, pairer: Pairer, id_: str) -> PatientState:
    """Return the patient of an id.

    Raises:
        FHIRError: `not-found` where there is none, or none that the pairer knows.

    """
    state = patients.living(snapshot, types.number_of("Patient"), id_)
    if state is None or not pairer.may(state):
        raise FHIRError(IssueType.NOT_FOUND, "There is no such patient here.")
    return state


def _refuse_second(
    services: Services,
    snapshot: Snapshot,
    state: PatientState,
    asked: Asked,
    period: Period,
) -> None:
    """Refuse what is paired with the same patient at the same time already."""
    key = asked.key(services.repository.blind)
    now = services.clock()
    for other in source_grants.of_account(snapshot, asked.source, key):
        is_same = other.patient_key == state.key and other.stands(now)
        if is_same and period.overlaps(other.starts, other.ends):
            raise FHIRError(
                IssueType.DUPLICATE,
                "It is paired with this patient in that time already; revoke that "
                "pairing first.",
            )


def _made(  # noqa: PLR0913, PLR0917 - what a pairing is made of
    services: Services,
    transaction: Transaction,
    pairer: Pairer,
    state: PatientState,
    asked: Asked,
    period: Period,
) -> SourceGrant:
    repository = services.repository
    [number] = repository.new_rows(transaction, 1)
    return SourceGrant(
        grant_id=number,
        patient_key=state.key,
        source=asked.source,
        account=asked.key(repository.blind),
        label=repository.payloads.encode(
            transaction, state.key, number, LABEL_FORM, asked.label.encode()
        ),
        device_row=None,
        use_row=None,
        location=asked.location,
        zone=asked.zone,
        starts=period.starts,
        ends=period.ends,
        made=services.clock(),
        made_by=pairer.name,
    )


def _writer(services: Services, transaction: Transaction, pairer: Pairer) -> UseWriter:
    """Return what writes resources; its batch comes before the first of their rows."""
    grant = pairer.grant
    number = batches.add(
        transaction,
        received_us=services.clock(),
        client_id=grant.client_id,
        organization=grant.organization,
        person=grant.user,
    )
    return UseWriter(services, transaction, grant, number)


def _audit(
    services: Services,
    transaction: Transaction,
    pairer: Pairer,
    state: PatientState,
    written: list[int],
) -> None:
    """Write the leaf in the transaction that it reports."""
    grant, origin = pairer.grant, pairer.origin
    transaction.audit(
        entry.encode(
            AuditRecord(
                time_us=services.clock(),
                interaction=origin.interaction,
                outcome=Outcome.ALLOWED,
                status=_STATUS.get(origin.interaction, 200),
                request_id=origin.request_id,
                request=origin.request,
                resource_type="Device",
                user=origin.user,
                client=grant.client_id,
                organisation=grant.organization or "",
                address=origin.address,
                token=grant.token_id,
                purposes=grant.purposes,
                patients=(services.pseudonym(state.id),),
                written=written,
            ),
            seal=services.seal.sealer(transaction, state.key),
        )
    )


_STATUS = {Interaction.REGISTER: 201, Interaction.REVOKE: 204}
