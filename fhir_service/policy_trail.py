"""The policy that decides, told to the audit log whenever it is another one.

The log is in order: a decision was made under the policy that the last such entry
before it names, and under the shipped one where there is none.
"""

from collections.abc import Callable

from consent.audit.entry import AuditRecord, Interaction, Outcome, encode
from consent.policy_version import SHIPPED
from fhir_service.auth import local
from fhir_service.storage import facts
from fhir_service.storage.body import RequestSeal
from fhir_service.storage.engine import Database, Transaction
from fhir_service.storage.tables import SHARED

POLICY = "policy"
"""Name of the fact that says under which policy the last process decided."""


def record_policy(
    database: Database, seal: RequestSeal, policy: str, clock: Callable[[], int]
) -> None:
    """Write a configuration change to the audit log where the policy is another."""
    with database.read() as snapshot:
        if facts.value_of(snapshot, POLICY) == policy:
            return

    def work(transaction: Transaction) -> None:
        before = facts.value_of(transaction, POLICY) or SHIPPED
        facts.put(transaction, POLICY, policy)
        if before != policy:
            record = AuditRecord(
                time_us=clock(),
                interaction=Interaction.CONFIG,
                outcome=Outcome.ALLOWED,
                request=f"policy {policy}; was {before}",
                user=local.user(),
            )
            seals = seal.sealer(transaction, SHARED)
            transaction.audit(encode(record, seal=seals))

    database.write(work)
