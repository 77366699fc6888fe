"""Templates are added and removed; each change is audited in its transaction."""

import hashlib
from dataclasses import dataclass
from typing import Any

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from consent.audit.entry import AuditRecord, Interaction, Outcome, encode
from fhir_service.auth import local
from fhir_service.exchange import Services
from fhir_service.storage import mapping_templates
from fhir_service.storage.engine import Transaction
from fhir_service.storage.mapping_templates import Stored
from fhir_service.storage.tables import SHARED
from mappings.vendors.table import VENDORS


@dataclass(frozen=True, kw_only=True, slots=True)
class Added:
    """What adding a template has done.

    Attributes:
        stored: The version in force.
        is_new: Whether it was not in force before.

    """

    stored: Stored
    is_new: bool


def add(services: Services, template: dict[str, Any]) -> Added:
    """Put a template in force; the same once more changes nothing.

    Args:
        services: Where to.
        template: One without faults.

    Raises:
        FHIRError: `duplicate` for the name of a source that is built in.

    """
    name = template["name"]
    if name in VENDORS:
        raise FHIRError(IssueType.DUPLICATE, f"{name} is a source that is built in.")
    body = fhir_json.dumps(template)
    sha256 = hashlib.sha256(body).digest()

    def work(transaction: Transaction) -> Added:
        before = mapping_templates.active(transaction, name)
        if before is not None and before.sha256 == sha256:
            return Added(stored=before, is_new=False)
        stored = mapping_templates.add(
            transaction,
            name=name,
            sha256=sha256,
            body=body.decode(),
            made=services.clock(),
            made_by=local.user(),
        )
        _audit(services, transaction, "add", stored)
        return Added(stored=stored, is_new=True)

    return services.database.write(work)


def remove(services: Services, name: str) -> Stored:
    """End a template; its versions are kept. Return the one that was in force.

    Raises:
        FHIRError: `not-found` where no template of that name is in force.

    """

    def work(transaction: Transaction) -> Stored:
        stored = mapping_templates.active(transaction, name)
        if stored is None:
            raise FHIRError(
                IssueType.NOT_FOUND, f"There is no template {name[:64]} in force."
            )
        mapping_templates.end(transaction, name, services.clock())
        _audit(services, transaction, "remove", stored)
        return stored

    return services.database.write(work)


def _audit(
    services: Services, transaction: Transaction, what: str, stored: Stored
) -> None:
    record = AuditRecord(
        time_us=services.clock(),
        interaction=Interaction.CONFIG,
        outcome=Outcome.ALLOWED,
        request=(
            f"mapping {what} {stored.name} version {stored.version} "
            f"sha256 {stored.sha256.hex()}"
        ),
        user=local.user(),
    )
    seal = services.seal.sealer(transaction, SHARED)
    transaction.audit(encode(record, seal=seal))
