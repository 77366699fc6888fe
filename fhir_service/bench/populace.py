"""Many patients with consents and Observations, written by the repository itself.

Thousands through the API would take longer than what is measured of them.
"""

from collections.abc import Callable, Sequence

from fhir_service.bench import resources
from fhir_service.bench.observations import LABORATORY, heart_rate, laboratory
from fhir_service.bench.resources import Resource
from fhir_service.bench.stage import Stage
from fhir_service.storage.engine import Transaction
from fhir_service.storage.tables import SHARED

_AT_ONCE = 250
"""Patients of one transaction."""

Consents = Callable[[str, str, int], Sequence[Resource]]
"""Patient id, clinic and number → the consents of a patient."""


def populate(stage: Stage, count: int, consents: Consents, rows: int) -> list[str]:
    """Store patients; return their ids.

    Args:
        stage: Where.
        count: How many.
        consents: What they have consented to.
        rows: Observations of each.

    """
    made: list[str] = []
    for first in range(0, count, _AT_ONCE):
        numbers = range(first, min(first + _AT_ONCE, count))

        def work(transaction: Transaction, numbers: range = numbers) -> list[str]:
            return [
                _person(stage, transaction, number, consents, rows)
                for number in numbers
            ]

        made += stage.deployment.services.database.write(work)
    return made


def _person(
    stage: Stage, transaction: Transaction, number: int, consents: Consents, rows: int
) -> str:
    create = stage.deployment.services.repository.create
    patient = resources.patient(f"populace-{number}", stage.clinic)
    written = create(transaction, patient, patient_key=SHARED)
    key = written.stored.patient_key
    for resource in (
        *consents(written.id, stage.clinic, number),
        *_observations(written.id, number, rows),
    ):
        create(transaction, resource, patient_key=key)
    return written.id


def _observations(patient_id: str, number: int, rows: int) -> list[Resource]:
    """Return heart rates and laboratory results in turn."""
    return [
        laboratory(patient_id, LABORATORY[one % len(LABORATORY)])
        if one % 2
        else heart_rate(patient_id, one, f"{number}-{one}")
        for one in range(rows)
    ]


def whole(patient_id: str, clinic: str, number: int) -> Sequence[Resource]:
    """Return a consent to everything but sleep."""
    del number
    return [resources.consent(patient_id, clinic, bounded=False)]


def mixed(patient_id: str, clinic: str, number: int) -> Sequence[Resource]:
    """Return what every fourth patient has in common.

    A consent to everything, one to data from March 2025 on, which the laboratory
    results are not, one with ten provisions that deny the heart rates, and none.
    """
    return _MIXED[number % len(_MIXED)](patient_id, clinic)


def _everything(patient_id: str, clinic: str) -> Sequence[Resource]:
    return [resources.consent(patient_id, clinic, bounded=False)]


def _from_march(patient_id: str, clinic: str) -> Sequence[Resource]:
    consent = resources.consent(patient_id, clinic, bounded=True)
    consent["provision"]["dataPeriod"] = {"start": "2025-03-01"}
    return [consent]


def _no_heart_rate(patient_id: str, clinic: str) -> Sequence[Resource]:
    consent = resources.consent_of(patient_id, clinic, 9)
    consent["provision"]["provision"].append(resources.denied("8867-4"))
    return [consent]


def _nothing(_patient_id: str, _clinic: str) -> Sequence[Resource]:
    return []


_MIXED = (_everything, _from_march, _no_heart_rate, _nothing)
