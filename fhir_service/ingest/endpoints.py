"""Addresses to which vendors push: made, given new secrets, closed; each is audited.

What a vendor shares with the service is sealed with the endpoint's id, so that no
secret can be moved to another endpoint. It is shown once, when it is made here.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from consent.audit.entry import AuditRecord, Interaction, Outcome, encode
from fhir_service.auth import local
from fhir_service.exchange import Services
from fhir_service.storage import push_endpoints
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.push_endpoints import Endpoint
from fhir_service.storage.tables import SHARED
from mappings.signatures import SCHEMES, UNSIGNED

ID_BYTES = 16
SECRET_BYTES = 32
MAX_SECRET = 256
"""Characters of a secret or a code."""

MAX_TOLERANCE_S = 3600

_SEALED = 3
"""Bound to the sealed bytes, so that they are never taken for another thing."""


class Origin(StrEnum):
    """Who makes a secret up."""

    NOBODY = "nobody"
    VENDOR = "vendor"
    SERVICE = "service"


@dataclass(frozen=True, kw_only=True, slots=True)
class Needs:
    """What an endpoint of one vendor shares with it.

    Attributes:
        secret: What the vendor signs with, or sends.
        code: What it asks for before it pushes.

    """

    secret: Origin = Origin.NOBODY
    code: Origin = Origin.NOBODY


NEEDS: Mapping[str, Needs] = MappingProxyType(
    {
        "fitbit": Needs(secret=Origin.VENDOR, code=Origin.VENDOR),
        "garmin": Needs(),
        "google-health": Needs(secret=Origin.SERVICE),
        "oura": Needs(secret=Origin.VENDOR, code=Origin.SERVICE),
        "polar": Needs(secret=Origin.VENDOR),
        "whoop": Needs(secret=Origin.VENDOR),
        "withings": Needs(),
    }
)
"""Every source that can push: those that sign, and those that do not."""

PREFIXES = MappingProxyType({"google-health": "Bearer "})
"""What stands in front of a secret that a vendor sends in `Authorization`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shared:
    """What a vendor and an endpoint share; empty where it is not known yet."""

    secret: str = field(default="", repr=False)
    code: str = field(default="", repr=False)


def add(  # noqa: PLR0913 - what the command line says
    services: Services,
    *,
    source: str,
    client_id: str,
    shared: Shared,
    random: Callable[[int], bytes],
    tolerance_s: int | None = None,
) -> tuple[Endpoint, Shared]:
    """Store a new endpoint; return it with what it shares with the vendor.

    Raises:
        FHIRError: `not-supported` for a source that does not push, `value` for a
            secret that cannot be, `not-found` for a client that is not active,
            `business-rule` where it does not speak for the source.

    """
    if source not in NEEDS:
        raise FHIRError(
            IssueType.NOT_SUPPORTED,
            f"{source[:64]} does not push; these do: {', '.join(sorted(NEEDS))}.",
        )
    shared = completed(source, shared, random)
    id_ = base64.b32encode(random(ID_BYTES)).decode().rstrip("=").lower()

    def work(transaction: Transaction) -> Endpoint:
        if source not in local.registered(transaction, client_id).sources:
            raise FHIRError(
                IssueType.BUSINESS_RULE, "The client is not registered for the source."
            )
        endpoint = Endpoint(
            id=id_,
            source=source,
            client_id=client_id,
            secret=_sealed(services, transaction, id_, source, shared),
            tolerance_s=_tolerance(source, tolerance_s),
            made=services.clock(),
            made_by=local.user(),
        )
        push_endpoints.add(transaction, endpoint)
        _audit(services, transaction, Interaction.CONFIG, "add", endpoint)
        return endpoint

    return services.database.write(work), shared


def _tolerance(source: str, asked: int | None) -> int:
    if asked is not None:
        return min(max(asked, 1), MAX_TOLERANCE_S)
    return 0 if source in UNSIGNED else SCHEMES[source].tolerance_s


def completed(source: str, shared: Shared, random: Callable[[int], bytes]) -> Shared:
    """Return the same with what the service makes up itself.

    Raises:
        FHIRError: `value` for what is too long, not printable, or not asked for.

    """
    needs = NEEDS[source]
    for text, origin in ((shared.secret, needs.secret), (shared.code, needs.code)):
        if len(text) > MAX_SECRET or not text.isascii() or not text.isprintable():
            raise FHIRError(
                IssueType.VALUE,
                f"A secret is printable, up to {MAX_SECRET} characters.",
            )
        if text and origin is Origin.NOBODY:
            raise FHIRError(IssueType.VALUE, f"{source} shares no such secret.")

    def made(text: str, origin: Origin, prefix: str = "") -> str:
        if text or origin is not Origin.SERVICE:
            return text
        token = base64.urlsafe_b64encode(random(SECRET_BYTES)).decode().rstrip("=")
        return f"{prefix}{token}"

    return Shared(
        secret=made(shared.secret, needs.secret, PREFIXES.get(source, "")),
        code=made(shared.code, needs.code),
    )


def rotate(
    services: Services, id_: str, shared: Shared, random: Callable[[int], bytes]
) -> tuple[Endpoint, Shared]:
    """Give an open endpoint new secrets; the earlier ones end at once.

    Raises:
        FHIRError: `not-found` where there is none, `business-rule` where its vendor
            signs nothing, `value` as in `completed`.

    """

    def work(transaction: Transaction) -> tuple[Endpoint, Shared]:
        endpoint = opened(transaction, id_)
        if endpoint.source in UNSIGNED:
            raise FHIRError(IssueType.BUSINESS_RULE, "The endpoint has no secret.")
        made = completed(endpoint.source, shared, random)
        sealed = _sealed(services, transaction, id_, endpoint.source, made)
        push_endpoints.rotate(transaction, id_, sealed or b"")
        _audit(services, transaction, Interaction.KEY_ROTATION, "rotate", endpoint)
        return endpoint, made

    return services.database.write(work)


def remove(services: Services, id_: str) -> Endpoint:
    """Close an endpoint and forget its secret.

    Raises:
        FHIRError: `not-found` where there is no such open endpoint.

    """

    def work(transaction: Transaction) -> Endpoint:
        endpoint = opened(transaction, id_)
        push_endpoints.remove(transaction, id_, services.clock())
        _audit(services, transaction, Interaction.REVOKE, "remove", endpoint)
        return endpoint

    return services.database.write(work)


def opened(snapshot: Snapshot, id_: str) -> Endpoint:
    """Return an endpoint that is open.

    Raises:
        FHIRError: `not-found` where there is none.

    """
    endpoint = push_endpoints.find(snapshot, id_)
    if endpoint is None or endpoint.removed is not None:
        raise FHIRError(IssueType.NOT_FOUND, "There is no such endpoint here.")
    return endpoint


def shared_with(services: Services, snapshot: Snapshot, endpoint: Endpoint) -> Shared:
    """Return what the vendor and the endpoint share."""
    if not endpoint.secret:
        return Shared()
    text = services.repository.payloads.decode(
        snapshot, SHARED, _row(endpoint.id), _SEALED, endpoint.secret
    )
    return Shared(**fhir_json.loads_object(text))


def _sealed(
    services: Services,
    transaction: Transaction,
    id_: str,
    source: str,
    shared: Shared,
) -> bytes | None:
    if source in UNSIGNED:
        return None
    text = fhir_json.dumps({"secret": shared.secret, "code": shared.code})
    return services.repository.payloads.encode(
        transaction, SHARED, _row(id_), _SEALED, text
    )


def _row(id_: str) -> int:
    """Return the number by which a sealed secret is bound to its endpoint."""
    return int.from_bytes(hashlib.blake2b(id_.encode(), digest_size=7).digest())


def _audit(
    services: Services,
    transaction: Transaction,
    interaction: Interaction,
    what: str,
    endpoint: Endpoint,
) -> None:
    record = AuditRecord(
        time_us=services.clock(),
        interaction=interaction,
        outcome=Outcome.ALLOWED,
        request=f"push {what} {endpoint.source} {endpoint.id}",
        user=local.user(),
        client=endpoint.client_id,
    )
    seal = services.seal.sealer(transaction, SHARED)
    transaction.audit(encode(record, seal=seal))
