"""Random worlds: resources, consents and a request, from one seed.

A quarter of the consents is wild: malformed, foreign, display-only, three levels
deep; the rest leans to permits, so that both answers are common.
"""

# ruff: noqa: C901, S311 - tables of shapes; chance, not secrets

import random
from dataclasses import dataclass, replace
from datetime import UTC
from zoneinfo import ZoneInfo

from consent.decision import DefaultPolicy
from consent.moments import bounds
from consent.request import AccessRequest

T = "http://terminology.hl7.org/CodeSystem/"
BASE = "https://fhir.example.org/r4"
LOINC = "http://loinc.org"
SCOPE = {"coding": [{"system": T + "consentscope", "code": "patient-privacy"}]}

CODES = ("8867-4", "55423-8", "44261-6", "85353-1")
SENSITIVE = (
    "MH",
    "PSY",
    "ETHUD",
    "ETH",
    "SUD",
    "BH",
    "HIV",
    "_InformationSensitivityPolicy",
)
PURPOSES = ("TREAT", "ETREAT", "BTG", "HRESCH", "BIORCH", "HPAYMT", "PurposeOfUse")
ACTIONS = ("collect", "access", "use", "disclose")
ACTORS = (
    "Practitioner/dr",
    "Practitioner/y",
    "Organization/clinic",
    "Group/g",
    "Organization/other",
    "CareTeam/t",
    "Device/app",
)
TIMES = (
    "0001-01-01",
    "2019",
    "2022-05",
    "2022-05-31",
    "2022-05-31T23:59:59.999999Z",
    "2022-06-01T00:00:00Z",
    "2022-06-01",
    "2026-03-10T08:00:00+02:00",
    "2026-03-10",
    "2026-03-29T02:30:00+01:00",
    "9999-12-31",
)
DEVICES = ("Device/ring", "Device/hub", "DeviceMetric/m", "Device/watch")
ENCOUNTERS = ("Encounter/e1", "Encounter/e2")
NPI = {"system": "http://hl7.org/fhir/sid/us-npi", "value": "123"}


@dataclass(frozen=True)
class World:
    zone: object
    own_bases: tuple
    device_parents: dict
    resources: tuple


@dataclass(frozen=True)
class Scenario:
    world: World
    consents: tuple
    request: AccessRequest
    default: DefaultPolicy


def scenario(seed, focus=(), resources=None):
    """Return a world and a question; the elements of `focus` are frequent in it."""
    rng = random.Random(seed)
    count = rng.randint(1, 4)
    resources = tuple(resource(rng, n) for n in range(resources or count))
    world = World(
        zone=rng.choice((UTC, ZoneInfo("America/New_York"))),
        own_bases=(BASE,),
        device_parents={
            "DeviceMetric/m": "Device/ring",
            "Device/ring": "Device/hub",
            **({"Device/hub": "DeviceMetric/m"} if rng.random() < 0.2 else {}),
        },
        resources=resources,
    )
    elements = theme(rng, focus)
    return Scenario(
        world=world,
        consents=tuple(
            consent(rng, n, elements)
            for n in range(rng.choice((0, 1, 1, 1, 2, 2, 3, 4)))
        ),
        request=request(rng),
        default=rng.choice((DefaultPolicy.DENY, DefaultPolicy.DENY, *DefaultPolicy)),
    )


def theme(rng, focus):
    """Return the shares of elements: mostly two of them often, so that they decide."""
    if not focus and rng.random() < 0.25:
        return ELEMENTS
    chosen = focus or rng.sample(sorted(ELEMENTS), 2)
    return {name: (ELEMENTS[name][0], 0.5) for name in chosen}


def request(rng):
    asked = rng.sample(PURPOSES, rng.choice((0, 1, 1, 1, 2)))
    purposes = [(T + "v3-ActReason", code) for code in asked]
    if rng.random() < 0.1:
        purposes.append(("http://local", rng.choice(("TREAT", "other"))))
    moment = bounds(rng.choice(TIMES[2:9]), UTC)
    return AccessRequest(
        actors=frozenset(rng.sample(ACTORS, rng.randint(1, 4)))
        | ({f"{NPI['system']}|123"} if rng.random() < 0.3 else set()),
        individual_known=rng.random() < 0.7,
        purposes=tuple(purposes),
        actions=tuple(rng.sample(ACTIONS, rng.choice((1, 1, 1, 2)))),
        btg_attested=rng.random() < 0.5,
        at_us=rng.choice(moment),
    )


def resource(rng, number):
    type_ = rng.choice(("Observation",) * 6 + ("Condition", "Device", "Encounter"))
    found = {"resourceType": type_, "id": f"r{number}"}
    meta = {}
    security = [
        {"system": T + "v3-ActCode", "code": code}
        for code in rng.sample(SENSITIVE, rng.choice((0, 0, 1, 2)))
    ]
    if rng.random() < 0.75:
        level = rng.choice("ULMNNNRV")
        security.append({"system": T + "v3-Confidentiality", "code": level})
    if security:
        meta["security"] = security
    if rng.random() < 0.2:
        meta["profile"] = [
            rng.choice(("http://p/one", "http://p/one|2", "http://p/two"))
        ]
    if meta:
        found["meta"] = meta
    if rng.random() < 0.93:
        found["subject"] = {
            "reference": rng.choice(
                ("Patient/p1",) * 8
                + (BASE + "/Patient/p1", "Patient/p2", "Device/ring")
            )
        }
    if type_ in ("Observation", "Condition"):
        about(rng, found)
    return found


def about(rng, found):
    if rng.random() < 0.95:
        found["code"] = concept(rng)
    if rng.random() < 0.3:
        found["component"] = [
            {
                "code": concept(rng),
                **(
                    {"valueCodeableConcept": concept(rng)} if rng.random() < 0.3 else {}
                ),
            }
            for _ in range(rng.randint(1, 3))
        ]
    if rng.random() < 0.2:
        found["category"] = [concept(rng)]
    if rng.random() < 0.2:
        found["interpretation"] = [concept(rng)]
    if rng.random() < 0.3:
        found["valueQuantity"] = {
            "value": 1,
            "system": "http://unitsofmeasure.org",
            "code": "8867-4",
        }
    if rng.random() < 0.5:
        found["device"] = {"reference": rng.choice(DEVICES)}
    if rng.random() < 0.3:
        found["performer"] = [{"reference": rng.choice(ACTORS)}]
    if rng.random() < 0.25:
        found["encounter"] = {"reference": rng.choice(ENCOUNTERS)}
    if rng.random() < 0.25:
        found["focus"] = [{"reference": rng.choice((*DEVICES, "Observation/r0"))}]
    if rng.random() < 0.2:
        found["extension"] = [
            {
                "url": "http://x",
                "valueReference": {
                    "reference": rng.choice(
                        (
                            *ENCOUNTERS,
                            "Observation/r1/_history/2",
                            "https://else/Device/ring",
                        )
                    )
                },
            }
        ]
    dated(rng, found)


def dated(rng, found):
    shape = rng.random()
    if shape < 0.45:
        found["effectiveDateTime"] = rng.choice(TIMES)
    elif shape < 0.75:
        found["effectivePeriod"] = period(rng)
    elif shape < 0.8:
        found["effectiveTiming"] = {}
    if rng.random() < 0.4:
        found["issued"] = "2026-03-10T08:00:00Z"


def period(rng):
    first, last = sorted(rng.choice(range(len(TIMES))) for _ in range(2))
    found = {}
    if rng.random() < 0.85:
        found["start"] = TIMES[first]
    if rng.random() < 0.85 or not found:
        found["end"] = TIMES[last]
    return found


def concept(rng):
    shape = rng.random()
    if shape < 0.05:
        return {"text": "in words"}
    if shape < 0.1:
        return {"coding": [{"code": rng.choice(CODES)}]}
    return {
        "coding": [
            {"system": LOINC, "code": code}
            for code in rng.sample(CODES, rng.choice((1, 1, 1, 2)))
        ]
    }


def consent(rng, number, elements):
    wild = rng.random() < 0.2
    found = {
        "resourceType": "Consent",
        "id": f"c{number}",
        "status": "active" if rng.random() < 0.9 else "inactive",
        "scope": SCOPE,
        "patient": {"reference": "Patient/p1" if rng.random() < 0.9 else "Patient/p2"},
        "provision": provision(rng, 0, elements, wild=wild),
    }
    if rng.random() < 0.5:
        found["dateTime"] = rng.choice(("2018", "2018", "2018", "2022-06-01", "9999"))
    if rng.random() < 0.1:
        codes = ("research", "research", "adr", "unheard-of")
        found["scope"] = {
            "coding": [{"system": T + "consentscope", "code": rng.choice(codes)}]
        }
    if rng.random() < 0.1:
        del found["provision"]["type"]
    if rng.random() < 0.1:
        found["policyRule"] = {
            "coding": [
                {
                    "system": rng.choice((T + "v3-ActCode", "http://local")),
                    "code": rng.choice(("OPTIN", "OPTOUT", "else")),
                }
            ]
        }
    if wild:
        mangle(rng, found)
    return found


def mangle(rng, found):
    change = rng.randrange(16)
    root = found["provision"]
    if change == 0:
        del found["scope"]
    elif change == 1:
        root["code"] = {"coding": []}
    elif change == 2:
        root["period"] = {"start": "2030", "end": "2020"}
    elif change == 3:
        root["dataPeriod"] = {"start": "soon"}
    elif change == 4:
        root["type"] = "PERMIT"
    elif change == 5:
        root.setdefault("provision", []).append({"purpose": []})
    elif change == 6:
        found["extension"] = [{"modifierExtension": []}]
    elif change == 7:
        found["dateTime"] = "yesterday"


def provision(rng, depth, elements, *, wild):
    permits = rng.random() < (0.5 if depth else 0.7)
    found = {"type": "permit" if permits else "deny"}
    for name, (make, share) in elements.items():
        if rng.random() < share:
            found[name] = make(rng, wild)
    deepest = 3 if wild else 2
    if depth < deepest and rng.random() < 0.45:
        found["provision"] = [
            provision(rng, depth + 1, elements, wild=wild)
            for _ in range(rng.randint(1, 3))
        ]
    return found


def some(make):
    return lambda rng, wild: [make(rng, wild) for _ in range(rng.choice((1, 1, 2, 3)))]


def actor(rng, wild):
    shape = rng.random()
    if shape < 0.1:
        return {"reference": {"identifier": NPI}}
    if wild and shape < 0.35:
        return {
            "reference": rng.choice(
                (
                    {"display": "my ex"},
                    {"reference": "#c"},
                    {"reference": "Practitioner/dr "},
                    {"reference": "https://else/Practitioner/dr"},
                    {"identifier": {"value": "1"}},
                    {"reference": BASE + "/Practitioner/dr"},
                    {"identifier": {"system": NPI["system"], "value": " 123"}},
                )
            )
        }
    return {"reference": {"reference": rng.choice(ACTORS)}}


def purpose(rng, wild):
    shape = rng.random()
    if shape < 0.1:
        return {"system": "http://local", "code": rng.choice(("TREAT", "other"))}
    if wild and shape < 0.25:
        return rng.choice(
            ({"code": "TREAT"}, {"system": T + "v3-ActReason", "code": "treat"})
        )
    return {"system": T + "v3-ActReason", "code": rng.choice(PURPOSES)}


def action(rng, wild):
    if wild and rng.random() < 0.2:
        return {"text": "all of it"}
    return {"coding": [{"system": T + "consentaction", "code": rng.choice(ACTIONS)}]}


def label(rng, wild):
    shape = rng.random()
    if wild and shape < 0.15:
        return {"system": "http://local", "code": "ZZZ"}
    if shape < 0.5:
        system = rng.choice((T, "http://terminology.hl7.org/ValueSet/"))
        return {"system": system + "v3-Confidentiality", "code": rng.choice("LNRV")}
    return {"system": T + "v3-ActCode", "code": rng.choice(SENSITIVE)}


def class_(rng, wild):
    return rng.choice(
        (
            {"system": "http://hl7.org/fhir/resource-types", "code": "Observation"},
            {"system": "http://hl7.org/fhir/resource-types", "code": "Device"},
            {"system": "urn:ietf:rfc:3986", "code": "http://p/one"},
            {"system": "http://local", "code": "x"}
            if wild
            else {"system": "urn:ietf:rfc:3986", "code": "http://p/two"},
        )
    )


def datum(rng, wild):
    meaning = rng.choice(("instance", "related", "dependents", "authoredby"))
    targets = (
        *DEVICES,
        *ENCOUNTERS,
        "Observation/r0",
        "Observation/r1/_history/3",
        "Practitioner/dr",
        "Patient/p1",
        BASE + "/Device/ring",
    )
    reference = {"reference": rng.choice(targets)}
    if wild and rng.random() < 0.2:
        meaning = rng.choice((meaning, "else"))
        reference = rng.choice(
            ({"display": "it"}, {"reference": "https://else/Device/x"})
        )
    return {"meaning": meaning, "reference": reference}


ELEMENTS = {
    "period": (lambda rng, _: period(rng), 0.07),
    "actor": (some(actor), 0.14),
    "purpose": (some(purpose), 0.12),
    "action": (some(action), 0.1),
    "securityLabel": (some(label), 0.2),
    "class": (some(class_), 0.08),
    "code": (some(lambda rng, _: concept(rng)), 0.2),
    "dataPeriod": (lambda rng, _: period(rng), 0.16),
    "data": (some(datum), 0.2),
}
"""How each element is made, and on which share of the provisions."""


def shuffled(scene, rng):
    """Return the same question with consents and nested provisions in another order."""

    def mixed(node):
        if "provision" not in node or not isinstance(node["provision"], list):
            return node
        children = [mixed(child) for child in node["provision"]]
        return {**node, "provision": rng.sample(children, len(children))}

    consents = [
        {**each, "provision": mixed(each["provision"])} for each in scene.consents
    ]
    return replace(scene, consents=tuple(rng.sample(consents, len(consents))))
