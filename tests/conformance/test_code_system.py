from datetime import date

import pytest

from conformance.code_system import Concept, code_system
from conformance.models import typed

ABOUT = {
    "version": "1.0.0",
    "changed_on": date(2026, 11, 20),
    "publisher": "FHIR Interop Service",
    "description": "Kinds of measurement.",
}
CONCEPTS = [Concept("noise", "Noise", "Sound level."), Concept("light", "Light")]


def test_a_code_system_holds_its_concepts_in_their_order():
    system = code_system(
        "https://example.org/fhir/CodeSystem/measurement",
        "Measurement",
        "Measurements",
        CONCEPTS,
        **ABOUT,
    )

    typed(system)
    assert system == {
        "resourceType": "CodeSystem",
        "id": "measurement",
        "url": "https://example.org/fhir/CodeSystem/measurement",
        "version": "1.0.0",
        "name": "Measurement",
        "title": "Measurements",
        "status": "active",
        "experimental": False,
        "date": "2026-11-20",
        "publisher": "FHIR Interop Service",
        "description": "Kinds of measurement.",
        "caseSensitive": True,
        "content": "complete",
        "count": 2,
        "concept": [
            {"code": "noise", "display": "Noise", "definition": "Sound level."},
            {"code": "light", "display": "Light"},
        ],
    }


def test_a_code_that_is_there_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        code_system("urn:x", "X", "X", [CONCEPTS[0], CONCEPTS[0]], **ABOUT)
