"""Parts of gateways' uploads, tried again: `fhir-service quarantine retry`.

They are resources and no measurements, and go the way of an upload. What is tried
again does not overrule what has been stored since it came.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from conformance import fhir_json
from conformance.issues import FHIRError
from consent.audit.entry import Interaction
from fhir_service.auth import local
from fhir_service.exchange import Services
from fhir_service.ingest import phd
from fhir_service.ingest.deliverer import grant_today
from fhir_service.ingest.delivery import Delivery
from fhir_service.ingest.intake import Origin
from fhir_service.ingest.receipt import Receipt
from fhir_service.ingest.tried import SEVERAL, Again, as_before
from fhir_service.storage.body import BodyError
from fhir_service.storage.engine import Transaction
from fhir_service.storage.keys import DataKeyError
from fhir_service.storage.quarantines import Quarantined
from mappings.measurement import Refusal
from mappings.vendors.hl7_phd.parts import SYSTEM, again


class Tried(NamedTuple):
    """What became of parts that were tried again.

    Attributes:
        refused: Those that stay, by their number.
        receipt: What became of all that were read.

    """

    refused: dict[int, Refusal]
    receipt: Receipt


class _Came(NamedTuple):
    """What the parts of one upload have in common."""

    client_id: str | None
    patient_id: str | None
    received_us: int
    sha256: str | None
    is_of_several: bool


def tried(
    services: Services, transaction: Transaction, rows: Sequence[Quarantined]
) -> Tried:
    """Try parts again, upload by upload."""
    done = Tried({row.id: as_before(row) for row in rows}, Receipt(source=phd.SOURCE))
    uploads: dict[_Came, dict[int, Any]] = {}
    for row, kept in _opened(services, transaction, rows):
        came = _Came(
            row.client_id,
            kept["patient"],
            row.received,
            kept.get("upload"),
            kept.get("several") is True,
        )
        uploads.setdefault(came, {})[row.id] = kept["payload"]
    for came, payloads in uploads.items():
        _stored(services, transaction, came, payloads, done)
    return done


def _opened(
    services: Services, transaction: Transaction, rows: Sequence[Quarantined]
) -> Iterator[tuple[Quarantined, Mapping[str, Any]]]:
    """Yield what is kept of each part, as far as it can be opened."""
    for row in rows:
        try:
            text = services.repository.open_payload(
                transaction, row.patient_key, row.payload
            )
            yield row, fhir_json.loads_object(text)
        except (BodyError, DataKeyError, FHIRError):
            continue


def _stored(
    services: Services,
    transaction: Transaction,
    came: _Came,
    payloads: Mapping[int, Any],
    done: Tried,
) -> None:
    grant = grant_today(
        transaction, phd.SOURCE, client_id=came.client_id, patient_id=came.patient_id
    )
    if grant is None:
        return
    delivery = Delivery(
        source=phd.SOURCE,
        parser=phd.PARSER,
        identifier_system=SYSTEM,
        is_registered=False,
        patient_id=came.patient_id,
        grant=grant,
        payload_sha256=None if came.sha256 is None else bytes.fromhex(came.sha256),
        received_us=came.received_us,
        accounts=SEVERAL if came.is_of_several else frozenset(),
        clock_us=services.clock(),
        settled_us=came.received_us,
    )
    refused = Again()
    upload = phd.Upload(services, transaction, delivery, refused)
    upload.run(again({str(number): one for number, one in payloads.items()}))
    origin = Origin(
        interaction=Interaction.INGEST,
        request=f"quarantine retry {phd.SOURCE}",
        user=local.user(),
    )
    transaction.audit(upload.leaf(origin))
    done.receipt.merge(upload.receipt)
    for number in payloads:
        del done.refused[number]
    done.refused.update(refused.parts)
