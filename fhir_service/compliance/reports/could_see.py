"""Could somebody see something at an instant, and why; or a decision made again.

Consents, memberships and the resource are taken as they were filed by then. What the
log itself recorded of a decision is replayed by its row.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from conformance.issues import FHIRError, IssueType
from consent.audit.entry import AuditRecord, Interaction
from consent.explain import decide_resource
from consent.policy_version import SHIPPED
from fhir_service.compliance.reports.report import (
    Report,
    heading,
    patient,
    table,
)
from fhir_service.compliance.reports.timeline import place_of
from fhir_service.compliance.rows import Reader
from fhir_service.explaining.asking import Asking, question
from fhir_service.explaining.evaluation import because, evaluated
from fhir_service.explaining.question import Question
from fhir_service.explaining.replay import NOT_HELD, Replay, no_such_row
from fhir_service.storage import past, patients, types
from fhir_service.storage.audit_filter import AuditFilter
from fhir_service.storage.patients import PatientState
from fhir_service.storage.resources import Stored

_POLICY = "policy "


class Answer(NamedTuple):
    """What a requester could see of one resource, or of one kind of data."""

    what: str
    could_see: str
    in_scope: bool
    rows: int
    permitted: int
    because: tuple[str, ...]
    missed: tuple[str, ...]


class Replayed(NamedTuple):
    """Whether a decision of the past is reproduced."""

    row: int
    result: str
    policy: str
    differences: tuple[str, ...]
    grounds: tuple[str, ...]


def report(
    reader: Reader, patient_id: str, asking: Asking, *, resource: str | None = None
) -> Report:
    """Return what somebody could see of a patient at an instant, and why.

    Grows with what the patient has; the log is not asked.

    Args:
        reader: Of the officer.
        patient_id: Whose.
        asking: Who, for what, and when; with `client_id` or `actors`.
        resource: Only this one, as `Type/id`.

    Raises:
        FHIRError: `not-found` for a patient who is not the officer's, a client that is
            not registered, and a resource that was not there.

    """
    state = patient(reader, patient_id)
    place = place_of(reader)
    asked = question(place, state, asking)
    lines = (
        [_of_resource(asked, resource)] if resource else _of_kinds(asked, asking.types)
    )
    return Report(
        heading=heading(
            reader,
            "Could it be seen",
            about=f"Patient/{state.id}",
            resource=resource,
            client=asking.client_id,
            actors=" ".join(sorted(asking.actors)),
            at=None if asking.at_us is None else asked.request.at_us,
        ),
        tables=(table("answers", Answer, lines),),
        notes=(
            f"Decided by {asked.policy}, on {_consents(asked)}.",
            "Rows are counted as they are now; consents and memberships are of then.",
        ),
    )


def _consents(asked: Question) -> str:
    names = sorted(f"{one.reference}/_history/{one.version}" for one in asked.consents)
    return ", ".join(names) or "no consent"


def _of_resource(asked: Question, resource: str) -> Answer:
    stored = _stored(asked, resource)
    instant = asked.instant
    facets, row = instant.gate.facts(instant.snapshot, asked.prepared, stored)
    is_permitted = decide_resource(asked.prepared, facets, row).is_permitted
    in_scope = asked.requester.scopes(resource.partition("/")[0]) is not None
    told = because(asked, stored, is_held=is_permitted)
    return Answer(
        what=f"{resource}/_history/{stored.version}",
        could_see="yes" if is_permitted and in_scope else "no",
        in_scope=in_scope,
        rows=1,
        permitted=int(is_permitted and in_scope),
        because=tuple(_reasons(told)),
        missed=tuple(_missed(told)),
    )


def _stored(asked: Question, resource: str) -> Stored:
    type_, _, id_ = resource.partition("/")
    instant, state = asked.instant, asked.state
    try:
        number = types.number_of(type_)
    except KeyError:
        number = None
    stored = (
        None
        if number is None
        else past.version_at(instant.snapshot, number, id_, instant.at_us)
    )
    if stored is None or stored.patient_key != state.key:
        raise FHIRError(
            IssueType.NOT_FOUND,
            f"Patient/{state.id} had no {type_[:64]}/{id_[:64]} then.",
        )
    return stored


def _of_kinds(asked: Question, wanted: frozenset[str]) -> Iterator[Answer]:
    for type_ in evaluated(asked, wanted)["types"]:
        for one in type_["signatures"]:
            sides = one["why"]
            in_scope = one["inScope"]
            seen = one["permitted"] if in_scope else 0
            yield Answer(
                what=f"{type_['type']}: {one['name']}",
                could_see=one["outcome"] if in_scope else "withheld",
                in_scope=in_scope,
                rows=one["rows"],
                permitted=seen,
                because=tuple(text for side in sides for text in _reasons(side)),
                missed=tuple(text for side in sides for text in _missed(side)),
            )


def _reasons(told: Mapping[str, Any]) -> Iterator[str]:
    for one in told["because"]:
        yield " ".join(
            str(one[name])
            for name in ("kind", "name", "path", "purpose")
            if name in one
        )


def _missed(told: Mapping[str, Any]) -> Iterator[str]:
    for one in told.get("missed", ()):
        elements = ", ".join(map(str, one["elements"]))
        yield f"{one['consent']} {one.get('path', '')} but for {elements}"


def replayed(reader: Reader, row: int) -> Report:
    """Return a decision of the log, made again.

    The rules of then are found by the index of configuration changes, the patients by
    their pseudonyms: the log is not walked.

    Raises:
        FHIRError: `not-found` for a row that is not the officer's or whose patients
            are not; `not-supported` for a row of no decision.

    """
    found = reader.row(row)
    if (
        found is None
        or found.others
        or len(found.subjects) != len(set(found.record.patients))
    ):
        raise no_such_row()
    made = Replay(
        place=place_of(reader),
        index=row,
        record=found.record,
        states=tuple(_states(reader, found.record)),
        policy=policy_before(reader, row),
    )
    told = made.told
    return Report(
        heading=heading(reader, "A decision made again", about=f"row {row}"),
        tables=(
            table(
                "replayed",
                Replayed,
                [
                    Replayed(
                        row=row,
                        result=told["result"],
                        policy=made.policy,
                        differences=tuple(told["differences"]),
                        grounds=tuple(
                            " ".join(one) for one in told["recorded"]["basis"]
                        ),
                    )
                ],
            ),
        ),
        not_recorded=tuple(NOT_HELD),
    )


def _states(reader: Reader, record: AuditRecord) -> Iterator[PatientState]:
    for pseudonym in record.patients:
        known = reader.services.pseudonyms.patient(reader.snapshot, pseudonym)
        state = None if known is None else patients.by_key(reader.snapshot, known.key)
        if state is None:
            raise no_such_row()
        yield state


def policy_before(reader: Reader, row: int) -> str:
    """Return the version of the rules that the log names for a row."""
    changed = Reader(
        reader.services, reader.snapshot, replace(reader.officer, organizations=None)
    )
    before: int | None = row
    while before is not None:
        asked = AuditFilter(interactions=(Interaction.CONFIG,))
        found = changed.find(asked, count=50, before=before)
        for one in found:
            request = one.record.request or ""
            if request.startswith(_POLICY):
                return request.removeprefix(_POLICY).partition("; was ")[0]
        before = found[-1].index if found else None
    return SHIPPED
