"""One patient: consents and accesses in time; what somebody could have had, and had.

https://www.ecfr.gov/current/title-45/section-164.528
"""

from typing import Final

from flask import Blueprint, Response, request

from conformance.issues import FHIRError, IssueType
from fhir_service.compliance import patient_history
from fhir_service.compliance.exports import basis_words
from fhir_service.compliance.zones import typed
from fhir_service.pages.compliance_desk import Desk, Visit
from fhir_service.storage.audit_filter import AuditFilter

ACCESSES: Final = 50
"""Accesses of the timeline; the search has all of them."""

MAX_RECIPIENT: Final = 200
"""Characters of who somebody is."""


class PatientPages:
    """A patient's timeline, and the question what was shareable with whom."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add_to(self, blueprint: Blueprint) -> None:
        """Add the pages."""
        desk, of_one = self._desk, "/patients/<id_>"
        desk.add(blueprint, of_one, "patient", self.show)
        desk.add(blueprint, f"{of_one}/shareable", "shareable", self.shareable)

    def show(self, visit: Visit, id_: str) -> Response:
        """Return consents and accesses, newest first."""
        with self._desk.reading(visit) as reader:
            state = patient_history.state_of(reader.snapshot, visit.officer, id_)
            visit.patients.append(id_)
            consents = patient_history.consents(reader, state)
            asked = AuditFilter(patients=(reader.pseudonym(id_),))
            accesses = reader.find(asked, count=ACCESSES)
        timeline = sorted(
            [
                *((one.at_us, one, None) for one in consents),
                *((row.record.time_us, None, row) for row in accesses),
            ],
            key=lambda entry: -entry[0],
        )
        return self._desk.page(
            "compliance_patient.html",
            visit,
            id=id_,
            consents=consents,
            timeline=timeline,
            is_cut=len(accesses) == ACCESSES,
            basis_words=basis_words,
        )

    def shareable(self, visit: Visit, id_: str) -> Response:
        """Return what was shareable with somebody on a day, and what was shared."""
        recipient = request.args.get("with", "").strip()
        on = request.args.get("on", "")
        if not 0 < len(recipient) <= MAX_RECIPIENT or not recipient.isprintable():
            raise FHIRError(
                IssueType.INVALID,
                "With whom: the id of a client, or a reference such as Organization/1.",
            )
        between = typed(on, visit.zone)
        with self._desk.reading(visit) as reader:
            state = patient_history.state_of(reader.snapshot, visit.officer, id_)
            visit.patients.append(id_)
            shared = patient_history.shared(reader, state, recipient, between)
        return self._desk.page(
            "compliance_shareable.html",
            visit,
            id=id_,
            recipient=recipient,
            on=on,
            between=between,
            shared=shared,
            basis_words=basis_words,
        )
