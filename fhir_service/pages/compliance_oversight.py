"""What waits for the officer: emergencies to review, consents, deliveries.

https://profiles.ihe.net/ITI/PCF/volume-1.html
"""

from typing import Final

from flask import Blueprint, Response, request

from conformance.issues import FHIRError, IssueType
from fhir_service.auth import break_glass_reviews
from fhir_service.auth.break_glass_reviews import SHOWN, Verdict
from fhir_service.compliance import consent_attention, deliveries
from fhir_service.pages import frame
from fhir_service.pages.compliance_desk import LANGUAGE, PATH, Desk, Visit

MAX_NOTE: Final = 2_000
"""Characters of a reviewer's note."""

_MAX_NUMBER: Final = 18


class OversightPages:
    """The queues of the console."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._auth = desk.deployment.auth

    def add_to(self, blueprint: Blueprint) -> None:
        """Add the pages."""
        desk = self._desk
        desk.add(blueprint, "/reviews", "reviews", self.reviews)
        desk.add(
            blueprint,
            "/reviews/<break_glass_id>",
            "decide",
            self.decide,
            method="POST",
        )
        desk.add(blueprint, "/consents", "consents", self.consents)
        desk.add(blueprint, "/deliveries", "deliveries", self.deliveries)

    def reviews(self, visit: Visit) -> Response:
        """Return what nobody has reviewed, oldest first, and the last reviews."""
        found, waiting = break_glass_reviews.to_review(
            self._auth, visit.account, frame.address()
        )
        decided = break_glass_reviews.decided(
            self._auth, visit.account, frame.address(), SHOWN
        )
        return self._desk.page(
            "compliance_reviews.html",
            visit,
            reviews=found,
            waiting=waiting,
            decided=decided,
            longest=MAX_NOTE,
            say=frame.speaking(LANGUAGE),
        )

    def decide(self, visit: Visit, break_glass_id: str) -> Response:
        """Store a verdict with its note."""
        verdict = {one.value: one for one in Verdict}.get(frame.field("verdict"))
        note = frame.field("note").replace("\r\n", "\n").strip()
        if verdict is None or len(note) > MAX_NOTE:
            raise FHIRError(
                IssueType.INVALID,
                f"A decision is one of two, its note at most {MAX_NOTE} characters.",
            )
        if not break_glass_reviews.review(
            self._auth, visit.account, break_glass_id, verdict, frame.address(), note
        ):
            raise FHIRError(
                IssueType.NOT_FOUND, "There is no such review that waits for you."
            )
        return frame.see_other(f"{PATH}/reviews")

    def consents(self, visit: Visit) -> Response:
        """Return the consents that need attention."""
        text = request.args.get("after", "0")
        if not (text.isascii() and text.isdigit() and len(text) <= _MAX_NUMBER):
            raise FHIRError(IssueType.INVALID, "A place in the list is a number.")
        with self._desk.reading(visit) as reader:
            looked = consent_attention.look(reader, int(text))
        visit.patients.extend(one.patient for one in looked.found if one.patient)
        return self._desk.page("compliance_consents.html", visit, looked=looked)

    def deliveries(self, visit: Visit) -> Response:
        """Return what became of device data."""
        with self._desk.reading(visit) as reader:
            found = deliveries.deliveries(reader)
        return self._desk.page("compliance_deliveries.html", visit, found=found)
