"""Elements with what a search may stumble over, the same for the same seed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from worlds import Clinic, Json

UCUM = "http://unitsofmeasure.org"
LOINC = "http://loinc.org"
SYSTEMS = (LOINC, "urn:oid:1.2.3", "http://clinic.example/a|b")
FAMILIES = ("Müller", "Mu\u0308ller", "MULLER", "Muller-Lüdenscheidt", "O'Hara", "Ång")
GIVENS = ("Zoë", "Zoe\u0308", "zoe", "Zoltán", "José María", "Straße", "Łukasz", "李")
CITIES = ("Köln", "Koln", "Köln, Süd", "São Paulo", "Sa", "St. Gallen | Ost", "$5")
CODES = ("40443-4", "a,b", "a|b", "a$b", "a\\b", "A", "a", "2339-0", "718-7")
DISPLAYS = ("Heart rate", "heart", "Éclat", "Body, weight", "Körper|temp")
PROBLEMS = ("Fièvre", "fever", "Fever, high", "a$b")
UNITS = (
    ("kg", "kg"),
    ("g", "g"),
    ("[lb_av]", "lb"),
    ("Cel", "°C"),
    ("[degF]", "°F"),
    ("mm[Hg]", "mmHg"),
    ("kPa", "kPa"),
    ("s", "sec"),
    ("min", "min"),
    ("h", "hour"),
    ("m", "m"),
    ("cm", "cm"),
)
NUMBERS = (0, 0.5, 1, 1.5, 5.4, 5.45, 37, 36.95, 98.6, 99.5, 100, 100.5, 120, 1000, -3)
DATES = (
    "2026",
    "2026-11",
    "2026-11-03",
    "2026-11-03T10:00:00Z",
    "2026-11-03T10:00:00.123Z",
    "2026-11-03T23:30:00-05:00",
    "2026-11-04T00:00:00+02:00",
    "2026-10-31",
    "2024-02-29",
    "1999-12-31T23:59:59Z",
    "2027-01",
)
PERIODS = (
    {"start": "2026-11-03", "end": "2026-11-05"},
    {"start": "2026-11-03T22:00:00Z", "end": "2026-11-04T06:00:00+01:00"},
    {"start": "2026-10"},
    {"end": "2026-11-03T10:00:00Z"},
    {"start": "2025", "end": "2027"},
)
FOREIGN = "http://other.example/fhir/Practitioner/9"
CANONICALS = (
    "http://clinic.example/Questionnaire/a",
    "http://clinic.example/Questionnaire/a|2",
    "http://clinic.example/Questionnaire/B",
)


@dataclass
class Making:
    """A clinic that is being filled, and what is in it so far."""

    clinic: Clinic
    random: Random
    made: list[Json] = field(default_factory=list)

    def create(self, resource: Json) -> Json:
        stored = self.clinic.world.create(
            {name: value for name, value in resource.items() if value is not None},
            self.clinic.admin,
        )
        self.made.append(stored)
        return stored

    def one(self, values: Any) -> Any:
        return self.random.choice(list(values))

    def maybe(self, make: Callable[[], Any]) -> Any:
        """Return something, or nothing in a third of the cases."""
        return make() if self.random.random() < 2 / 3 else None

    def some(self, make: Callable[[], Any], most: int = 2) -> Any:
        count = self.random.randint(0, most)
        return [make() for _ in range(count)] or None

    def reference(self, *types: str) -> Json:
        """Return a reference to something that was made, in one of its spellings."""
        found = [one for one in self.made if one["resourceType"] in types]
        target = self.one(found)
        spelt = f"{target['resourceType']}/{target['id']}"
        base = self.one(("", "", "http://localhost:8000/fhir/"))
        return {"reference": base + spelt}


def bare(element: Json) -> Json:
    return {name: value for name, value in element.items() if value is not None}


def identifier_of(making: Making) -> Json:
    kind = {"coding": [{"system": making.one(SYSTEMS), "code": making.one("MRSS")}]}
    return bare(
        {
            "system": making.maybe(lambda: making.one(SYSTEMS)),
            "value": making.one(("1", "a,b", "A|1", "a|1", "x$y", "é")),
            "type": making.maybe(
                lambda: {**kind, "text": making.one(("Médical", "Social"))}
            ),
        }
    )


def concept_of(making: Making) -> Json:
    def coding() -> Json:
        return bare(
            {
                "system": making.maybe(lambda: making.one(SYSTEMS)),
                "code": making.one(CODES),
                "display": making.maybe(lambda: making.one(DISPLAYS)),
            }
        )

    codings = making.some(coding)
    text = making.maybe(lambda: making.one(PROBLEMS)) or ("x" if not codings else None)
    return bare({"coding": codings, "text": text})


def quantity_of(making: Making) -> Json:
    value = making.one(NUMBERS)
    if making.random.random() < 0.15:
        unit = making.one(("beats", "kg", "puff|s"))
        coded = {"system": "urn:oid:1.2.3", "code": "puff"}
        return {"value": value, "unit": unit, **making.one(({}, coded))}
    code, unit = making.one(UNITS)
    return {"value": value, "unit": unit, "system": UCUM, "code": code}


def name_of(making: Making) -> Json:
    return bare(
        {
            "family": making.maybe(lambda: making.one(FAMILIES)),
            "given": making.some(lambda: making.one(GIVENS)) or ["Zoë"],
            "prefix": making.some(lambda: making.one(("Dr.", "Frau")), 1),
            "text": making.maybe(lambda: f"Dr. {making.one(GIVENS)}"),
        }
    )


def address_of(making: Making) -> Json:
    return bare(
        {
            "line": making.some(lambda: making.one(("Straße 5", "Rue de l'Étoile"))),
            "city": making.one(CITIES),
            "postalCode": making.maybe(lambda: making.one(("50667", "D-5", "1"))),
        }
    )


def contact_of(making: Making) -> Json:
    return {
        "system": making.one(("phone", "email")),
        "value": making.one(("Zoe@Example.org", "zoe@example.org", "+49 221", "x")),
    }


def when_of(making: Making, name: str) -> Json:
    """Return a dateTime, a Period or nothing."""
    return making.one(
        (
            {f"{name}DateTime": making.one(DATES)},
            {f"{name}Period": making.one(PERIODS)},
            {},
        )
    )


def value_of(making: Making) -> Json:
    return making.one(
        (
            {"valueQuantity": quantity_of(making)},
            {"valueQuantity": quantity_of(making)},
            {"valueCodeableConcept": concept_of(making)},
            {"valueString": making.one(PROBLEMS)},
            {"valueDateTime": making.one(DATES)},
            {"valuePeriod": making.one(PERIODS)},
            {},
        )
    )
