"""One Provenance as one reader sees it: its targets, its agents, its labels.

Its targets are those versions of a part of a batch that the reader may see: current
ones by their ids, earlier ones and deletions by their versions.

https://hl7.org/fhir/R4/provenance.html
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance import fhir_json
from conformance.classes import ResourceClass, class_of
from consent.facets import Facets
from consent.labels import labelled, tagged
from consent.membership import CLIENT_SYSTEM
from fhir_service.access import Decided, covering
from fhir_service.auth.scopes import Filters
from fhir_service.exchange import Exchange
from fhir_service.interactions.provenance_id import id_of
from fhir_service.rest.instant import fhir_instant, http_date
from fhir_service.rest.message import Header
from fhir_service.storage import batches, history, signatures, types
from fhir_service.storage.batches import Activity, Batch, Part
from fhir_service.storage.engine import Snapshot
from fhir_service.storage.resources import Stored
from mappings.provenance import PAYLOAD_SYSTEM, PROFILE, Agent, provenance_resource

ONLY_VERSION = "1"
"""The version of all that is rendered."""

_PERSON = re.compile(
    r"(Patient|Practitioner|PractitionerRole|RelatedPerson)/[A-Za-z0-9.\-]{1,64}"
)
"""Whom US Core lets be the author of something."""

_NEEDS_ORGANIZATION = "Practitioner"
"""A person of this type acts for an organization (provenance-1 of US Core)."""

Reference = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendered:
    """A Provenance as one reader sees it now.

    Attributes:
        id: Its public id.
        body: Its JSON.
        patient_key: Whose it is; 0 for shared.
        recorded_us: When the batch came; `meta.lastUpdated`, too.
        rows: Of its targets.

    """

    id: str
    body: bytes
    patient_key: int
    recorded_us: int
    rows: frozenset[int]

    @property
    def headers(self) -> tuple[Header, ...]:
        """Return Last-Modified; no ETag, as what it names hangs on who reads it."""
        return (("last-modified", http_date(self.recorded_us)),)


class Renderer:
    """Renders for one reader in one snapshot, and remembers what parts share.

    Args:
        exchange: The request; authenticated.
        snapshot: Of decision and rows alike.

    """

    def __init__(self, exchange: Exchange, snapshot: Snapshot) -> None:
        self._exchange = exchange
        self._snapshot = snapshot
        self._repository = exchange.services.repository
        self._views: dict[tuple[int, int], Decided] = {}

    def of(self, part: Part) -> Rendered | None:
        """Return the Provenance of a part; None where nothing of it may be seen."""
        batch = batches.read(self._snapshot, part.batch_id)
        known = signatures.by_id(self._snapshot, part.signature_id)
        if batch is None or known is None:
            return None
        key, signature = known
        found = batches.members(self._snapshot, key, part)
        filters = covering(self._exchange.who, types.name_of(signature.type_id))
        current = list(self._visible(found.current, filters))
        earlier = list(self._visible(found.earlier, filters))
        if not current and not earlier:
            return None
        if part.activity is Activity.DELETE:
            current, earlier = [], [*current, *earlier]
        targets = [
            *(reference for reference, _ in self._named(current)),
            *(f"{name}/_history/{number}" for name, number in self._named(earlier)),
        ]
        id_ = id_of(self._repository.blind, part)
        return Rendered(
            id=id_,
            body=self._body(id_, part, batch, signature.facets, targets),
            patient_key=key,
            recorded_us=batch.received_us,
            rows=frozenset(one.row for one in (*current, *earlier)),
        )

    def _body(
        self,
        id_: str,
        part: Part,
        batch: Batch,
        facets: Facets,
        targets: Sequence[str],
    ) -> bytes:
        recorded = fhir_instant(batch.received_us)
        sources = [] if batch.payload is None else [batch.payload.hex()]
        resource = provenance_resource(
            id=id_,
            version=ONLY_VERSION,
            last_updated=recorded,
            profiles=[PROFILE],
            targets=targets,
            recorded=recorded,
            activity=part.activity.value,
            agents=list(self._agents(batch, facets.origin.device)),
            sources=[(PAYLOAD_SYSTEM, value) for value in sources],
        )
        for tag in sorted(facets.tags):
            resource = tagged(resource, tag)
        return fhir_json.dumps(labelled(resource, facets.labels))

    # Which targets

    def _visible(
        self, versions: Iterable[Stored], filters: tuple[Filters, ...]
    ) -> Iterator[Stored]:
        gate = self._exchange.services.gate
        for version in versions:
            judged = history.judged(self._snapshot, version)
            if gate.permits(self._snapshot, self._view(judged), judged, filters):
                yield version

    def _view(self, version: Stored) -> Decided:
        """Return the view of a version: of patient data, one for all of a type."""
        at = (version.patient_key, version.type_id)
        decided = self._views.get(at)
        if decided is None:
            exchange = self._exchange
            decided = exchange.services.gate.of_row(
                self._snapshot, exchange.who, version
            )
            exchange.patients += decided.patients
            if class_of(types.name_of(version.type_id)) is ResourceClass.PATIENT_DATA:
                self._views[at] = decided
        return decided

    def _named(self, versions: Sequence[Stored]) -> Iterator[tuple[str, int]]:
        """Yield `Type/id` and version; the id comes second in a body, by our hand."""
        bodies = self._repository.codec.decode_many(
            self._snapshot,
            [(one.patient_key, one.row, one.version, one.body) for one in versions],
        )
        for one, body in zip(versions, bodies, strict=True):
            _, _, _, type_, _, _, _, id_, _ = body.split(b'"', 8)
            yield f"{type_.decode()}/{id_.decode()}", one.version

    # Who took part

    def _agents(self, batch: Batch, device: str | None) -> Iterator[Agent]:
        organization = self._organization(batch)
        behind = organization or _client(batch)
        author = self._author(batch, device, organization)
        yield author or Agent(role="author", who=behind)
        yield Agent(role="transmitter", who=behind)
        if batch.gateway:
            who = {"display": f"gateway {batch.gateway}"}
            yield Agent(role="assembler", who=who)
        if batch.parser:
            yield Agent(
                role="assembler",
                who={"display": f"fhir-interop-service, {batch.parser}"},
            )

    @staticmethod
    def _author(
        batch: Batch, device: str | None, organization: Reference | None
    ) -> Agent | None:
        """Return who measured or wrote, where that is not the organization itself."""
        if batch.source:
            if device is None or not device.startswith("Device/"):
                return None
            reference, is_alone = device, False
        else:
            person = _PERSON.fullmatch(batch.person or "")
            if person is None:
                return None
            reference, is_alone = person[0], person[1] != _NEEDS_ORGANIZATION
        if organization is None and not is_alone:
            return None
        return Agent(
            role="author",
            who={"reference": reference},
            on_behalf_of=None if is_alone else organization,
        )

    def _organization(self, batch: Batch) -> Reference | None:
        """Return the organization behind a batch, with its name where it has one."""
        if batch.organization is None:
            return None
        reference: dict[str, Any] = {"reference": batch.organization}
        stored = self._repository.read(
            self._snapshot, "Organization", batch.organization.partition("/")[2]
        )
        if stored is not None and not stored.deleted:
            body = fhir_json.loads(self._repository.body(self._snapshot, stored))
            reference |= {"display": body["name"]} if "name" in body else {}
        return reference


def _client(batch: Batch) -> Reference:
    """Return a client that stands for no organization, as a Consent would name it."""
    return {
        "identifier": {"system": CLIENT_SYSTEM, "value": batch.client_id},
        "display": batch.client_id,
    }
