"""What a condition of a write matches: exactly, and only what the client may see.

https://hl7.org/fhir/R4/http.html#ccreate
"""

from urllib.parse import parse_qsl

from conformance.issues import FHIRError, IssueType
from fhir_service.auth.bearer import require
from fhir_service.exchange import Exchange
from fhir_service.interactions.planner import Planner
from fhir_service.rest.parameters import MAX_PARAMETERS
from fhir_service.search.parse import parse
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.resources import Stored


def matching(
    exchange: Exchange, snapshot: Snapshot, type_: str, query: str, *, limit: int
) -> list[Stored]:
    """Return up to `limit` resources that match a query string and may be seen.

    Raises:
        FHIRError: `invalid` where nothing is asked or it cannot be read, and as
            `search.parse` says under strict handling; `forbidden` where no scope
            covers searching the type.

    """
    require(exchange.who, type_, "search-type")
    try:
        pairs = parse_qsl(
            query,
            keep_blank_values=True,
            max_num_fields=MAX_PARAMETERS,
            errors="strict",
        )
    except ValueError:
        raise FHIRError(IssueType.INVALID, "The condition cannot be read.") from None
    place = exchange.services.repository.deployment
    asked = parse(
        (type_,),
        pairs,
        base_urls=place.own_bases,
        zone=place.zone,
        now_us=exchange.now_us,
        strict=True,
    )
    if not asked.conditions:
        raise FHIRError(IssueType.INVALID, "The condition asks for nothing.")
    planner = Planner(exchange.services, snapshot, exchange.who)
    plan = planner.plan(type_, asked.conditions)
    if plan is None:
        return []
    return [stored for _, stored in planner.versions(plan, None, limit)]
