"""One row of the log: who, what, why, what left, the AuditEvent and its proof.

https://profiles.ihe.net/ITI/BALP/
"""

import json
from importlib import resources
from typing import Any, Final

from flask import Blueprint, Response

from conformance import fhir_json
from conformance.issues import FHIRError, IssueType
from consent.audit import verify_proof
from consent.audit.entry import Interaction
from consent.audit.verify_proof import Wrong
from fhir_service.compliance import explained, grounds, proofs
from fhir_service.compliance.audit_events import events
from fhir_service.compliance.progress import hastened
from fhir_service.compliance.rows import Reader, Row
from fhir_service.interactions.consent_text import sources
from fhir_service.pages.compliance_desk import Desk, Visit, download

_LARGEST: Final = 10**18


class RowPages:
    """A row's page, its proof, and the program that checks it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._services = desk.services

    def add_to(self, blueprint: Blueprint) -> None:
        """Add the pages."""
        desk, of_one = self._desk, "/rows/<int:index>"
        desk.add(blueprint, of_one, "row", self.show)
        desk.add(
            blueprint,
            f"{of_one}/proof.json",
            "row_proof",
            self.proof,
            about=Interaction.EXPORT,
        )
        desk.add(blueprint, "/verify_proof.py", "verifier", self.verifier)

    def show(self, visit: Visit, index: int) -> Response:
        """Return what a row says."""
        with self._desk.reading(visit, hastened) as reader:
            row = self._row(reader, visit, index)
            names = sources(self._services, reader.snapshot, lambda _: True)
            told: dict[str, Any] = {
                "grounds": list(grounds.grounds(reader, row, names)),
                "disclosed": grounds.versions(reader, row, row.record.disclosed),
                "written": grounds.versions(reader, row, row.record.written),
                "events": [
                    fhir_json.pretty(one).decode() for one in events(reader, row)
                ],
                "explanation": explained.told(reader, row),
                "proof": _verified(proofs.bundle(reader, [row])),
            }
        return self._desk.page("compliance_row.html", visit, row=row, **told)

    def proof(self, visit: Visit, index: int) -> Response:
        """Return the proof that the log holds a row."""
        with self._desk.reading(visit) as reader:
            row = self._row(reader, visit, index)
            bundle = proofs.bundle(reader, [row])
        text = fhir_json.dumps(bundle).decode()
        return download(text, f"row-{index}-proof.json", "application/json")

    def verifier(self, _: Visit) -> Response:
        """Return the program that checks a proof, alone and offline."""
        file = resources.files("consent.audit") / "verify_proof.py"
        text = file.read_text(encoding="utf-8")
        return download(text, "verify_proof.py", "text/x-python")

    def _row(self, reader: Reader, visit: Visit, index: int) -> Row:
        row = reader.row(index) if index < _LARGEST else None
        if row is None:
            raise FHIRError(IssueType.NOT_FOUND, "There is no such row for you.")
        visit.patients.extend(one.id for one in row.subjects if one.id is not None)
        return row


def _verified(bundle: dict[str, Any]) -> dict[str, Any]:
    """Return what the verifier that is handed out says of a proof, and the proof."""
    told = {"bundle": bundle["rows"][0], "checkpoint": bundle["checkpoint"]}
    try:
        checked = verify_proof.check(json.loads(fhir_json.dumps(bundle)))
    except Wrong as error:
        return {**told, "is_proved": False, "why": str(error)}
    return {**told, "is_proved": True, "checked": checked}
