"""What a consent decision costs when nothing is remembered, and when it is."""

import copy
import time
from collections.abc import Callable, Iterator
from statistics import median

from conformance import fhir_json
from consent.decision import DefaultPolicy
from consent.labels import label
from consent.signature import describe
from fhir_service.access import Gate
from fhir_service.bench import resources
from fhir_service.bench.figures import Measured
from fhir_service.bench.stage import BenchError, Stage
from fhir_service.exchange import Services
from fhir_service.storage import patients, types
from fhir_service.storage.engine import Transaction
from fhir_service.storage.signatures import Signatures

SIGNATURES = 120
"""Shapes of resource that a patient with many devices has."""

PROVISIONS = (1, 10, 100)
_WARM = 1_000


def decisions(stage: Stage, repeats: int) -> Iterator[Measured]:
    """Yield the time of a decision on every signature of a patient."""
    warm = 0.0
    for provisions in PROVISIONS:
        cold, warm = _timed_us(stage, _patient(stage, provisions), repeats)
        yield Measured(
            key=f"decision.cold-{provisions}",
            value=cold,
            note="reading the consents included",
        )
    yield Measured(key="decision.warm", value=warm)


def _patient(stage: Stage, provisions: int) -> str:
    """Store a patient with one consent and as many signatures as it takes."""
    services = stage.deployment.services
    id_ = stage.create(resources.patient(f"decision-{provisions}", stage.clinic))
    stage.create(resources.consent_of(id_, stage.clinic, provisions))

    def work(transaction: Transaction) -> None:
        state = patients.by_id(transaction, types.number_of("Patient"), id_)
        if state is None:
            raise BenchError("The bench's patient is not there.")
        for number in range(SIGNATURES):
            _intern(services, transaction, state.key, number)

    services.database.write(work)
    return id_


def _intern(
    services: Services, transaction: Transaction, patient_key: int, number: int
) -> None:
    resource = fhir_json.loads(fhir_json.dumps(resources.observation(number)))
    described = describe(
        resource,
        labels=label(resource),
        deployment=services.repository.deployment,
    )
    services.repository.signatures.intern(
        transaction,
        patient_key,
        types.number_of("Observation"),
        0,
        described.facets,
    )


def _timed_us(stage: Stage, patient_id: str, repeats: int) -> tuple[float, float]:
    """Return the cost of a decision, cold and remembered."""
    services = stage.deployment.services
    grant = stage.grant(stage.reader)
    with services.database.read() as snapshot:
        state = patients.by_id(snapshot, types.number_of("Patient"), patient_id)
        if state is None:
            raise BenchError("The bench's patient is not there.")

        def decide(gate: Gate) -> None:
            if not gate.view(snapshot, grant, state, "Observation").view.groups:
                raise BenchError("The decision of the bench permits nothing.")

        cold = []
        for _ in range(repeats):
            fresh = _forgetful(services)
            cold.append(_cpu_us(lambda gate=fresh: decide(gate), 1))  # type: ignore[misc]  # bound now
        gate = services.gate
        decide(gate)
        return median(cold), _cpu_us(lambda: decide(gate), _WARM)


def _forgetful(services: Services) -> Gate:
    """Return a gate that remembers nothing, over a repository that does not either."""
    repository = copy.copy(services.repository)
    repository.signatures = Signatures()
    return Gate(repository, DefaultPolicy.DENY, services.clock)


def _cpu_us(work: Callable[[], None], times: int) -> float:
    began = time.thread_time_ns()
    for _ in range(times):
        work()
    return (time.thread_time_ns() - began) / 1000 / times
