"""Finds the one patient that an emergency is about, whatever consent says.

Nothing is browsed: an identifier, or an id, is typed exactly, and that it was is
audited before anything is shown.

https://profiles.ihe.net/ITI/PCF/volume-1.html
"""

import re
from dataclasses import dataclass
from typing import Final

from conformance import fhir_json
from fhir_service.pages.patients import name_of
from fhir_service.storage import patients, resources, types
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.patients import PatientState
from fhir_service.storage.repository import Repository
from fhir_service.storage.tokens import identifier_token

LONGEST: Final = 256
"""Characters of what is typed."""

_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class ExactPatient:
    """A patient who was named exactly.

    Attributes:
        state: Whose record it is.
        name: For people; empty where there is none.
        born: `Patient.birthDate`; empty where it is not known.

    """

    state: PatientState
    name: str
    born: str


def exactly(
    repository: Repository, snapshot: Snapshot, typed: str
) -> list[ExactPatient]:
    """Return the patients that `typed` names: an id, `system|value`, or a value."""
    text = typed.strip()
    if not text or len(text) > LONGEST or not text.isprintable():
        return []
    number = types.number_of("Patient")
    system, bar, value = text.rpartition("|")
    token = identifier_token(repository.blind, system if bar else None, value)
    keys = {key for key, _ in resources.by_token(snapshot, number, "identifier", token)}
    states = [patients.by_key(snapshot, key) for key in sorted(keys)]
    states.append(by_id(snapshot, text))
    found = {state.key: state for state in states if state is not None}
    named = [shown(repository, snapshot, state) for state in found.values()]
    return [one for one in named if one is not None]


def by_id(snapshot: Snapshot, id_: str) -> PatientState | None:
    """Return the patient of an id."""
    if not _ID.fullmatch(id_):
        return None
    return patients.by_id(snapshot, types.number_of("Patient"), id_)


def shown(
    repository: Repository, snapshot: Snapshot, state: PatientState
) -> ExactPatient | None:
    """Return a patient as a page names her; None for one that was deleted."""
    stored = repository.read(snapshot, "Patient", state.id)
    if stored is None or stored.deleted:
        return None
    body = fhir_json.loads_object(repository.body(snapshot, stored))
    return ExactPatient(
        state=state, name=name_of(body), born=str(body.get("birthDate", ""))
    )
