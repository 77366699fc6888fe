"""One served practice for every third-party client."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# The worlds are shared by the tests of several folders.
sys.path.insert(0, str(Path(__file__).parents[1] / "fhir_service"))

from deployed import Deployed, deployed
from worlds import (
    RESTING,
    STEPS,
    actor,
    consent,
    observation,
    patient,
    permit,
    purposes,
)

SCOPE = "system/*.cruds"
OBSERVATIONS = 25


@dataclass(frozen=True, kw_only=True)
class Practice:
    """A served organisation with one patient who has agreed.

    Attributes:
        service: What is served.
        organization: The reference of the organisation.
        patient: Id of the patient.
        observations: Ids of the patient's 25 Observations, the newest first.
        system: Of the identifiers of Patients that `person` makes.

    """

    service: Deployed
    organization: str
    patient: str
    observations: tuple[str, ...]
    system: str = "https://clinic.example/patients"

    @property
    def base(self) -> str:
        return self.service.base

    @property
    def token(self) -> str:
        """Return a new bearer token for everything; one lives for minutes only."""
        return self.service.token("keeper", SCOPE)

    def person(self, value: str) -> dict[str, Any]:
        """Return a Patient of the practice that no other test has."""
        return {
            **patient(self.organization),
            "identifier": [{"system": self.system, "value": value}],
            "name": [{"family": "Nakamura", "given": [value]}],
        }

    def reading(self, **more: Any) -> dict[str, Any]:
        """Return an Observation of the patient."""
        return observation(self.patient, **more)


def _reading(patient_id: str, number: int) -> dict[str, Any]:
    return observation(
        patient_id,
        RESTING if number % 5 else STEPS,
        effectiveDateTime=f"2026-03-{1 + number:02d}T08:00:00+01:00",
    )


@pytest.fixture(scope="session")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    with deployed(tmp_path_factory.mktemp("practice")) as service:
        service.register("founder", "system/Organization.c")
        founder = service.token("founder", "system/Organization.c")
        clinic = {"resourceType": "Organization", "name": "Clinic"}
        organization = f"Organization/{service.create(clinic, founder)}"
        service.register("keeper", SCOPE, organization)
        token = service.token("keeper", SCOPE)
        id_ = service.create(patient(organization), token)
        agreed = permit(actor=actor(organization), purpose=purposes("TREAT"))
        service.create(consent(id_, agreed), token)
        made = [
            service.create(_reading(id_, number), token)
            for number in range(OBSERVATIONS)
        ]
        yield Practice(
            service=service,
            organization=organization,
            patient=id_,
            observations=tuple(reversed(made)),
        )
