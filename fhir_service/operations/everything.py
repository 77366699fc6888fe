"""`Patient/[id]/$everything`: the patient, the compartment, and whom they name.

https://hl7.org/fhir/R4/patient-operation-everything.html
"""

from collections.abc import Mapping
from types import MappingProxyType

from conformance.classes import SHARED, class_of
from conformance.compartments import members
from conformance.issues import FHIRError, IssueType
from conformance.search_parameters import parameters
from fhir_service.auth.bearer import require
from fhir_service.exchange import Exchange, not_found
from fhir_service.interactions.compartment import in_compartment, may_search
from fhir_service.interactions.linked import itself, linked
from fhir_service.interactions.planner import Planner
from fhir_service.interactions.search import Asked, answered, asked
from fhir_service.rest.message import Response
from fhir_service.rest.parameters import Pair
from fhir_service.rest.parameters import parameters as pairs_of
from fhir_service.search.criteria import Condition, Include
from fhir_service.search.parse import parse
from fhir_service.storage.predicate import Clause

CARE_DATES: Mapping[str, str] = MappingProxyType(
    {
        "AdverseEvent": "date",
        "Appointment": "date",
        "CarePlan": "date",
        "CareTeam": "date",
        "ClinicalImpression": "date",
        "Communication": "sent",
        "Composition": "date",
        "Condition": "onset-date",
        "DetectedIssue": "identified",
        "DiagnosticReport": "date",
        "DocumentReference": "date",
        "Encounter": "date",
        "EpisodeOfCare": "date",
        "Flag": "date",
        "Goal": "start-date",
        "Immunization": "date",
        "List": "date",
        "MedicationAdministration": "effective-time",
        "MedicationDispense": "whenhandedover",
        "MedicationRequest": "authoredon",
        "MedicationStatement": "effective",
        "Observation": "date",
        "Procedure": "date",
        "QuestionnaireResponse": "authored",
        "RiskAssessment": "date",
        "ServiceRequest": "authored",
        "Task": "period",
    }
)
"""Type → the date of the care; other types have none and are always in scope."""

_OWN = frozenset({"start", "end", "_since", "_type"})


def everything(exchange: Exchange, id_: str) -> Response:
    """Return what the client may see of a patient, page by page.

    Raises:
        FHIRError: `not-found` for a patient that is absent or hidden.

    """
    exchange.resource_type = "Patient"
    with exchange.services.database.read() as snapshot:
        filters = require(exchange.granted(snapshot), "Patient", "read")
        services = exchange.services
        stored = services.repository.read(snapshot, "Patient", id_)
        if stored is None or stored.deleted:
            raise not_found("Patient", id_)
        decided = services.gate.of_row(snapshot, exchange.who, stored)
        exchange.patients += decided.patients
        if not services.gate.permits(snapshot, decided, stored, filters):
            exchange.reason = "consent"
            raise not_found("Patient", id_)
        return answered(exchange, snapshot, _search(exchange, id_))


def _search(exchange: Exchange, id_: str) -> Asked:
    pairs = pairs_of(exchange.request)
    types = _types(exchange, [pair for pair in pairs if pair[0] == "_type"])
    care = _care(exchange, pairs)
    member = in_compartment("Patient", id_)

    def belongs(planner: Planner, type_: str, key: int | None) -> Clause:
        inside = (
            planner.clause(type_, key, itself(*linked(planner, id_)))
            if type_ == "Patient"
            else member(planner, type_, key)
        )
        dated = [planner.clause(type_, key, one) for one in care.get(type_, ())]
        return planner.all_of([inside, *dated])

    found = asked(exchange, types, f"Patient/{id_}/$everything", belongs, drop=_OWN)
    if found.query.sort or found.query.includes:
        raise FHIRError(
            IssueType.NOT_SUPPORTED, "$everything takes no _sort and no _include."
        )
    since = [
        ("_lastUpdated", f"ge{value}") for name, value in pairs if name == "_since"
    ]
    return found.also(_conditions(exchange, types[0], since), _shared(types))


def _types(exchange: Exchange, asked_types: list[Pair]) -> tuple[str, ...]:
    """Return what is searched: the Patient first."""
    inside = ["Patient", *sorted(set(members("Patient")) - {"Patient"})]
    named = {name for _, value in asked_types for name in value.split(",")}
    for name in named:
        class_of(name)
    return tuple(
        type_
        for type_ in inside
        if (not named or type_ in named) and may_search(exchange, type_)
    ) or ("Patient",)


def _care(exchange: Exchange, pairs: list[Pair]) -> dict[str, tuple[Condition, ...]]:
    """Return the conditions on the date of the care, by type."""
    names = {"start": "ge", "end": "le"}
    wanted = [(names[name], value) for name, value in pairs if name in names]
    if not wanted:
        return {}
    return {
        type_: _conditions(
            exchange, type_, [(code, f"{prefix}{value}") for prefix, value in wanted]
        )
        for type_, code in CARE_DATES.items()
    }


def _conditions(
    exchange: Exchange, type_: str, pairs: list[Pair]
) -> tuple[Condition, ...]:
    place = exchange.services.repository.deployment
    return parse(
        (type_,),
        pairs,
        base_urls=place.own_bases,
        zone=place.zone,
        now_us=exchange.now_us,
        strict=True,
    ).conditions


def _shared(types: tuple[str, ...]) -> tuple[Include, ...]:
    """Return what follows references to people, organizations and places."""
    return tuple(
        Include(
            source=type_,
            parameter=code,
            target=target,
            is_reverse=False,
            iterate=False,
        )
        for type_ in types
        for code, parameter in parameters(type_).items()
        if parameter.type == "reference" and parameter.refusal is None
        for target in parameter.targets
        if target in SHARED
    )
