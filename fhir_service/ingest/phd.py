"""Uploads of a personal health gateway: resources, stored as they came.

They pass no mapping. Each is bound to the patient, decided on by consent as any other
data of a device, and known again by its identifier or, without one, by its content.

https://hl7.org/fhir/uv/phd/
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from conformance.fhir_json import loads_foreign
from consent.audit import entry
from consent.audit.entry import AuditRecord, Outcome
from fhir_service.exchange import Services
from fhir_service.ingest.collecting import Collecting
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.intake import Origin
from fhir_service.ingest.phd_names import SOURCE, Names
from fhir_service.ingest.raw import Kept, keep
from fhir_service.ingest.receipt import Fate, Item, Receipt
from fhir_service.ingest.recognition import CORRECTED, DELETED
from fhir_service.ingest.refused import NOT_KEPT, NOT_KEPT_DETAIL, Keeper, Parts
from fhir_service.ingest.resolve import Resolver, Unresolved, Wearer
from fhir_service.ingest.taken_back import as_measured
from fhir_service.ingest.tried import is_settled
from fhir_service.storage import (
    batches,
    counters,
    programs,
    resources,
    source_keys,
    types,
)
from fhir_service.storage.engine import Transaction
from fhir_service.storage.tables import SHARED
from fhir_service.storage.tokens import identifier_token
from mappings.measurement import OutOfScope, Reason, Refusal
from mappings.vendors.hl7_phd.parts import (
    PATIENT,
    Part,
    digest,
    identifiers,
    parts,
    patients_of,
    pointed,
)

__all__ = ["PARSER", "SOURCE", "Upload", "take_upload"]

PARSER = f"{SOURCE}/1"

_TRANSACTION = 500
"""Resources that are stored together."""

_SEVERAL = Unresolved(
    Reason.AMBIGUOUS_WEARER, "The resource names more than one patient."
)


def take_upload(services: Services, delivery: Delivery, origin: Origin) -> Receipt:
    """Store what may be stored of an upload, and account for all of it.

    Args:
        services: What is shared.
        delivery: Who brings it, for whom; `raw` is the upload.
        origin: What the audit says of how it came.

    Raises:
        FHIRError: what makes the body unreadable as a whole.

    """
    found = parts(loads_foreign(delivery.raw or b""))
    delivery = replace(delivery, accounts=_accounts(found))
    came, receipt = _Came(services, delivery, origin), Receipt(source=delivery.source)
    before = _Taken(receipt, Kept(), frozenset())
    for first in range(0, len(found), _TRANSACTION):
        end = first + _TRANSACTION
        some, is_last = found[first:end], end >= len(found)
        work = partial(_take_some, came, before, some, is_last=is_last)
        before = services.database.write(work)
        receipt.merge(before.receipt)
    return receipt


class _Came(NamedTuple):
    """An upload, and where it goes."""

    services: Services
    delivery: Delivery
    origin: Origin


class _Taken(NamedTuple):
    """What a transaction has done of an upload, and what the next one goes on from."""

    receipt: Receipt
    kept: Kept
    seen: frozenset[bytes]


def _take_some(
    came: _Came,
    before: _Taken,
    some: Sequence[Part | Refusal | OutOfScope],
    transaction: Transaction,
    *,
    is_last: bool,
) -> _Taken:
    services, delivery, origin = came
    refused = Parts(delivery, services.repository.content_secret, before.seen)
    upload = Upload(services, transaction, delivery, refused)
    upload.run(some)
    refused.keep(transaction, services.repository)
    transaction.audit(upload.leaf(origin))
    kept = before.kept.plus(upload)
    if is_last:
        kept = keep(services, transaction, delivery, kept)
    return _Taken(upload.receipt, kept, refused.seen)


def _accounts(found: Iterable[Part | Refusal | OutOfScope]) -> frozenset[str]:
    """Return what a gateway calls the patients of whom an upload tells."""
    return frozenset(
        named
        for part in found
        if isinstance(part, Part | Refusal)
        for named in _patients(part)
    )


def _patients(part: Part | Refusal) -> frozenset[str]:
    """Return the references of a part to patients, be it read or not."""
    return part.patients if isinstance(part, Part) else patients_of(part.payload)


class Upload:
    """The work on some parts of an upload, inside one transaction.

    Attributes:
        receipt: What became of each part.
        patients: Ids of the patients concerned.
        keys: Their keys.
        has_unattributed: Whether something could not be attributed.
        written: `seq` of every version that was stored.

    """

    def __init__(
        self,
        services: Services,
        transaction: Transaction,
        delivery: Delivery,
        refused: Keeper,
    ) -> None:
        self._services = services
        self._repository = services.repository
        self._transaction = transaction
        self._delivery = delivery
        self._resolver = Resolver(transaction, services.repository, delivery)
        self._names = Names(transaction, services.repository, delivery)
        self._refused = refused
        self._collecting = Collecting(transaction, services.gate, delivery)
        self._after_row = counters.current(transaction, "row")
        self._number = 0
        self.receipt = Receipt(source=delivery.source)
        self.patients: set[str] = set()
        self.keys: set[int] = set()
        self.has_unattributed = False
        self.written: list[int] = []

    def run(self, found: Sequence[Part | Refusal | OutOfScope]) -> None:
        """Account for each part, storing what may be stored."""
        for part in found:
            if isinstance(part, Part):
                self._attributed(part)
            elif isinstance(part, Refusal):
                self._unread(part)
            else:
                self._account(part.position, Fate.OUT_OF_SCOPE, part.what)

    @property
    def number(self) -> int | None:
        """Return the number of the batch, once something is written."""
        return self._number or None

    def _unread(self, refusal: Refusal) -> None:
        """Keep what is no resource, where the patient of it lets it be kept."""
        owner = self._wearer(refusal)
        if isinstance(owner, Wearer):
            self._concerns(owner)
        if isinstance(owner, Unresolved) or owner.stranger is not None:
            self._refuse(refusal, SHARED)
        elif self._collecting.permits(owner.state, None, None):
            self._refuse(refusal, owner.state.key)
        else:
            self._account(refusal.position, Fate.WITHHELD, refusal.kind, "consent")

    def _account(
        self, position: str, fate: Fate, kind: str | None, reason: str | None = None
    ) -> None:
        self.receipt.add(Item(position, fate, kind, reason))

    def _refuse(self, refusal: Refusal, key: int) -> None:
        self.has_unattributed = self.has_unattributed or key == SHARED
        is_kept = self._refused.add(refusal, key)
        self.receipt.add(
            Item(
                refusal.position,
                Fate.QUARANTINED,
                refusal.kind,
                refusal.reason.value if is_kept else NOT_KEPT,
                refusal.detail if is_kept else NOT_KEPT_DETAIL,
            )
        )

    def _attributed(self, part: Part) -> None:
        wearer = self._wearer(part)
        if isinstance(wearer, Unresolved):
            self._unattributed(part, wearer)
            return
        self._concerns(wearer)
        resource = self._bound(part, wearer)
        key = wearer.state.key
        if self._collects(key, resource):
            self._store(part, resource, key)
        elif wearer.stranger is not None:
            self._unattributed(part, wearer.stranger)
        else:
            kind = part.resource["resourceType"]
            self._account(part.position, Fate.WITHHELD, kind, "consent")

    def _concerns(self, wearer: Wearer) -> None:
        self.patients.add(wearer.state.id)
        self.keys.add(wearer.state.key)

    def _unattributed(self, part: Part, why: Unresolved) -> None:
        refusal = Refusal(part.position, why.reason, None, why.detail, part.kept)
        self._refuse(refusal, why.key)

    def _wearer(self, part: Part | Refusal) -> Wearer | Unresolved:
        """Return whose a resource is: of the patient it names, or of the request's."""
        patients = _patients(part)
        if len(patients) > 1:
            return _SEVERAL
        accounts = self._delivery.accounts
        if not patients and isinstance(part, Refusal) and len(accounts) == 1:
            patients = accounts
        named = next(iter(patients), None)
        return self._resolver.wearer(
            as_measured(
                part.position,
                named and self._user(named),
                self._delivery.received_us,
            )
        )

    def _user(self, named: str) -> str:
        """Return what a reference calls a patient; of this server, the id."""
        here = f"{self._services.base_url}/"
        return named.removeprefix(here).removeprefix(PATIENT)

    def _collects(self, key: int, resource: Mapping[str, Any]) -> bool:
        grant = self._delivery.grant
        return self._services.gate.collects(self._transaction, grant, key, resource)

    def _bound(self, part: Part, wearer: Wearer) -> dict[str, Any]:
        """Return a resource that is the patient's and points to what is stored."""
        patient, key = f"{PATIENT}{wearer.state.id}", wearer.state.key

        def target(named: str) -> str | None:
            if named in part.patients:
                return patient
            return self._names.named(key, named)

        bound = pointed(part.resource, target)
        if bound["resourceType"] == "Device":
            bound["patient"] = {"reference": patient}
        return dict(
            programs.as_written(
                self._repository,
                self._transaction,
                self._delivery.grant.organization,
                bound,
            )
        )

    def _store(self, part: Part, resource: dict[str, Any], key: int) -> None:
        at = self._names.key(key, "identity", part.identity)
        content = bytes.fromhex(digest(part.resource))[:16]
        kind, transaction = resource["resourceType"], self._transaction
        known = source_keys.known(transaction, key, [at]).get(at)
        row = self._registered(key, resource) if known is None else known[0]
        if row is None:
            self._create(part, resource, key, (at, content))
            self._account(part.position, Fate.STORED, kind)
            return
        self._names.remember(part, key, row)
        if known is None or known[1] == content or self._is_old(key, at, content):
            self._account(part.position, Fate.DUPLICATE, kind)
        else:
            self._amend(part, resource, key, row, (at, known[1], content))

    def _is_old(self, key: int, at: bytes, content: bytes) -> bool:
        """Whether the source has sent a content before, and corrected it since."""
        return content in source_keys.superseded(self._transaction, key, [at]).get(
            at, ()
        )

    def _registered(self, key: int, resource: Mapping[str, Any]) -> int | None:
        """Return the row of a Device that is stored already under an identifier."""
        if resource["resourceType"] != "Device":
            return None
        number = types.number_of("Device")
        for system, value in identifiers(resource):
            token = identifier_token(self._repository.blind, system, value)
            for of, row in resources.by_token(
                self._transaction, number, "identifier", token
            ):
                if of == key:
                    return row
        return None

    def _create(
        self,
        part: Part,
        resource: dict[str, Any],
        key: int,
        identity: tuple[bytes, bytes],
    ) -> None:
        written = self._repository.create(
            self._transaction, resource, patient_key=key, batch_id=self._batch()
        )
        row = written.stored.row
        self.written.append(written.stored.seq)
        source_keys.add(self._transaction, [(key, identity[0], row, identity[1], None)])
        self._names.remember(part, key, row)

    def _amend(
        self,
        part: Part,
        resource: dict[str, Any],
        key: int,
        row: int,
        identity: tuple[bytes, bytes, bytes],
    ) -> None:
        """Store the next version of what the sender has sent otherwise before."""
        transaction, kind = self._transaction, resource["resourceType"]
        old = resources.current(transaction, row)
        if old is None or old.deleted:
            self._account(part.position, Fate.DUPLICATE, kind, DELETED)
            return
        if is_settled(transaction, self._delivery, old, self.number):
            self._account(part.position, Fate.DUPLICATE, kind, CORRECTED)
            return
        written = self._repository.update(
            transaction,
            old,
            resource,
            id_=self._names.id_of(old),
            batch_id=self._batch(),
        )
        self.written.append(written.stored.seq)
        at, before, content = identity
        source_keys.amend(transaction, key, at, content)
        source_keys.supersede(transaction, [(key, at, before)])
        self._account(part.position, Fate.AMENDED, kind)

    def _batch(self) -> int:
        if not self._number:
            delivery = self._delivery
            sha256 = delivery.payload_sha256
            blind = self._repository.blind
            self._number = batches.add(
                self._transaction,
                source=delivery.source,
                parser=delivery.parser,
                payload=None
                if sha256 is None
                else blind.source("payload", sha256.hex()),
                client_id=delivery.grant.client_id,
                organization=delivery.grant.organization,
                received_us=delivery.received_us,
                after_row=self._after_row,
                gateway=delivery.gateway,
            )
        return self._number

    def leaf(self, origin: Origin) -> bytes:
        """Return the audit leaf that accounts for the parts."""
        services, grant = self._services, self._delivery.grant
        return entry.encode(
            AuditRecord(
                time_us=services.clock(),
                interaction=origin.interaction,
                outcome=Outcome.ALLOWED,
                status=200,
                request_id=origin.request_id,
                request=origin.request,
                resource_type="Observation",
                user=origin.user,
                client=grant.client_id,
                organisation=grant.organization or "",
                address=origin.address,
                token=grant.token_id,
                purposes=grant.purposes,
                patients=tuple(self._pseudonyms()),
                written=self.written,
                counts=self.receipt.counted(),
            ),
            seal=services.seal.sealer(self._transaction, SHARED),
        )

    def _pseudonyms(self) -> Iterator[bytes]:
        for id_ in sorted(self.patients):
            yield self._services.pseudonym(id_)
