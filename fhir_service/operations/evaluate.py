"""`Consent/$evaluate`: what a requester would get of a patient, and why.

For the custodian alone: the organization that manages the patient, for a purpose that
lets it read the patient's Consents. Anybody else is answered like where there is no
such patient. The custodian is told of the rows that it may see itself; its compliance
officer of all.

https://hl7.org/fhir/R4/consent.html
"""

from typing import Any

from conformance import fhir_json
from consent.codes import ACT_REASON
from consent.overlays import custodian
from consent.request import AccessRequest
from fhir_service.access import is_custodian, reading
from fhir_service.auth.bearer import require
from fhir_service.exchange import Exchange, not_found, resource_response
from fhir_service.explaining.asking import Place, answer, is_officer
from fhir_service.explaining.question import Sight
from fhir_service.explaining.replay import no_such_row, replay
from fhir_service.operations.evaluate_inputs import asked
from fhir_service.operations.evaluate_outputs import parameters_of, replay_parameters
from fhir_service.rest.message import Response
from fhir_service.storage import patients, types
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.patients import PatientState

Json = dict[str, Any]


def evaluate(exchange: Exchange) -> Response:
    """Return the decision, counted by type and signature, with its reasons.

    Raises:
        FHIRError: `not-found` for a patient who is absent or of whom the client is
            not the custodian; `invalid` and `required` for inputs; why a draft could
            not be filed.

    """
    exchange.resource_type = "Consent"
    services = exchange.services
    with services.database.read() as snapshot:
        require(exchange.granted(snapshot), "Consent", "read")
        wanted = asked(exchange.request, services.repository.deployment)
        state = _in_custody(exchange, snapshot, wanted.patient)
        place = Place(
            repository=services.repository,
            gate=services.gate,
            snapshot=snapshot,
            now_us=exchange.now_us,
        )
        if wanted.replay is not None:
            made = _replayed(exchange, place, state, wanted.replay)
            return resource_response(fhir_json.dumps(replay_parameters(made)))
        told = answer(place, state, wanted.asking, _sight(exchange, snapshot, state))
    return resource_response(fhir_json.dumps(parameters_of(told)))


def _replayed(
    exchange: Exchange, place: Place, state: PatientState, entry: str
) -> Json:
    """Return the replay of a row of the log that is of this patient alone.

    Raises:
        FHIRError: `not-found` where there is no such row, for a client that is not
            the officer, and for types outside its scopes; `not-supported` for a row
            of another kind.

    """
    services = exchange.services
    if not is_officer(exchange.who):
        raise no_such_row()
    made = replay(
        place, entry, services.seal.unsealer(place.snapshot), services.pseudonym
    )
    if made.record.patients != (services.pseudonym(state.id),):
        raise no_such_row()
    told = made.told
    scopes = exchange.who.scopes
    if any(scopes.allows(type_, "read") is None for type_ in made.types):
        raise no_such_row()
    return told


def _in_custody(exchange: Exchange, snapshot: Snapshot, id_: str) -> PatientState:
    """Return the patient, if the client may read the patient's Consents as custodian.

    Raises:
        FHIRError: `not-found`.

    """
    state = patients.by_id(snapshot, types.number_of("Patient"), id_)
    if state is None:
        raise not_found("Patient", id_)
    exchange.about(snapshot, state.key)
    exchange.patients.append(state.id)
    who = exchange.who
    is_confined = who.scopes.confines("Consent") and state.id != who.patient
    if is_confined or not _is_custodian(exchange, state):
        exchange.reason = "custody"
        raise not_found("Patient", id_)
    return state


def _is_custodian(exchange: Exchange, state: PatientState) -> bool:
    grant = exchange.who
    request = AccessRequest(
        actors=grant.actors,
        individual_known=grant.individual_known,
        purposes=tuple((ACT_REASON, code) for code in grant.purposes),
        actions=reading(grant, state),
        btg_attested=False,
        at_us=exchange.now_us,
    )
    return is_custodian(grant, state) and custodian(request, state.organization)


def _sight(exchange: Exchange, snapshot: Snapshot, state: PatientState) -> Sight:
    """Return what the client may be told of."""
    return Sight(
        gate=exchange.services.gate,
        snapshot=snapshot,
        state=state,
        grant=exchange.who,
        is_officers=is_officer(exchange.who),
    )
