"""Operations that are not answered: each is refused by its name.

https://hl7.org/fhir/R4/operationslist.html
"""

from collections.abc import Mapping
from types import MappingProxyType

from conformance.issues import FHIRError, IssueType
from fhir_service.exchange import Exchange
from fhir_service.operations.table import OPERATIONS
from fhir_service.rest.message import Response

LATER = frozenset(
    {
        "$apply",
        "$closure",
        "$conforms",
        "$convert",
        "$data-requirements",
        "$document",
        "$evaluate-measure",
        "$expand",
        "$export",
        "$find",
        "$find-matches",
        "$graphql",
        "$implements",
        "$import",
        "$lookup",
        "$match",
        "$populate",
        "$preferred-id",
        "$process-message",
        "$snapshot",
        "$stats",
        "$submit-data",
        "$subset",
        "$subsumes",
        "$transform",
        "$translate",
        "$validate-code",
    }
)
"""Operations of the standard that are not offered yet."""

_BY_WRITING = "tags, profiles and labels are changed by an update or a patch"

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "$meta-add": _BY_WRITING,
        "$meta-delete": _BY_WRITING,
        **{f"${served.name}": served.instead for served in OPERATIONS},
    }
)
"""Operations that are asked for where they are not, and what to do instead."""


def unknown_of_instance(
    exchange: Exchange, type_: str, _id: str, operation: str
) -> Response:
    """Refuse an operation on a resource; whether that is here is not looked at.

    Raises:
        FHIRError: as `unknown`.

    """
    return unknown_of_type(exchange, type_, operation)


def unknown_of_type(exchange: Exchange, type_: str, operation: str) -> Response:
    """Refuse an operation on a type.

    Raises:
        FHIRError: as `unknown`.

    """
    exchange.resource_type = type_
    return unknown(exchange, operation)


def unknown(exchange: Exchange, operation: str) -> Response:
    """Refuse an operation by its name.

    Raises:
        FHIRError: `login` without a valid token; `not-supported`.

    """
    with exchange.services.database.read() as snapshot:
        exchange.granted(snapshot)
    if operation in LATER:
        told = f"{operation} is not offered yet."
    elif operation in REASONS:
        told = f"{operation} is not offered here: {REASONS[operation]}."
    else:
        told = f"{operation} is no operation of this server."
    raise FHIRError(IssueType.NOT_SUPPORTED, told)
