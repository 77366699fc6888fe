"""What a consent decision costs when nothing is remembered, and when it is."""

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A patient about whom is decided.

    Attributes:
        name: In the key of its figure.
        consents: How many the patient has given.
        provisions: Of each consent, the root included.
        signatures: Shapes of resource that the patient has.
        warm: Key of the figure of the decision remembered; empty for none.

    """

    name: str
    consents: int
    provisions: int
    signatures: int
    warm: str = ""


CASES = (
    Case(name="1", consents=1, provisions=1, signatures=120),
    Case(name="10", consents=1, provisions=10, signatures=120),
    Case(name="100", consents=1, provisions=100, signatures=120, warm="warm"),
    Case(name="five", consents=5, provisions=200, signatures=300, warm="warm-five"),
)
"""120 signatures are those of a patient with many devices."""

_WARM = 1_000


def decisions(stage: Stage, repeats: int) -> Iterator[Measured]:
    """Yield the time of a decision on every signature of a patient."""
    for case in CASES:
        cold_us, warm_us = _timed_us(stage, _patient(stage, case), repeats)
        yield Measured(
            key=f"decision.cold-{case.name}",
            value=cold_us / 1000,
            note="CPU time, reading the consents included",
        )
        if case.warm:
            yield Measured(key=f"decision.{case.warm}", value=warm_us, note="CPU time")


def _patient(stage: Stage, case: Case) -> str:
    """Store a patient with consents and as many signatures as it takes."""
    services = stage.deployment.services
    id_ = stage.create(resources.patient(f"decision-{case.name}", stage.clinic))
    for _ in range(case.consents):
        stage.create(resources.consent_of(id_, stage.clinic, case.provisions))

    def work(transaction: Transaction) -> None:
        state = patients.by_id(transaction, types.number_of("Patient"), id_)
        if state is None:
            raise BenchError("The bench's patient is not there.")
        for number in range(case.signatures):
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
