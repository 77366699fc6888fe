"""A clinic of two patients who both have everything that US Core's profiles describe.

Two, so that a search that forgets the patient finds too much.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import us_core_observations as observations
import us_core_people as people
from worlds import Clinic, link, matches

from fhir_service.auth import local
from fhir_service.ingest.files import import_file

Json = dict[str, Any]
Pair = tuple[str, str]

CORE = people.CORE


@dataclass
class Seeded:
    """What is in the clinic.

    Attributes:
        of: Profile, without its place → resources that claim it, the first patient's
            first.
        everything: Every resource that was written.

    """

    clinic: Clinic
    of: dict[str, list[Json]] = field(default_factory=dict)
    everything: list[Json] = field(default_factory=list)

    def add(self, profile: str, resource: Json) -> str:
        """Write a resource that claims a profile; return its reference."""
        claimed = {**resource, "meta": {"profile": [CORE + profile]}}
        stored = self.clinic.world.create(claimed, self.clinic.admin)
        self.of.setdefault(profile, []).append(stored)
        self.everything.append(stored)
        self.clinic.world.clock.pass_s(1.5)
        return f"{stored['resourceType']}/{stored['id']}"

    def get(self, path: str) -> Json:
        """Return what a client of the clinic reads."""
        answer = self.clinic.world.get(f"/fhir/{path}", self.clinic.ehr)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.json

    def found(self, type_: str, pairs: Sequence[Pair]) -> list[Json]:
        """Return the matches of a search on every page."""
        return self._pages(self.get(f"{type_}?{urlencode(pairs)}"))

    def found_by_post(self, type_: str, pairs: Sequence[Pair]) -> list[Json]:
        """Return the matches of a search whose parameters are sent as a form."""
        answer = self.clinic.world.send(
            "POST",
            f"/fhir/{type_}/_search",
            urlencode(pairs).encode(),
            self.clinic.ehr,
            "application/x-www-form-urlencoded",
        )
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return self._pages(answer.json)

    def _pages(self, bundle: Json) -> list[Json]:
        resources = list(matches(bundle))
        while following := link(bundle, "next"):
            bundle = self.get(following.partition("/fhir/")[2])
            resources += matches(bundle)
        return resources


@dataclass(frozen=True, kw_only=True)
class Staff:
    """References of whom and what the two patients share."""

    practitioner: str
    organization: str
    location: str


def seed(clinic: Clinic) -> Seeded:
    """Write resources of every profile."""
    seeded = Seeded(clinic)
    staff = _staff(seeded)
    for number in range(2):
        patient = people.patient(clinic.organization, number)
        reference = seeded.add("us-core-patient", patient)
        clinic.consented(patient_id=reference.partition("/")[2])
        _record(seeded, reference, number, staff)
    _measure(seeded)
    seeded.of["us-core-provenance"] = [
        *_provenance(seeded, seeded.of["us-core-patient"][0]["id"]),
        *_provenance(seeded, clinic.patient),
    ]
    return seeded


def _measure(seeded: Seeded) -> None:
    """Import a heart rate of a watch, for a patient who has nothing else."""
    clinic = seeded.clinic
    clinic.consented()
    path = clinic.world.data / "export.xml"
    path.write_text(_EXPORT, encoding="utf-8")
    import_file(
        clinic.world.deployment.services,
        "apple-health",
        path,
        patient_id=clinic.patient,
        grant=local.operator(clinic.organization),
    )


_AT = "2026-09-01 10:00:00 +0200"
_EXPORT = (
    '<?xml version="1.0"?><HealthData locale="en_US">'
    '<Record type="HKQuantityTypeIdentifierHeartRate" sourceName="W" unit="count/min" '
    'device="&lt;&lt;HKDevice: 0x1&gt;, name:Watch, manufacturer:Maker, model:M&gt;" '
    f'creationDate="{_AT}" startDate="{_AT}" endDate="{_AT}" value="60"/></HealthData>'
)


def _provenance(seeded: Seeded, patient: str) -> list[Json]:
    """Return what the service tells of the Observations of a patient."""
    query = f"patient={patient}&_revinclude=Provenance:target&_count=200"
    entries = seeded.get(f"Observation?{query}")["entry"]
    return [one["resource"] for one in entries if one["search"]["mode"] == "include"]


def _staff(seeded: Seeded) -> Staff:
    practitioner = seeded.add("us-core-practitioner", people.practitioner())
    organization = seeded.add("us-core-organization", people.organization())
    location = seeded.add("us-core-location", people.location(organization))
    world = seeded.clinic.world
    endpoint = world.create(people.endpoint(), seeded.clinic.admin)
    seeded.add(
        "us-core-practitionerrole",
        people.role(
            practitioner=practitioner,
            organization=organization,
            location=location,
            endpoint=f"Endpoint/{endpoint['id']}",
        ),
    )
    return Staff(
        practitioner=practitioner, organization=organization, location=location
    )


def _record(seeded: Seeded, patient: str, number: int, staff: Staff) -> None:
    about = {"reference": patient}
    seeded.add("us-core-relatedperson", {**people.related_person(), "patient": about})
    seeded.add("us-core-implantable-device", {**people.device(), "patient": about})
    encounter = people.encounter(
        number,
        staff.practitioner,
        location=staff.location,
        organization=staff.organization,
    )
    visit = seeded.add("us-core-encounter", {**encounter, "subject": about})
    response = {**people.response(staff.practitioner), "subject": about}
    answered = seeded.add("us-core-questionnaireresponse", response)

    def observed(profile: str, found: Iterable[Json]) -> list[str]:
        by = [{"reference": staff.practitioner}]
        return [
            seeded.add(profile, {**_dated(one, day), "subject": about, "performer": by})
            for day, one in enumerate(found, start=1)
        ]

    for profile, found in _observations(visit, answered):
        observed(profile, found)
    screening = "us-core-observation-screening-assessment"
    members = observed(screening, observations.screenings(answered))
    observed(screening, [observations.panel(members)])


def _dated(observation: Json, day: int) -> Json:
    """Return an Observation with a day of its own among those of its profile."""
    if "effectiveDateTime" not in observation:
        return observation
    at = f"2026-10-{day:02d}T08:30:00+02:00"
    return {**observation, "effectiveDateTime": at}


def _observations(visit: str, answered: str) -> list[tuple[str, list[Json]]]:
    signs = [
        (
            profile,
            [
                observations.vital_sign(
                    observations.concept((observations.LOINC, code)),
                    valueQuantity=observations.quantity(value, unit),
                )
            ],
        )
        for profile, (code, unit, value) in observations.VITAL_SIGNS.items()
    ]
    return [
        *signs,
        ("us-core-pulse-oximetry", [observations.pulse_oximetry()]),
        ("us-core-blood-pressure", observations.blood_pressures()),
        ("us-core-average-blood-pressure", observations.average_blood_pressures()),
        ("us-core-smokingstatus", observations.smoking_statuses()),
        ("us-core-simple-observation", observations.simple(answered)),
        ("us-core-observation-clinical-result", observations.clinical(visit)),
    ]
