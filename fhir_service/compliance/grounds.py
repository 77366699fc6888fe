"""Why something was decided as it was: the consent's own provision, in words.

The version that the log names is read, whatever the consent says now.

https://hl7.org/fhir/R4/consent-definitions.html#Consent.provision
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from conformance import fhir_json
from consent.audit.entry import Basis, BasisKind
from consent.blocks import Block
from consent.clause_words import clause_block
from consent.clauses import Clause, root
from consent.named import Sources, Teller
from consent.provisions import read
from fhir_service.compliance.rows import Reader, Row
from fhir_service.storage import history, past, rows, types
from fhir_service.storage.tables import SHARED

MAX_VERSIONS = 200
"""Versions that a page names; a row can disclose more."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """One ground of a decision.

    Attributes:
        kind: A consent, an overlay, a scope and so on.
        name: Which one.
        path: Where in the consent.
        words: The provision in words; none where it cannot be told.

    """

    kind: str
    name: str
    path: str
    words: tuple[Block, ...] = ()


def grounds(reader: Reader, row: Row, sources: Sources) -> Iterator[Ground]:
    """Yield what a row's decision rested on; a consent with its sentence."""
    for basis in row.record.basis:
        if basis.kind is BasisKind.INPUTS:
            continue
        is_consent = basis.kind is BasisKind.CONSENT
        yield Ground(
            kind=basis.kind.value,
            name=basis.name,
            path=basis.path,
            words=tuple(_words(reader, row, basis, sources)) if is_consent else (),
        )


def _words(reader: Reader, row: Row, basis: Basis, sources: Sources) -> Iterator[Block]:
    id_, _, version = basis.name.removeprefix("Consent/").partition("/_history/")
    if not history.is_version(version):
        return
    snapshot, repository = reader.snapshot, reader.services.repository
    number = types.number_of("Consent")
    stored = history.version_of(snapshot, number, id_, int(version))
    if stored is None or stored.deleted or stored.patient_key not in _keys(reader, row):
        return
    consent = fhir_json.loads_object(repository.body(snapshot, stored))
    parsed = read(consent, deployment=repository.deployment)
    if parsed.root is None:
        return
    teller = Teller(
        language="en",
        deployment=repository.deployment,
        sources=sources,
        patient=parsed.patient,
    )
    for clause in _clauses(root(consent)):
        if clause.path == (basis.path or "provision"):
            yield clause_block(teller, replace(clause, nested=()))


def _clauses(clause: Clause) -> Iterator[Clause]:
    yield clause
    for nested in clause.nested:
        yield from _clauses(nested)


def _keys(reader: Reader, row: Row) -> set[int]:
    """Return the keys of the patients whom the officer may know of."""
    known = (
        reader.services.pseudonyms.patient(reader.snapshot, one.pseudonym)
        for one in row.subjects
        if one.id is not None
    )
    return {one.key for one in known if one is not None}


def versions(reader: Reader, row: Row, seqs: Iterable[int]) -> list[str]:
    """Return the names of versions that left or were stored, as far as she may know."""
    wanted = list(seqs)[:MAX_VERSIONS]
    found: dict[int, str] = {}
    for key in sorted({SHARED, *_keys(reader, row)}):
        for seq, stored in past.by_seq(reader.snapshot, key, wanted).items():
            name = f"{types.name_of(stored.type_id)}/{rows.public_id(stored.row)}"
            found[seq] = f"{name}/_history/{stored.version}"
    return [found[seq] for seq in sorted(found)]
