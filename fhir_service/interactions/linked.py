"""The records of one person: Patients that `Patient.link` joins, in either direction.

Every type of link says that both are about the same person. Records are never matched
by likeness; and only what the client may see is followed, so that a hidden record is
neither named nor a bridge to others.

https://hl7.org/fhir/R4/patient.html#links
"""

from collections.abc import Iterator, Mapping
from typing import Any

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from conformance.search_parameters import parameters
from consent.references import local
from fhir_service.auth.bearer import InsufficientScope
from fhir_service.interactions.planner import Planner
from fhir_service.search.criteria import Criterion, ReferenceValue, TokenValue

MAX_LINKED = 20
"""Records of one person; a longer chain of links is refused, never cut."""

_PATIENT = "Patient"


def linked(planner: Planner, id_: str) -> tuple[str, ...]:
    """Return the ids of the Patients that are the person of `id_`, that one first.

    A client that may not search Patients is told of no other record.

    Raises:
        FHIRError: `too-costly` for more than `MAX_LINKED`.

    """
    found = [id_]
    try:
        for one in found:
            found += [other for other in _next_to(planner, one) if other not in found]
            if len(found) > MAX_LINKED:
                raise FHIRError(
                    IssueType.TOO_COSTLY,
                    f"More than {MAX_LINKED} records of one person are linked.",
                )
    except InsufficientScope:
        return (id_,)
    return tuple(found)


def _next_to(planner: Planner, id_: str) -> Iterator[str]:
    """Give the Patients that may be seen, and link to this one or it to them."""
    known = parameters(_PATIENT)
    naming = Criterion(
        parameter=known["link"], modifier=None, values=(ReferenceValue(_PATIENT, id_),)
    )
    for patient in _patients(planner, naming):
        yield patient["id"]
    for patient in _patients(planner, itself(id_)):
        for other in sorted(_named_by(planner, patient)):
            if _patients(planner, itself(other)):
                yield other


def itself(*ids: str) -> Criterion:
    """Return the condition that a Patient is one of these."""
    return Criterion(
        parameter=parameters(_PATIENT)["_id"],
        modifier=None,
        values=tuple(TokenValue(None, id_) for id_ in ids),
    )


def _patients(planner: Planner, condition: Criterion) -> list[dict[str, Any]]:
    versions = planner.rows(_PATIENT, [condition])
    return [fhir_json.loads_object(body) for body in planner.bodies(versions)]


def _named_by(planner: Planner, patient: Mapping[str, Any]) -> set[str]:
    """Return the ids of the Patients of this server in `Patient.link`."""
    named = {
        local(link["other"].get("reference"), planner.place.own_bases)
        for link in patient.get("link", [])
    }
    return {
        reference.removeprefix("Patient/")
        for reference in named
        if reference is not None and reference.startswith("Patient/")
    }
