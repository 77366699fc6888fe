"""Searches drawn mostly from what is stored, so that they find something.

https://hl7.org/fhir/R4/search.html
"""

import os

from drawn_values import asked
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from model import Model
from model_table import PARAMETERS

EXAMPLES = int(
    os.environ.get("FHIR_SERVICE_TEST_EXAMPLES", "300")  # noqa: TID251 - the tests' own
)
FOLLOWED = {
    "Observation": (
        ("subject:Patient.", "Patient"),
        ("patient.", "Patient"),
        ("patient.organization.", "Organization"),
        ("performer:Practitioner.", "Practitioner"),
        ("performer:Organization.", "Organization"),
        ("device:Device.", "Device"),
        ("has-member:Observation.", "Observation"),
    ),
    "Patient": (
        ("general-practitioner:Practitioner.", "Practitioner"),
        ("organization.", "Organization"),
        ("_has:Observation:patient:", "Observation"),
        ("_has:Observation:subject:", "Observation"),
        ("_has:Condition:patient:", "Condition"),
        ("_has:Observation:patient:device:Device.", "Device"),
    ),
    "Organization": (
        ("partof.", "Organization"),
        ("_has:Patient:organization:", "Patient"),
        ("_has:Patient:general-practitioner:", "Patient"),
        ("_has:Patient:organization:_has:Observation:patient:", "Observation"),
    ),
    "Practitioner": (
        ("_has:Observation:performer:", "Observation"),
        ("_has:Condition:asserter:", "Condition"),
    ),
    "Device": (("patient.", "Patient"), ("_has:Observation:device:", "Observation")),
    "Encounter": (
        ("patient.", "Patient"),
        ("participant:Practitioner.", "Practitioner"),
        ("_has:Condition:encounter:", "Condition"),
    ),
    "Condition": (
        ("encounter.", "Encounter"),
        ("asserter:Practitioner.", "Practitioner"),
        ("_has:CarePlan:condition:", "CarePlan"),
    ),
    "PractitionerRole": (
        ("practitioner.", "Practitioner"),
        ("location.", "Location"),
    ),
    "CarePlan": (
        ("goal.", "Goal"),
        ("care-team.", "CareTeam"),
        ("condition.", "Condition"),
    ),
    "DiagnosticReport": (("result.", "Observation"),),
    "Task": (("owner:Practitioner.", "Practitioner"), ("encounter.", "Encounter")),
}

SORTED = {
    "Patient": ("birthdate", "family", "gender", "address-city", "death-date"),
    "Practitioner": ("family",),
    "Organization": ("name", "address-city"),
    "Device": ("device-name", "status", "manufacturer", "url"),
    "Observation": ("date", "status", "value-string", "value-date"),
    "Encounter": ("date", "status"),
    "Condition": ("onset-date", "recorded-date"),
    "QuestionnaireResponse": ("authored", "status"),
    "RiskAssessment": ("probability", "date"),
    "Location": ("name", "status", "address-city"),
    "PractitionerRole": ("date",),
    "RelatedPerson": ("birthdate", "gender"),
    "Goal": ("start-date", "lifecycle-status"),
    "CareTeam": ("date", "status"),
    "CarePlan": ("date", "status"),
    "Task": ("period", "authored-on", "priority"),
    "Communication": ("sent", "received"),
    "Flag": ("date",),
    "DiagnosticReport": ("date", "issued"),
    "DocumentReference": ("date", "description", "period"),
    "List": ("date", "title"),
    "ValueSet": ("url", "name", "title", "status", "date"),
    "Questionnaire": ("url", "name", "title", "status", "date"),
}


def drawn(*, share: int = 1) -> settings:
    """Return the settings of a property: the same searches in each run."""
    return settings(
        max_examples=max(1, EXAMPLES // share),
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )


@st.composite
def queries(draw: st.DrawFn, model: Model) -> tuple[str, list[tuple[str, str]]]:
    """Draw a type and one or two parameters of it."""
    type_ = draw(st.sampled_from(sorted(PARAMETERS)))
    count = draw(st.sampled_from((1, 1, 2)))
    return type_, [draw(_pairs(model, type_)) for _ in range(count)]


@st.composite
def sorts(draw: st.DrawFn, type_: str) -> str:
    """Draw one or two keys of an order, `-` before those that descend."""
    keys = st.sampled_from((*SORTED[type_], "_id", "_lastUpdated"))
    chosen = draw(st.lists(keys, min_size=1, max_size=2, unique=True))
    return ",".join(draw(st.sampled_from(("", "-"))) + key for key in chosen)


@st.composite
def _pairs(draw: st.DrawFn, model: Model, type_: str) -> tuple[str, str]:
    before, of = draw(st.sampled_from((("", type_),) * 5 + FOLLOWED.get(type_, ())))
    name = draw(st.sampled_from(sorted(PARAMETERS[of])))
    modifier, value = draw(asked(model, of, PARAMETERS[of][name]))
    return f"{before}{name}{modifier}", value
