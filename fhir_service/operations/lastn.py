"""`Observation/$lastn`: the newest Observations of each code of a patient.

One seek an index for each code; how long the history is does not matter. Where the
newest is hidden, an older one that may be seen stands in its place.

https://hl7.org/fhir/R4/observation-operation-lastn.html
"""

from collections.abc import Sequence
from dataclasses import replace

from conformance.issues import FHIRError, IssueType
from fhir_service.auth.bearer import require
from fhir_service.exchange import Exchange, resource_response
from fhir_service.interactions.entries import matches
from fhir_service.interactions.pages import Found
from fhir_service.interactions.plan import Plan
from fhir_service.interactions.planner import Planner
from fhir_service.interactions.search import (
    Parts,
    account,
    asked,
    bundle,
    obligations,
)
from fhir_service.rest.message import Response
from fhir_service.rest.parameters import parameters
from fhir_service.storage import observations
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.observations import Question
from fhir_service.storage.resources import Stored

MAX_OF_CODE = 100
"""Observations of one code."""

_OWN = frozenset({"max"})


def lastn(exchange: Exchange) -> Response:
    """Return the newest `max` Observations of each code that the search finds.

    Raises:
        FHIRError: `required` where no patient is named, and as a search.

    """
    exchange.resource_type = "Observation"
    with exchange.services.database.read() as snapshot:
        require(exchange.granted(snapshot), "Observation", "search-type")
        count = _count(exchange)
        search = asked(exchange, ("Observation",), "Observation/$lastn", drop=_OWN)
        query = search.query
        if query.sort or query.includes:
            raise FHIRError(
                IssueType.NOT_SUPPORTED, "$lastn takes no _sort and no _include."
            )
        planner = Planner(exchange.services, snapshot, exchange.who)
        plan = planner.plan("Observation", query.conditions)
        found = Found(
            rows=[] if plan is None else _newest(snapshot, planner, plan, count),
            asked_of=None if plan is None else plan.decided,
        )
        versions = [stored for _, stored in found.rows]
        entries = matches(exchange.services, planner, query, versions)
        account(exchange, snapshot, found, None)
        parts = Parts(entries=(entries,))
        told = tuple(obligations(exchange, snapshot, found, parts))
        return resource_response(
            bundle(exchange, search, found, replace(parts, told=told))
        )


def _count(exchange: Exchange) -> int:
    """Return `max`; 1 where it is not given."""
    pairs = parameters(exchange.request)
    values = [value for name, value in pairs if name == "max"]
    if not any(name in ("patient", "subject") for name, _ in pairs):
        raise FHIRError(
            IssueType.REQUIRED, "$lastn names its patient: add patient=Patient/id."
        )
    if not values:
        return 1
    [value] = values if len(values) == 1 else [""]
    if not (value.isascii() and value.isdigit() and 0 < int(value) <= MAX_OF_CODE):
        raise FHIRError(
            IssueType.INVALID, f"max is a whole number from 1 to {MAX_OF_CODE}."
        )
    return int(value)


def _newest(
    snapshot: Snapshot, planner: Planner, plan: Plan, count: int
) -> Sequence[tuple[int, Stored]]:
    """Return the newest of each series, newest first in each.

    Raises:
        FHIRError: `not-supported` where more than one patient is asked for.

    """
    question = plan.source
    if not isinstance(question, Question):
        raise FHIRError(IssueType.NOT_SUPPORTED, "$lastn is of one patient at a time.")
    if plan.is_exact:
        return observations.latest(snapshot, question, count)
    return [
        row
        for one in observations.by_series(snapshot, question)
        for row in planner.versions(plan.of(one), None, count)
    ]
