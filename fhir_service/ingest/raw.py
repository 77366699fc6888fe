"""The raw payload of a delivery: what of it is kept, under whose key, for how long.

A payload in which anything was withheld is not kept at all: it holds what may not be
collected. Tokens that a vendor sends along are taken out before it is sealed.
"""

import re
from dataclasses import dataclass, replace
from typing import Any, Protocol

from conformance import fhir_json
from conformance.issues import FHIRError
from fhir_service.exchange import Services
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.receipt import Fate, Receipt
from fhir_service.storage import raw_payloads
from fhir_service.storage.engine import Snapshot, Transaction
from fhir_service.storage.raw_payloads import RawPayload
from fhir_service.storage.tables import SHARED

_CREDENTIAL = re.compile(
    rb'"(?:(?:user_?)?(?:access|refresh|id)?_?token|client_?secret|password|'
    rb'authorization|callback_?url)"',
    re.IGNORECASE,
)
_CREDENTIAL_NAMES = frozenset(
    {
        "accesstoken",
        "authorization",
        "callbackurl",
        "clientsecret",
        "idtoken",
        "password",
        "refreshtoken",
        "token",
        "useraccesstoken",
    }
)

_FORM = 2
"""Bound to the sealed bytes, so that they are never taken for a quarantined part."""


class Work(Protocol):
    """What one transaction has done of a delivery.

    Attributes:
        receipt: What became of each part.
        keys: Keys of the patients concerned.
        has_unattributed: Whether something could not be attributed.
        number: Number of its batch, if something was written.

    """

    receipt: Receipt
    keys: set[int]
    has_unattributed: bool

    @property
    def number(self) -> int | None:
        """Return the number of the batch, if something was written."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What the transactions of a delivery have told so far.

    Attributes:
        patient_keys: Whose data the payload holds.
        batches: Numbers of the batches that came of it.
        is_private: All of it is attributed.
        may_keep: Nothing of it was withheld.
        is_done: It is kept, or never will be.

    """

    patient_keys: frozenset[int] = frozenset()
    batches: tuple[int, ...] = ()
    is_private: bool = True
    may_keep: bool = True
    is_done: bool = False

    def plus(self, batch: Work) -> "Kept":
        """Return the same with what another transaction has done."""
        number = batch.number
        return replace(
            self,
            patient_keys=self.patient_keys.union(batch.keys),
            batches=(*self.batches, *(() if number is None else (number,))),
            is_private=self.is_private and not batch.has_unattributed,
            may_keep=self.may_keep and not batch.receipt.counts[Fate.WITHHELD],
        )


def keep(
    services: Services, transaction: Transaction, delivery: Delivery, kept: Kept
) -> Kept:
    """Seal and store the payload, where it may be kept and is of use."""
    body = delivery.raw
    if body is not None:
        body = without_credentials(body) or None
    is_of_use = bool(kept.batches) or not kept.is_private
    if body is None or not services.raw_lifetime_us or not kept.may_keep:
        return replace(kept, is_done=True)
    if is_of_use:
        _store(services, transaction, delivery, kept, body)
    return replace(kept, is_done=True)


def _store(
    services: Services,
    transaction: Transaction,
    delivery: Delivery,
    kept: Kept,
    body: bytes,
) -> None:
    number = raw_payloads.take_number(transaction)
    key = SHARED
    if kept.is_private and len(kept.patient_keys) == 1:
        [key] = kept.patient_keys
    raw_payloads.add(
        transaction,
        RawPayload(
            id=number,
            patient_key=key,
            source=delivery.source,
            parser=delivery.parser,
            client_id=delivery.grant.client_id,
            patient=delivery.patient_id,
            zone=delivery.zone,
            gateway=delivery.gateway,
            received_us=delivery.received_us,
            size=len(body),
            body=services.repository.payloads.encode(
                transaction, key, number, _FORM, body
            ),
        ),
        expires_us=services.clock() + services.raw_lifetime_us,
    )
    raw_payloads.link(
        transaction, number, patient_keys=kept.patient_keys, batches=kept.batches
    )
    raw_payloads.purge(transaction, services.clock())


def opened(services: Services, snapshot: Snapshot, payload: RawPayload) -> bytes:
    """Return the bytes of a payload, as they came but for credentials.

    Raises:
        BodyError: where they cannot be read, such as after an erasure.

    """
    return services.repository.payloads.decode(
        snapshot, payload.patient_key, payload.id, _FORM, payload.body
    )


def without_credentials(body: bytes) -> bytes:
    """Return the JSON text without members that hold a token or a password.

    What looks as if it had some and is no JSON is not kept: nothing is returned.
    """
    if not _CREDENTIAL.search(body):
        return body
    try:
        return fhir_json.dumps(_without(fhir_json.loads_foreign(body)))
    except FHIRError:
        return b""


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _without(member)
            for name, member in value.items()
            if name.replace("_", "").lower() not in _CREDENTIAL_NAMES
        }
    if isinstance(value, list):
        return [_without(member) for member in value]
    return value
