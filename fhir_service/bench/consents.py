"""What consents cost where many patients are asked about at once."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from statistics import mean, median

from conformance import fhir_json
from fhir_service.bench.figures import Measured
from fhir_service.bench.in_process import OBSERVATIONS, PAGE, Timed, in_turn, timed
from fhir_service.bench.plan import Plan
from fhir_service.bench.populace import mixed, populate, whole
from fhir_service.bench.span import Span, page_from, span, stored_at
from fhir_service.bench.stage import BenchError, Stage
from fhir_service.bench.target import no_consent

CONSENTS = "/fhir/Consent"

_ROWS = 10
"""Observations of each patient with mixed consents."""


def mixed_page(stage: Stage, plan: Plan) -> Iterator[Measured]:
    """Yield what a page over patients costs who have consented to different things."""
    populate(stage, plan.consent_patients, mixed, _ROWS)
    stored = span(stage)
    random = Random(1)  # noqa: S311 - no secret
    of = in_turn(
        {
            name: partial(_page, one, stored, random)
            for name, one in (("page", stage), ("page-open", without_consent(stage)))
        },
        plan.shape_timed,
    )
    note = f"{plan.consent_patients} patients, every fourth without a consent"
    yield Measured(
        key="consents.page-ratio", value=of["page"] / of["page-open"], note=note
    )
    for name, us in of.items():
        yield Measured(key=f"consents.{name}", value=us, note=note)


def without_consent(stage: Stage) -> Stage:
    """Return the same stage with consent off."""
    deployment = stage.deployment
    services = replace(deployment.services, gate=no_consent(deployment))
    return replace(stage, deployment=replace(deployment, services=services))


def _page(stage: Stage, stored: Span, random: Random) -> Timed:
    """Return a page over all patients.

    Raises:
        BenchError: where it is not full.

    """
    found = timed(stage, OBSERVATIONS, stored.page(random))
    if found.entries != PAGE:
        raise BenchError("A page over all patients is not full.")
    return found


def withdrawals(stage: Stage, plan: Plan) -> Iterator[Measured]:
    """Yield whether withdrawals are heeded at once, and how long the answers take."""
    ids = populate(stage, plan.withdrawal_patients, whole, 1)
    random = Random(1)  # noqa: S311 - no secret
    seen = [_withdrawn(stage, id_) for id_ in random.sample(ids, plan.repeats)]
    note = f"{len(seen)} withdrawals, {len(ids)} patients"
    for name, value in (
        ("withdrawn", 100 * mean(one.is_heeded for one in seen)),
        ("withdrawn-next", median(one.search.us for one in seen) / 1000),
        ("withdrawn-page", median(one.page.us for one in seen) / 1000),
    ):
        yield Measured(key=f"consents.{name}", value=value, note=note)


@dataclass(frozen=True, kw_only=True, slots=True)
class Withdrawn:
    """What is answered after a patient has withdrawn the one consent.

    Attributes:
        id: The patient.
        search: The next answer: a search of the patient.
        page: The one after it: a page over all patients, who was in it before.

    """

    id: str
    search: Timed
    page: Timed

    @property
    def is_heeded(self) -> bool:
        """Whether neither shows anything of the patient."""
        return not self.search.entries and not _is_in(self.id, self.page)


def _withdrawn(stage: Stage, id_: str) -> Withdrawn:
    """Withdraw, and ask what could be seen before.

    Raises:
        BenchError: where nothing could be.

    """
    of_patient = f"patient={id_}"
    before = timed(stage, OBSERVATIONS, of_patient)
    [entry] = fhir_json.loads(before.body)["entry"]
    of_all = page_from(stored_at(entry["resource"]))
    if not _is_in(id_, timed(stage, OBSERVATIONS, of_all)):
        raise BenchError("A patient of the bench is not in the page over all.")
    _withdraw(stage, id_)
    return Withdrawn(
        id=id_,
        search=timed(stage, OBSERVATIONS, of_patient),
        page=timed(stage, OBSERVATIONS, of_all),
    )


def _is_in(id_: str, found: Timed) -> bool:
    return f'"Patient/{id_}"'.encode() in found.body


def _withdraw(stage: Stage, id_: str) -> None:
    found = stage.ask("GET", CONSENTS, stage.administrator, query=f"patient={id_}")
    [entry] = fhir_json.loads(found.body)["entry"]
    withdrawn = {**entry["resource"], "status": "inactive"}
    path = f"{CONSENTS}/{withdrawn['id']}"
    stage.ask("PUT", path, stage.administrator, body=fhir_json.dumps(withdrawn))
