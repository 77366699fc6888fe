"""Whether what goes with a record of a Part 2 program was attached to a disclosure.

The statement is part of the stored version, so a version that left had it or had not.
The scope of the consent is told beside it by rule; it is made again from the version
and the provision that the row names.

https://www.ecfr.gov/current/title-42/section-2.32
"""

from collections.abc import Iterator
from typing import NamedTuple

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from consent.audit.entry import BasisKind
from consent.disclosure_scope import scope
from consent.label_tables import POLICY_OBLIGATIONS
from consent.part_2 import TAG
from fhir_service.compliance.reports.releases import consents_of
from fhir_service.compliance.reports.report import Report, heading, table
from fhir_service.compliance.rows import Reader, Row
from fhir_service.storage import history, past, rows, types
from fhir_service.storage.resources import Stored

MAX_VERSIONS = 1_000
"""Versions of one disclosure whose bodies are opened."""


class Attached(NamedTuple):
    """A version of a disclosure that is a record of a Part 2 program."""

    version: str
    patient: str
    has_statement: bool
    consents: tuple[str, ...]


def report(reader: Reader, row: int) -> Report:
    """Return what was attached to the disclosure of one row.

    Raises:
        FHIRError: `not-found` for a row that is not the officer's.

    """
    found = reader.row(row)
    if found is None:
        raise FHIRError(IssueType.NOT_FOUND, "There is no such row in the audit log.")
    lines = list(_lines(reader, found))
    none = () if lines else (f"Nothing of the disclosure is labelled {TAG}.",)
    return Report(
        heading=heading(reader, "Obligations of a disclosure", about=f"row {row}"),
        tables=(
            table("Part 2 records", Attached, lines),
            table("scopes", Scope, _scopes(reader, found) if lines else ()),
        ),
        notes=(
            *none,
            "The statement stands in `meta.security` of the very version that left.",
            (
                "`scopes` are the explanations that go with the answer by rule (header "
                "Part-2-Consent, or an issue in the Bundle), made again from the very "
                "versions of the consents and the places in them that the row names."
            ),
        ),
        not_recorded=(
            (
                "The bytes of the answer, and so of the explanation in it: the row "
                "keeps what they were made of."
            ),
        ),
        is_complete=len(found.record.disclosed) <= MAX_VERSIONS,
    )


class Scope(NamedTuple):
    """The explanation of a consent's scope that goes with a disclosure."""

    consent: str
    path: str
    explanation: str


def _scopes(reader: Reader, row: Row) -> Iterator[Scope]:
    """Yield the explanations, of consents of the officer's patients."""
    number, keys = types.number_of("Consent"), set(_keys(reader, row))
    repository = reader.services.repository
    for basis in row.record.basis:
        id_, _, version = basis.name.partition("/_history/")
        if basis.kind is not BasisKind.CONSENT or not history.is_version(version):
            continue
        stored = history.version_of(reader.snapshot, number, id_, int(version))
        if stored is None or stored.deleted or stored.patient_key not in keys:
            continue
        name = f"Consent/{basis.name}"
        yield Scope(
            consent=name,
            path=basis.path,
            explanation=scope(
                fhir_json.loads_object(repository.body(reader.snapshot, stored)),
                version=name,
                path=basis.path,
                deployment=repository.deployment,
            ),
        )


def _keys(reader: Reader, row: Row) -> Iterator[int]:
    for subject in row.subjects:
        known = reader.services.pseudonyms.patient(reader.snapshot, subject.pseudonym)
        if known is not None and subject.id is not None:
            yield known.key


def _lines(reader: Reader, row: Row) -> Iterator[Attached]:
    seqs = list(row.record.disclosed)[:MAX_VERSIONS]
    for subject in row.subjects:
        known = reader.services.pseudonyms.patient(reader.snapshot, subject.pseudonym)
        if known is None or subject.id is None:
            continue
        versions = past.by_seq(reader.snapshot, known.key, seqs)
        for _, stored in sorted(versions.items()):
            codes = _security(reader, stored)
            if TAG in codes:
                yield Attached(
                    version=_name(stored),
                    patient=f"Patient/{subject.id}",
                    has_statement=codes >= STATEMENT,
                    consents=consents_of(row.record),
                )


STATEMENT = frozenset(one["code"] for one in POLICY_OBLIGATIONS[TAG])
"""Codes that stand for the statement."""


def _security(reader: Reader, stored: Stored) -> frozenset[str]:
    body = reader.services.repository.body(reader.snapshot, stored)
    labels = fhir_json.loads_object(body).get("meta", {}).get("security", ())
    return frozenset(str(one.get("code", "")) for one in labels)


def _name(stored: Stored) -> str:
    type_ = types.name_of(stored.type_id)
    return f"{type_}/{rows.public_id(stored.row)}/_history/{stored.version}"
