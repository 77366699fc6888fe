"""What left of a patient's record: to whom, why, which versions, by which consent.

A release is a row of the log that names versions. It is described from the versions
themselves, without opening a body: their types, categories and the time they cover.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from conformance import fhir_json
from consent.audit.entry import AuditRecord, BasisKind, Interaction
from consent.signature import UNDATED_US
from fhir_service.auth.local import COMMAND_LINE
from fhir_service.compliance.reports.report import MAX_ROWS, Period
from fhir_service.compliance.rows import Reader, Row
from fhir_service.explaining.displays import name_of
from fhir_service.storage import accounts, registrations, released, rows, types
from fhir_service.storage.audit_filter import AuditFilter
from fhir_service.storage.patients import PatientState
from fhir_service.storage.released import Released
from fhir_service.storage.signatures import Signature

LOG_DOORS = (Interaction.AUDIT_READ,)
"""What hands out the log and not the record."""

OWN = ("self/", "representative/", "representative-of-minor/")
"""Overlays by which a person or whoever acts for her reads her own record."""

MAX_KINDS = 12
"""Kinds of data that a brief description names; more are counted."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """A row of the log that released versions of one patient.

    Attributes:
        row: The row.
        versions: What left of this patient, in the order of storing.

    """

    row: Row
    versions: tuple[Released, ...]

    @property
    def record(self) -> AuditRecord:
        """What the row says."""
        return self.row.record


class Found(NamedTuple):
    """What was found.

    Attributes:
        releases: Oldest first.
        oldest_us: Back to when rows were read, where there are more; None where these
            are all.

    """

    releases: tuple[Release, ...]
    oldest_us: int | None


def of_patient(
    reader: Reader,
    state: PatientState,
    period: Period,
    *,
    asked: AuditFilter | None = None,
) -> Found:
    """Return what was released of a patient; `MAX_ROWS` rows at most, the newest.

    One query of the index, one look-up a row, and three passes over what the patient
    has: nothing grows with the log.
    """
    base = asked or AuditFilter()
    return _found(
        reader,
        state,
        AuditFilter(
            patients=(reader.pseudonym(state.id),),
            since_us=period.since_us,
            until_us=period.until_us,
            is_release=True,
            organisations=base.organisations,
            clients=base.clients,
        ),
    )


def _found(reader: Reader, state: PatientState, asked: AuditFilter) -> Found:
    found = reader.find(asked, count=MAX_ROWS + 1)
    kept = [row for row in found[:MAX_ROWS] if row.record.interaction not in LOG_DOORS]
    versions = described(reader, state, kept)
    made = (
        Release(row=row, versions=own)
        for row in reversed(kept)
        if (own := versions_of(row, versions))
    )
    is_cut = len(found) > MAX_ROWS
    return Found(tuple(made), found[MAX_ROWS - 1].record.time_us if is_cut else None)


def described(
    reader: Reader, state: PatientState, found: Iterable[Row]
) -> Mapping[int, Released]:
    """Return `seq` → version, of those that rows released and a patient has."""
    seqs = {seq for row in found for seq in row.record.disclosed}
    return released.by_seq(reader.snapshot, state.key, seqs)


def versions_of(row: Row, known: Mapping[int, Released]) -> tuple[Released, ...]:
    """Return what a row released of what is known."""
    return tuple(known[seq] for seq in row.record.disclosed if seq in known)


def is_own_access(record: AuditRecord, state: PatientState) -> bool:
    """Whether the patient, or who acts for the patient, read."""
    if record.user == f"Patient/{state.id}":
        return True
    return any(
        one.kind is BasisKind.OVERLAY and one.name.startswith(OWN)
        for one in record.basis
    )


def is_custodian(record: AuditRecord, state: PatientState) -> bool:
    """Whether it stayed with the organisation that manages the patient."""
    if record.client == COMMAND_LINE:
        return True
    return state.organization is not None and record.organisation == state.organization


def consents_of(record: AuditRecord) -> tuple[str, ...]:
    """Return the versions of consents on which a decision rested."""
    names = (
        f"Consent/{one.name}" for one in record.basis if one.kind is BasisKind.CONSENT
    )
    return tuple(dict.fromkeys(names))


def grounds_of(record: AuditRecord) -> tuple[str, ...]:
    """Return everything on which a decision rested, in words."""
    named = (
        f"Consent/{one.name} {one.path}".strip()
        if one.kind is BasisKind.CONSENT
        else f"{one.kind.value} {one.name}"
        for one in record.basis
        if one.kind is not BasisKind.INPUTS
    )
    return tuple(dict.fromkeys(named))


def name_of_version(one: Released) -> str:
    """Return the reference of an exact version."""
    type_ = types.name_of(one.type_id)
    return f"{type_}/{rows.public_id(one.row)}/_history/{one.version}"


class Recipient(NamedTuple):
    """Who received.

    Attributes:
        name: As the Organization here has it, else the client's name.
        address: As the Organization here has it; empty where none is known.
        reference: `Organization/id`, else the client's id.

    """

    name: str
    address: str
    reference: str


class Recipients:
    """Names of who received, each looked up once."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._known: dict[tuple[str, str], Recipient] = {}

    def of(self, record: AuditRecord) -> Recipient:
        """Return who received a release."""
        at = (record.organisation, record.client)
        if at not in self._known:
            self._known[at] = self._looked_up(*at)
        return self._known[at]

    def _looked_up(self, organisation: str, client: str) -> Recipient:
        snapshot = self._reader.snapshot
        if organisation:
            name, address = organization_words(self._reader, organisation)
            return Recipient(name or organisation, address, organisation)
        known = registrations.find_client(snapshot, client)
        return Recipient(client if known is None else known.name, "", client)


def organization_words(reader: Reader, reference: str) -> tuple[str, str]:
    """Return name and address of an Organization here; empty where it says none."""
    repository = reader.services.repository
    type_, _, id_ = reference.partition("/")
    if type_ != "Organization":
        return "", ""
    stored = repository.read(reader.snapshot, type_, id_)
    if stored is None or stored.deleted:
        return "", ""
    body = fhir_json.loads_object(repository.body(reader.snapshot, stored))
    addresses = body.get("address") or [{}]
    return str(body.get("name", "")), _address(addresses[0])


def _address(address: Mapping[str, Any]) -> str:
    if "text" in address:
        return str(address["text"])
    parts = [
        *address.get("line", ()),
        *(
            address[name]
            for name in ("postalCode", "city", "state", "country")
            if name in address
        ),
    ]
    return ", ".join(map(str, parts))


def person_words(reader: Reader, user: str) -> str:
    """Return the name of who acted, as the account has it; else what the log has."""
    if not user:
        return ""
    found = accounts.name_of(reader.snapshot, user)
    return user if found is None else f"{found[0]} ({user})"


class Described(NamedTuple):
    """The brief description of what left.

    Attributes:
        types: FHIR types with how many versions of each.
        kinds: Kinds of data.
        categories: Codes of `category`.
        first_us: Since when the data is; None where it has no time.
        last_us: Until when.
        versions: How many.

    """

    types: tuple[str, ...]
    kinds: tuple[str, ...]
    categories: tuple[str, ...]
    first_us: int | None
    last_us: int | None
    versions: int


def describe(known: Mapping[int, Signature], versions: Sequence[Released]) -> Described:
    """Return what versions are, in words.

    Args:
        known: The patient's signatures by their ids.
        versions: What left.

    """
    counted: dict[str, int] = {}
    for one in versions:
        name = types.name_of(one.type_id)
        counted[name] = counted.get(name, 0) + 1
    facets = [
        known[id_].facets
        for id_ in dict.fromkeys(one.signature_id for one in versions)
        if id_ in known
    ]
    dated = [one for one in versions if one.c_start != UNDATED_US]
    return Described(
        types=tuple(f"{name} {number}" for name, number in sorted(counted.items())),
        kinds=_some(sorted({name_of(one) for one in facets})),
        categories=_some(
            sorted({code for one in facets for _, code in one.codes.categories})
        ),
        first_us=min((one.c_start for one in dated), default=None),
        last_us=max((one.c_end for one in dated), default=None),
        versions=len(versions),
    )


def _some(names: Sequence[str]) -> tuple[str, ...]:
    more = len(names) - MAX_KINDS
    told = tuple(names[:MAX_KINDS])
    return (*told, f"and {more} more") if more > 0 else told


def signatures_of(reader: Reader, state: PatientState) -> Mapping[int, Signature]:
    """Return a patient's signatures by their ids."""
    known = reader.services.repository.signatures.of(reader.snapshot, state)
    return {one.id: one for one in known}
