"""The entries of a page: decoded and written, or found as they were written before.

https://hl7.org/fhir/R4/bundle.html#searchset
"""

from collections.abc import Sequence

from fhir_service.exchange import Services
from fhir_service.interactions.planner import Planner
from fhir_service.rest.bundle import rendered
from fhir_service.rest.projection import projected
from fhir_service.search.criteria import SearchQuery
from fhir_service.storage.resources import Shown, Stored

MATCH = b"match"
INCLUDE = b"include"


def matches(
    services: Services,
    planner: Planner,
    query: SearchQuery,
    versions: Sequence[Shown | Stored],
) -> bytes:
    """Return the entries of versions that match, in order; empty where none do."""
    if not versions:
        return b""
    if not is_whole(query):
        return written(services, query, planner.bodies(versions), MATCH)
    key = planner.identity(versions)
    page = services.pages.get(key)
    if page is None:
        page = rendered(services.base_url, planner.bodies(versions), MATCH)
        services.pages.put(key, page)
    return page


def written(
    services: Services, query: SearchQuery, bodies: Sequence[bytes], mode: bytes
) -> bytes:
    """Return the entries of resources, as far as the query wants to see them."""
    if not is_whole(query):
        bodies = [
            projected(body, summary=query.summary, elements=query.elements)
            for body in bodies
        ]
    return rendered(services.base_url, bodies, mode)


def is_whole(query: SearchQuery) -> bool:
    """Whether resources are shown with all that they have."""
    return not query.elements and query.summary in (None, "false")
