"""What is in the clinic of these tests: two patients, and who treats them."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "fhir_service"))

from smart_service import SmartService
from worlds import LOINC, actor, consent, patient, permit, purposes

Json = dict[str, Any]

TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
OBSERVATION_CATEGORY = f"{TERMINOLOGY}/observation-category"
CONDITION_CATEGORY = f"{TERMINOLOGY}/condition-category"
US_CORE = "http://hl7.org/fhir/us/core/CodeSystem"
UCUM = "http://unitsofmeasure.org"
PARTICIPANT = f"{TERMINOLOGY}/provenance-participant-type"

OBSERVATIONS = (
    ("vital-signs", "8867-4", "/min"),
    ("vital-signs", "29463-7", "kg"),
    ("survey", "44249-1", "{score}"),
    ("social-history", "72166-2", "{#}/d"),
    ("laboratory", "2339-0", "mg/dL"),
)
"""Category, LOINC code and UCUM unit of the first patient's Observations."""

CONDITIONS = (
    (CONDITION_CATEGORY, "problem-list-item"),
    (CONDITION_CATEGORY, "encounter-diagnosis"),
    (f"{US_CORE}/condition-category", "health-concern"),
)


US_CORE_SCOPES = [
    f"Condition.rs?category={US_CORE}/condition-category|health-concern",
    f"Condition.rs?category={CONDITION_CATEGORY}|encounter-diagnosis",
    f"Condition.rs?category={CONDITION_CATEGORY}|problem-list-item",
    f"Observation.rs?category={US_CORE}/us-core-category|sdoh",
    f"Observation.rs?category={OBSERVATION_CATEGORY}|social-history",
    f"Observation.rs?category={OBSERVATION_CATEGORY}|laboratory",
    f"Observation.rs?category={OBSERVATION_CATEGORY}|survey",
    f"Observation.rs?category={OBSERVATION_CATEGORY}|vital-signs",
]
"""What US Core 7 demands of every level."""


@dataclass(frozen=True, kw_only=True)
class Clinic:
    """Who and what is stored.

    Attributes:
        service: Where.
        organization: Reference of the clinic.
        keeper: A token of a backend client that may do everything.
        practitioner: Id of the Practitioner.
        patients: Ids of the two Patients.
        related: Id of the RelatedPerson of the first.
        encounters: Ids of an Encounter of each patient.
        observations: Category → ids, of the first patient.
        conditions: Category → id, of the first patient.
        foreign: Id of the second patient's only Observation.
        provenance: Id of the Provenance of each Observation of the first patient.

    """

    service: SmartService
    organization: str
    keeper: str
    practitioner: str
    patients: tuple[str, str]
    related: str
    encounters: tuple[str, str]
    observations: dict[str, list[str]] = field(default_factory=dict)
    conditions: dict[str, str] = field(default_factory=dict)
    foreign: str = ""
    provenance: dict[str, str] = field(default_factory=dict)

    @property
    def patient(self) -> str:
        return self.patients[0]

    @property
    def other(self) -> str:
        return self.patients[1]

    @property
    def everything_observed(self) -> set[str]:
        """Return the ids of every Observation of the first patient."""
        return {id_ for ids in self.observations.values() for id_ in ids}

    def create(self, resource: Json) -> str:
        return self.service.deployed.create(resource, self.keeper)


def concept(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def _person(organization: str, value: str) -> Json:
    return {
        **patient(organization),
        "identifier": [{"system": "https://clinic.example/patients", "value": value}],
        "name": [{"family": "Aster", "given": [value]}],
        "gender": "unknown",
        "birthDate": "1980-01-01",
    }


def _encounter(patient_id: str) -> Json:
    return {
        "resourceType": "Encounter",
        "status": "in-progress",
        "class": {"system": f"{TERMINOLOGY}/v3-ActCode", "code": "AMB"},
        "subject": {"reference": f"Patient/{patient_id}"},
        "period": {"start": "2026-03-01T08:00:00Z"},
    }


def observed(patient_id: str, category: str, code: str, unit: str) -> Json:
    """Return an Observation, dated when the Encounter took place."""
    quantity = {"value": 60, "unit": unit, "system": UCUM, "code": unit}
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [concept(OBSERVATION_CATEGORY, category)],
        "code": concept(LOINC, code),
        "subject": {"reference": f"Patient/{patient_id}"},
        "effectiveDateTime": "2026-03-01T08:30:00Z",
        "valueQuantity": quantity,
    }


def condition(patient_id: str, system: str, category: str) -> Json:
    return {
        "resourceType": "Condition",
        "clinicalStatus": concept(f"{TERMINOLOGY}/condition-clinical", "active"),
        "category": [concept(system, category)],
        "code": concept("http://snomed.info/sct", "35489007"),
        "subject": {"reference": f"Patient/{patient_id}"},
    }


def _provenance(organization: str, observation_id: str) -> Json:
    return {
        "resourceType": "Provenance",
        "target": [{"reference": f"Observation/{observation_id}"}],
        "recorded": "2026-03-01T09:00:00Z",
        "agent": [
            {
                "type": concept(PARTICIPANT, "author"),
                "who": {"reference": organization},
            }
        ],
    }


def seed(service: SmartService) -> Clinic:
    """Write what the tests read, as the clinic's own systems would."""
    keys = ("--key-dir", str(service.deployed.keys))
    service.add_client("founder", "system/Organization.c", *keys)
    founder = service.deployed.token("founder", "system/Organization.c")
    made = {"resourceType": "Organization", "name": "Clinic", "active": True}
    organization = f"Organization/{service.deployed.create(made, founder)}"
    acting = ("--organization", organization, "--purpose", "TREAT")
    service.add_client(
        "keeper", "system/*.cruds", *keys, *acting, "--token-lifetime", "3600"
    )
    keeper = service.deployed.token("keeper", "system/*.cruds")

    def create(resource: Json) -> str:
        return service.deployed.create(resource, keeper)

    people = [create(_person(organization, value)) for value in ("first", "second")]
    for id_ in people:
        agreed = permit(actor=actor(organization), purpose=purposes("TREAT", "PATRQT"))
        create(consent(id_, agreed))
    practitioner = create(
        {
            "resourceType": "Practitioner",
            "active": True,
            "name": [{"family": "Larch", "given": ["Doctor"]}],
        }
    )
    related = create(
        {
            "resourceType": "RelatedPerson",
            "active": True,
            "patient": {"reference": f"Patient/{people[0]}"},
            "relationship": [concept(f"{TERMINOLOGY}/v3-RoleCode", "GUARD")],
            "period": {"start": "2020-01-01", "end": "2090-01-01"},
        }
    )
    clinic = Clinic(
        service=service,
        organization=organization,
        keeper=keeper,
        practitioner=practitioner,
        patients=(people[0], people[1]),
        related=related,
        encounters=(create(_encounter(people[0])), create(_encounter(people[1]))),
        foreign=create(observed(people[1], *OBSERVATIONS[0])),
    )
    _record(clinic, OBSERVATIONS)
    return clinic


def _record(clinic: Clinic, readings: Sequence[tuple[str, str, str]]) -> None:
    for category, code, unit in readings:
        made = clinic.create(observed(clinic.patient, category, code, unit))
        clinic.observations.setdefault(category, []).append(made)
        provenance = _provenance(clinic.organization, made)
        clinic.provenance[made] = clinic.create(provenance)
    for system, category in CONDITIONS:
        made = clinic.create(condition(clinic.patient, system, category))
        clinic.conditions[category] = made
    clinic.create(condition(clinic.other, *CONDITIONS[0]))


def by_code(code: str) -> str:
    """Return the query for a LOINC code."""
    return f"code={LOINC}|{code}"
