"""Vread: one version of one resource, current or earlier.

A version is judged by what it says itself, under the consents of now: it may be
hidden where the current one is not, and the other way round.

https://hl7.org/fhir/R4/http.html#vread
"""

import re

from fhir_service.exchange import Exchange
from fhir_service.interactions.provenance import of_id
from fhir_service.interactions.provenance_rendering import ONLY_VERSION, Rendered
from fhir_service.interactions.read import version_response
from fhir_service.rest.message import Response
from fhir_service.storage import history, types
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.resources import Stored

_VERSION = re.compile(r"[1-9][0-9]{0,8}")
"""What this service writes as `meta.versionId`."""


def vread(exchange: Exchange, type_: str, id_: str, version: str) -> Response:
    """Return the version, if the view holds it.

    Raises:
        FHIRError: `not-found` for what is absent or hidden, in the words of a read
            that finds nothing; `deleted` for a version that says so.

    """

    def find(snapshot: Snapshot) -> Stored | Rendered | None:
        if _VERSION.fullmatch(version) is None:
            return None
        if (type_, version) == ("Provenance", ONLY_VERSION) and (
            made := of_id(exchange, snapshot, id_)
        ):
            return made
        return history.version_of(snapshot, types.number_of(type_), id_, int(version))

    return version_response(exchange, type_, id_, "vread", find)
