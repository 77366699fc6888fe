"""What a vendor pushed that is no data: kept sealed, and never read as data.

A hint waits in quarantine without anything that a retry could read, so that it stays
a hint whatever is done to it.
"""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType

from conformance import fhir_json
from fhir_service.exchange import Services
from fhir_service.ingest.raw import without_credentials
from fhir_service.storage import push_endpoints, quarantines
from fhir_service.storage.engine import Transaction
from fhir_service.storage.push_endpoints import Endpoint
from fhir_service.storage.tables import SHARED
from mappings.measurement import Reason

MAX_BYTES = 256 * 1024
"""Of one hint that is kept; a longer one is counted and audited alone."""

KEPT: Mapping[Reason, int] = MappingProxyType(
    {Reason.UNVERIFIED: 1_000, Reason.NOTICE: 10_000}
)
"""Hints of one source that wait at most, so that nobody can fill the disk."""

_DETAILS: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.UNVERIFIED: "The vendor signs nothing: it is a hint and not data.",
        Reason.NOTICE: "The vendor says that there is data, and does not send it.",
    }
)


def keep(
    services: Services, endpoint: Endpoint, body: bytes, reason: Reason, now_us: int
) -> None:
    """Keep a hint once, where there is room for it."""
    if not body or len(body) > MAX_BYTES:
        return
    digest = hashlib.blake2b(
        b"\x1f".join(
            (b"hint", endpoint.source.encode(), endpoint.client_id.encode(), body)
        ),
        digest_size=16,
        key=services.repository.content_secret,
    ).digest()

    def work(transaction: Transaction) -> None:
        waiting = push_endpoints.hints_kept(transaction, endpoint.source, reason)
        if waiting >= KEPT[reason] or quarantines.held(transaction, [digest]):
            return
        quarantines.add(
            transaction,
            [_part(services, transaction, endpoint, body, reason, digest, now_us)],
        )

    services.database.write(work)


def _part(  # noqa: PLR0913, PLR0917 - what a row is made of
    services: Services,
    transaction: Transaction,
    endpoint: Endpoint,
    body: bytes,
    reason: Reason,
    digest: bytes,
    now_us: int,
) -> dict[str, object]:
    text = fhir_json.dumps(
        {
            "patient": None,
            "payload": None,
            "parsed": False,
            "hint": without_credentials(body).decode("utf-8", "backslashreplace"),
        }
    )
    return {
        "digest": digest,
        "patient_key": SHARED,
        "source": endpoint.source,
        "client_id": endpoint.client_id,
        "reason": reason.value,
        "kind": None,
        "position": "$",
        "detail": _DETAILS[reason],
        "records": 1,
        "received": now_us,
        "payload": services.repository.seal_payload(transaction, SHARED, text),
    }
