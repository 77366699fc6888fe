"""What a gateway calls the resources that it uploads, and what is stored under it.

https://hl7.org/fhir/R4/bundle.html#references
"""

from conformance.fhir_json import loads
from fhir_service.ingest.delivery import Delivery
from fhir_service.storage import resources, source_keys, types
from fhir_service.storage.engine import Transaction
from fhir_service.storage.repository import Repository
from fhir_service.storage.resources import Stored
from mappings.vendors.hl7_phd.parts import Part

SOURCE = "hl7-phd"


class Names:
    """Finds and keeps names, for one transaction of an upload."""

    def __init__(
        self, transaction: Transaction, repository: Repository, delivery: Delivery
    ) -> None:
        self._transaction = transaction
        self._repository = repository
        self._delivery = delivery

    def key(self, key: int, *names: str) -> bytes:
        """Return the source key of what is known of a patient by these names."""
        return self._repository.blind.source(SOURCE, f"{key}", *names)[:16]

    def named(self, key: int, named: str) -> str | None:
        """Return what is stored of the patient under a sender's reference."""
        type_, _, id_ = named.partition("/")
        at = self._name_key(key, named)
        found = source_keys.known(self._transaction, key, [at]).get(at)
        if found is None:
            return self._local(key, type_, id_)
        stored = resources.current(self._transaction, found[0])
        if stored is None or stored.deleted:
            return None
        return f"{found[1].decode()}/{self.id_of(stored)}"

    def id_of(self, stored: Stored) -> str:
        """Return the id of what is stored; clients choose those of some Devices."""
        body = self._repository.body(self._transaction, stored)
        return str(loads(body)["id"])

    def _name_key(self, key: int, named: str) -> bytes:
        """Return the key of a sender's name; a URN is one within its upload alone."""
        sha256 = self._delivery.payload_sha256 if named.startswith("urn:") else None
        return self.key(key, "name", "" if sha256 is None else sha256.hex(), named)

    def _local(self, key: int, type_: str, id_: str) -> str | None:
        """Return a reference that is one of this server, to the patient's own."""
        if not id_ or type_ not in ("Device", "DeviceMetric", "Observation"):
            return None
        at = resources.locate(self._transaction, types.number_of(type_), id_)
        return f"{type_}/{id_}" if at is not None and at[0] == key else None

    def remember(self, part: Part, key: int, row: int) -> None:
        """Keep what the sender calls a resource, for what refers to it later."""
        keys = [self._name_key(key, name) for name in part.names]
        known = source_keys.known(self._transaction, key, keys)
        type_ = part.resource["resourceType"].encode()
        source_keys.add(
            self._transaction,
            [
                (key, at, row, type_, None)
                for at in dict.fromkeys(keys)
                if at not in known
            ],
        )
