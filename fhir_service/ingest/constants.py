"""What all Observations of one patient, device and shape have in common.

Labels, signature, index keys and the decision of consent are worked out once from a
rendered resource and remembered for the transaction.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from conformance import fhir_json
from consent import labels
from consent.facets import Facets
from consent.formula import Formula, Mentions, Row, evaluate, strengthen
from fhir_service.access import Gate, authors_of
from fhir_service.ingest.candidates import Candidate, Written, alike, rendered
from fhir_service.ingest.delivery import Delivery
from fhir_service.search.postings import Entries, entries
from fhir_service.storage import programs, types
from fhir_service.storage.binding import ASKABLE
from fhir_service.storage.engine import Transaction
from fhir_service.storage.repository import Repository, codings_of
from mappings.kinds import Coding

_SAMPLE = "1970-01-01T00:00:00.000Z"
_SAMPLE_SOURCE = "Observation/x"


@dataclass(kw_only=True, slots=True)
class Constants:
    """What is the same for each of them.

    Attributes:
        facets: What the signature stands for.
        code_key: Concept of `Observation.code`.
        found: What search can find in the sample they were derived from.
        codings: Codings that the signature does not hold.
        mentions: References that it does not hold, sources left out.
        authors: Whom the Provenance will name.
        security: Labels, as the template takes them.
        collect: When the row may be collected, given its time.
        signature_id: What consent decides on; 0 until a row of it is stored, so that
            what is withheld leaves no trace.
        set_id: The index set; likewise.
        units: UCUM code → number of the unit in the index of quantities; likewise.

    """

    facets: Facets
    code_key: int
    found: Entries
    codings: frozenset[tuple[str, str]]
    mentions: frozenset[str]
    authors: frozenset[str]
    security: tuple[Coding, ...]
    collect: Formula
    signature_id: int = 0
    set_id: int = 0
    units: Mapping[str, int] = field(default_factory=dict)

    def permits(self, candidate: Candidate) -> bool:
        """Whether consent permits collecting a candidate of this shape."""
        collect = self.collect
        if collect is True or collect is False:
            return collect
        measurement = candidate.normalised.measurement
        return evaluate(
            collect,
            Row(
                reference="",
                start_us=measurement.start_us,
                end_us=measurement.end_us,
                mentions=self.mentions,
                authors=self.authors,
                codings=self.codings,
            ),
        )


class Shapes:
    """The constants of each shape that one transaction has met."""

    def __init__(
        self,
        transaction: Transaction,
        repository: Repository,
        gate: Gate,
        delivery: Delivery,
    ) -> None:
        self._transaction = transaction
        self._repository = repository
        self._gate = gate
        self._delivery = delivery
        self._known: dict[tuple[object, ...], Constants] = {}

    def of(self, candidate: Candidate) -> Constants:
        """Return the constants of a candidate's shape."""
        at = alike(candidate)
        constants = self._known.get(at)
        if constants is None:
            constants = self._known[at] = self._derive(candidate)
        return constants

    def sign(self, constants: Constants, key: int) -> None:
        """Give the constants their signature: a row of the patient is to be stored."""
        if constants.signature_id:
            return
        transaction, type_id = self._transaction, types.number_of("Observation")
        index_sets = self._repository.index_sets
        constants.signature_id = self._repository.signatures.intern(
            transaction, key, type_id, constants.code_key, constants.facets
        )
        constants.set_id = index_sets.intern(
            transaction, key, type_id, constants.found.shared
        )
        constants.units = {
            unit[1]: index_sets.unit(transaction, unit)
            for _, unit, _, _ in constants.found.quantities
            if unit is not None
        }

    def _derive(self, candidate: Candidate) -> Constants:
        """Work out the constants from a resource of this shape."""
        transaction, repository = self._transaction, self._repository
        if candidate.sources:
            candidate = candidate._replace(sources=(_SAMPLE_SOURCE,))
        sample = Written("x", "1", _SAMPLE, (), "final")
        bare = programs.as_written(
            repository,
            transaction,
            self._delivery.grant.organization,
            fhir_json.loads(rendered(candidate, self._delivery, sample)),
        )
        found = labels.label(bare)
        security = tuple(
            Coding(coding["system"], coding["code"], coding.get("display", ""))
            for coding in labels.labelled(bare, found)["meta"].get("security", ())
        )
        resource = fhir_json.loads(
            rendered(candidate, self._delivery, sample._replace(security=security))
        )
        described = repository.described(transaction, resource, found)
        concepts = repository.concepts
        collect = self._gate.collect_formula(
            transaction,
            self._delivery.grant,
            candidate.wearer.state,
            described.facets,
        )
        if candidate.sources:
            # Their ids are not known yet: what hangs on them is not collected.
            collect = strengthen(collect, ASKABLE - {Mentions})
        return Constants(
            facets=described.facets,
            code_key=concepts.intern(transaction, codings_of(resource["code"])),
            found=entries("Observation", repository.found(resource)),
            codings=described.codings,
            mentions=described.mentions - {_SAMPLE_SOURCE},
            authors=authors_of(self._delivery.grant),
            security=security,
            collect=collect,
        )
