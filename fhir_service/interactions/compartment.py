"""Search in a compartment, and of several types at once.

A compartment is an alternative of reference parameters; what it holds is still seen
through the view alone, so that the compartment of a hidden patient is empty like that
of one who does not exist.

https://hl7.org/fhir/R4/search.html#searchcontexts and
https://hl7.org/fhir/R4/http.html#search
"""

from conformance.classes import class_of
from conformance.compartments import members
from conformance.definitions import is_resource_type, type_names
from conformance.issues import FHIRError, IssueType
from conformance.search_parameters import parameters
from fhir_service.auth.bearer import InsufficientScope, require
from fhir_service.exchange import Exchange
from fhir_service.interactions.linked import linked
from fhir_service.interactions.planner import Planner
from fhir_service.interactions.search import Extra, answered, asked
from fhir_service.rest.message import Response
from fhir_service.rest.parameters import parameters as pairs_of
from fhir_service.search.criteria import Criterion, ReferenceValue
from fhir_service.storage.predicate import NOTHING, Clause

MAX_TYPES = 40
"""Types of one search; each is searched by itself."""


def search_compartment(
    exchange: Exchange, compartment: str, id_: str, type_: str
) -> Response:
    """Return what a compartment holds of one type; of every type for `*`.

    Raises:
        FHIRError: `not-supported` for what is no compartment, or a type that cannot
            be in it.

    """
    inside = members(compartment)
    exchange.resource_type = compartment if type_ == "*" else type_
    if type_ != "*" and type_ not in inside:
        raise FHIRError(
            IssueType.NOT_SUPPORTED,
            f"{type_[:64]} is not in the {compartment} compartment.",
        )
    path = f"{compartment}/{id_}/{type_}"
    with exchange.services.database.read() as snapshot:
        exchange.granted(snapshot)
        types: tuple[str, ...] = (type_,)
        if type_ == "*":
            types = tuple(one for one in sorted(inside) if may_search(exchange, one))
        else:
            require(exchange.who, type_, "search-type")
        if not types:
            raise InsufficientScope
        found = asked(exchange, types, path, in_compartment(compartment, id_))
        return answered(exchange, snapshot, found)


def may_search(exchange: Exchange, type_: str) -> bool:
    """Whether the type is served, and a scope covers searching it."""
    try:
        class_of(type_)
        require(exchange.who, type_, "search-type")
    except FHIRError:
        return False
    return type_ not in UNSERVED


UNSERVED = frozenset({"AuditEvent", "Subscription"})
"""Types that come with a later release."""


def in_compartment(compartment: str, id_: str) -> Extra:
    """Return the condition that a resource is in a compartment.

    That of a Patient holds what is about the same person under a linked record.
    """
    known_ids: list[str] = []

    def ids(planner: Planner) -> list[str]:
        if not known_ids:
            is_person = compartment == "Patient"
            known_ids.extend(linked(planner, id_) if is_person else (id_,))
        return known_ids

    def inside(planner: Planner, type_: str, key: int | None) -> Clause:
        known = parameters(type_)
        values = tuple(ReferenceValue(compartment, one) for one in ids(planner))
        asked = [
            Criterion(parameter=known[code], modifier=None, values=values)
            for code in members(compartment)[type_]
            if code in known and known[code].type == "reference"
        ]
        return planner.any_of(type_, key, asked) if asked else NOTHING

    return inside


def search_system(exchange: Exchange) -> Response:
    """Return a searchset over the types that `_type` lists.

    Raises:
        FHIRError: `not-supported` where `_type` is missing or names a type that is not
            searched.

    """
    with exchange.services.database.read() as snapshot:
        exchange.granted(snapshot)
        types = _listed(exchange)
        for type_ in types:
            require(exchange.who, type_, "search-type")
        found = asked(exchange, types, "", drop=frozenset({"_type"}))
        return answered(exchange, snapshot, found)


def _listed(exchange: Exchange) -> tuple[str, ...]:
    """Return the types of `_type`, each once.

    Raises:
        FHIRError: `not-supported` for none, `invalid` for what is no type,
            `too-costly` for too many.

    """
    named = [
        name
        for parameter, value in pairs_of(exchange.request)
        if parameter == "_type"
        for name in value.split(",")
    ]
    if not named:
        raise FHIRError(
            IssueType.NOT_SUPPORTED,
            "A search of the whole system names its types: add _type=Type,Type.",
        )
    if len(named) > MAX_TYPES:
        raise FHIRError(IssueType.TOO_COSTLY, f"_type lists at most {MAX_TYPES} types.")
    for name in named:
        if name not in type_names() or not is_resource_type(name):
            raise FHIRError(IssueType.INVALID, f"{name[:64]!r} is no resource type.")
        class_of(name)
    return tuple(dict.fromkeys(named))
