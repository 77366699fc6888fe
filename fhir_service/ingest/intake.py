"""One delivery → a receipt; quarantine and audit in the transactions that store it.

A delivery of any size goes in by transactions of `TRANSACTION` readings, so that it
does not hold the writer; each has its own audit leaf.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import structlog

from conformance.issues import FHIRError, IssueType
from consent.audit import entry
from consent.audit.entry import AuditRecord, Interaction, Outcome
from fhir_service.exchange import Services
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.pipeline import Batch
from fhir_service.ingest.raw import Kept, keep
from fhir_service.ingest.receipt import Receipt
from fhir_service.ingest.refused import Parts
from fhir_service.logs import describe
from fhir_service.storage.engine import Transaction
from fhir_service.storage.tables import SHARED
from mappings.measurement import Reading

_log = structlog.get_logger()

TRANSACTION = 1_000
"""Readings in one transaction: a few tens of milliseconds of the writer."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What the audit says of how a payload came.

    Attributes:
        interaction: `ingest` or `import`.
        request: What was asked, to be kept encrypted.
        request_id: Joins it with the client's log.
        address: Network address; empty for a file.
        user: Who imports a file.

    """

    interaction: Interaction
    request: str
    request_id: str = ""
    address: str = ""
    user: str = ""


@dataclass(frozen=True, kw_only=True)
class _Progress:
    """How far a delivery is.

    Attributes:
        seen: Digests of the refused parts that are kept.
        kept: What is known of its raw payload.

    """

    seen: frozenset[bytes] = frozenset()
    kept: Kept = field(default_factory=Kept)


def take(
    services: Services,
    delivery: Delivery,
    origin: Origin,
    readings: Iterable[Reading],
    done: Callable[[int, Receipt], None] = lambda _count, _receipt: None,
) -> Receipt:
    """Store what may be stored, and account for all of it.

    Args:
        services: Where it is stored.
        delivery: What it came with.
        origin: What the audit says of how it came.
        readings: What was read.
        done: Told after each transaction how many readings are accounted for, and
            how.

    Raises:
        FHIRError: what made the first transaction fail; of a later one, the same type
            or `exception`, saying that a part is stored and sending again is safe.

    """
    receipt = Receipt(source=delivery.source)
    progress = _Progress()
    count = 0
    for part in _parts(iter(readings)):
        try:
            account, progress = _transacted(services, delivery, origin, part, progress)
        except Exception as error:  # the client must hear that a part is stored
            if not receipt.received:
                raise
            if not isinstance(error, FHIRError):
                _log.error("failed", **describe(error))
                services.metrics.failed("handler")
            raise _interrupted(error, receipt) from error
        receipt.merge(account)
        count += len(part)
        done(count, receipt)
    if receipt.received and not progress.kept.is_done:
        services.database.write(
            lambda transaction: keep(services, transaction, delivery, progress.kept)
        )
    return receipt


def _parts(readings: Iterator[Reading]) -> Iterator[list[Reading]]:
    """Yield the readings in lists of a transaction's size."""
    while part := list(islice(readings, TRANSACTION)):
        yield part


def _interrupted(error: Exception, receipt: Receipt) -> FHIRError:
    return FHIRError(
        error.type if isinstance(error, FHIRError) else IssueType.EXCEPTION,
        f"The first {receipt.received:,} measurements of the delivery are accounted "
        "for and what follows is not. Send the same again: it is safe, and what is "
        "stored counts as duplicate.",
    )


def _transacted(
    services: Services,
    delivery: Delivery,
    origin: Origin,
    readings: list[Reading],
    progress: _Progress,
) -> tuple[Receipt, _Progress]:
    """Return what became of some readings, and how far the delivery is."""

    def work(transaction: Transaction) -> tuple[Receipt, _Progress]:
        refused = Parts(delivery, services.repository.content_secret, progress.seen)
        batch = Batch(
            transaction, services.repository, services.gate, delivery, refused
        )
        batch.run(readings)
        refused.keep(transaction, services.repository)
        kept = progress.kept.plus(batch)
        if len(readings) < TRANSACTION:
            kept = keep(services, transaction, delivery, kept)
        transaction.audit(leaf(services, transaction, delivery, origin, batch))
        return batch.receipt, _Progress(seen=refused.seen, kept=kept)

    return services.database.write(work)


def leaf(
    services: Services,
    transaction: Transaction,
    delivery: Delivery,
    origin: Origin,
    batch: Batch,
) -> bytes:
    """Return the audit leaf that accounts for a batch."""
    grant = delivery.grant
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
            patients=tuple(services.pseudonym(id_) for id_ in sorted(batch.patients)),
            written=batch.written,
            counts=batch.receipt.counted(),
        ),
        seal=services.seal.sealer(transaction, SHARED),
    )
